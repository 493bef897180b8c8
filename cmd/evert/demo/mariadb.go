package demo

import "fmt"

// mariaDBTables makes the shop. Texts have a collation that tells all of them apart, so
// that views can group and join by them as they are.
var mariaDBTables = []string{
	"ALTER DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
	`CREATE TABLE customers (
  id          bigint AUTO_INCREMENT PRIMARY KEY,
  name        varchar(200) NOT NULL,
  email       varchar(80) NOT NULL,
  city        varchar(80),
  vip         boolean NOT NULL DEFAULT false,
  tags        varchar(200) NOT NULL DEFAULT '',
  preferences json,
  credit      decimal(12,2) NOT NULL DEFAULT 0,
  notes       text,
  joined_at   timestamp(6) NOT NULL DEFAULT current_timestamp(6)
) COLLATE utf8mb4_nopad_bin`,
	`CREATE TABLE products (
  sku         varchar(20) PRIMARY KEY,
  name        varchar(200) NOT NULL,
  price       decimal(10,2) NOT NULL,
  stock       int unsigned NOT NULL,
  weight      decimal(9,3),
  rating      double,
  box_cm      set('small', 'flat', 'fragile'),
  attributes  json,
  leaflet     blob,
  changed_at  datetime(6) NOT NULL DEFAULT current_timestamp(6)
) COLLATE utf8mb4_nopad_bin`,
	`CREATE TABLE orders (
  id          bigint AUTO_INCREMENT PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers (id),
  reference   uuid NOT NULL DEFAULT uuid(),
  status      enum('new', 'paid', 'packed', 'shipped', 'delivered') NOT NULL DEFAULT 'new',
  total       decimal(12,2) NOT NULL DEFAULT 0,
  placed_at   timestamp(6) NOT NULL DEFAULT current_timestamp(6),
  deliver_on  date,
  deliver_by  time
) COLLATE utf8mb4_nopad_bin`,
	`CREATE TABLE order_lines (
  order_id    bigint NOT NULL REFERENCES orders (id),
  line        smallint NOT NULL,
  sku         varchar(20) NOT NULL,
  quantity    int NOT NULL,
  price       decimal(10,2) NOT NULL,
  PRIMARY KEY (order_id, line)
) COLLATE utf8mb4_nopad_bin`,
}

const mariaDBCustomers = `
INSERT INTO customers (name, email, city, vip, tags, preferences, credit, notes, joined_at)
SELECT concat('Customer ', seq), concat('c', seq, '@example.com'),
       elt(1 + seq %% 6, 'Berlin', 'Lyon', 'Porto', 'Gdańsk', 'Graz', 'Turku'), seq %% 50 = 0,
       if(seq %% 4 = 0, '', concat('newsletter,club ', seq %% 7)),
       json_object('language', elt(1 + seq %% 4, 'de', 'fr', 'pt', 'pl'), 'paper', seq %% 3 = 0),
       (seq %% 1000) / 10, if(seq %% 20 = 0, repeat(md5(seq), 120), NULL), '2020-01-01' + interval 3 * seq hour
FROM seq_1_to_%d`

const mariaDBProducts = `
INSERT INTO products (sku, name, price, stock, weight, rating, box_cm, attributes, leaflet, changed_at)
SELECT concat('P', lpad(seq, 5, '0')), concat('Product ', seq), 0.99 + seq, 100000, seq * 0.37, 1 + (seq %% 40) / 10,
       seq %% 8, json_object('colour', elt(1 + seq %% 3, 'red', 'green', 'blue'), 'eco', seq %% 2 = 0),
       if(seq %% 10 = 0, unhex(md5(seq)), NULL), '2024-01-01' + interval seq minute
FROM seq_1_to_%d`

const mariaDBOrders = `
INSERT INTO orders (customer_id, status, total, placed_at, deliver_on, deliver_by)
SELECT 1 + (seq * 7919) %% %d, 2 + seq %% 4, 0, '2024-01-01' + interval 7 * seq minute,
       if(seq %% 3 > 0, '2024-01-03' + interval seq div 200 day, NULL), if(seq %% 5 = 0, '18:30', NULL)
FROM seq_1_to_%d`

const mariaDBLines = `
INSERT INTO order_lines (order_id, line, sku, quantity, price)
SELECT o.seq, n.seq, concat('P', lpad(1 + (o.seq * 31 + n.seq * 17) %% %d, 5, '0')), 1 + (o.seq + n.seq) %% 4, 1 + (o.seq * n.seq) %% 97
FROM seq_1_to_%d o JOIN seq_1_to_3 n WHERE n.seq <= 1 + o.seq %% 3`

func mariaDBFill(s Sizes) []string {
	return append(mariaDBTables[:len(mariaDBTables):len(mariaDBTables)],
		fmt.Sprintf(mariaDBCustomers, s.Customers),
		fmt.Sprintf(mariaDBProducts, s.Products),
		fmt.Sprintf(mariaDBOrders, s.Customers, s.Orders),
		fmt.Sprintf(mariaDBLines, s.Products, s.Orders),
		"UPDATE orders o JOIN (SELECT order_id, sum(quantity * price) AS total FROM order_lines GROUP BY 1) t ON t.order_id = o.id SET o.total = t.total",
	)
}
