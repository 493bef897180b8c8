package demo

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// Sizes say how full the shop is when it opens.
type Sizes struct {
	Customers, Products, Orders int
}

// DefaultCustomers make a snapshot that lasts about a second.
const DefaultCustomers = 5_000

// SizesFor are those of a shop with so many customers.
func SizesFor(customers int) Sizes {
	return Sizes{Customers: customers, Products: 400, Orders: 4 * customers}
}

// A Shop is the shop in a database of some kind: the same tables and people, in the
// words of the database.
type Shop struct {
	Product string // for people: Postgres or MariaDB
	Schema  string // of the tables
	open    func(ctx context.Context) (conn, error)
	words   words
}

// words are what is said otherwise by each kind of database. The order of the
// placeholders' values is the same in all.
type words struct {
	fill      func(Sizes) []string
	isFilled  string
	session   string // makes the server print values as schema.Type.AppendText does
	quote     func(name string) string
	place     string // customer, days: gives the order's number
	line      string // order, line, quantity, product
	total     string // order, order
	advance   string // status, order
	move      string // city, credit, customer
	forget    string // customer
	note      string // text, customer
	reprice   string // factor, product
	cancel    [2]string
	join      string // name, email
	renumber  string // order
	vip       string // customer
	ownDelete string // order
	ownInsert string // customer: gives the order's number
	position  string // behind what this session committed last
}

// InPostgres is the shop in a database of Postgres.
func InPostgres(url string) Shop {
	return Shop{Product: "Postgres", Schema: "public", open: openPostgres(url), words: words{
		fill: postgresFill, isFilled: "SELECT (to_regclass('public.order_lines') IS NOT NULL)::int",
		session:   `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET bytea_output = 'hex'; SET extra_float_digits = 3; SET IntervalStyle = 'postgres'`,
		quote:     func(name string) string { return pgx.Identifier{name}.Sanitize() },
		place:     "INSERT INTO orders (customer_id, deliver_on) VALUES ($1, current_date + $2::int) RETURNING id",
		line:      "INSERT INTO order_lines SELECT $1, $2, sku, $3, price FROM products WHERE sku = $4",
		total:     "UPDATE orders SET total = (SELECT coalesce(sum(quantity * price), 0) FROM order_lines WHERE order_id = $1) WHERE id = $2",
		advance:   "UPDATE orders SET status = $1::text::order_status WHERE id = $2",
		move:      "UPDATE customers SET city = $1, credit = credit + $2 WHERE id = $3",
		forget:    "UPDATE customers SET notes = NULL WHERE id = $1",
		note:      "UPDATE customers SET notes = $1, tags = tags || 'noted'::text WHERE id = $2 AND cardinality(tags) < 8",
		reprice:   "UPDATE products SET price = round(price * $1::numeric, 2) + 0.01, changed_at = clock_timestamp() WHERE sku = $2",
		cancel:    [2]string{"DELETE FROM order_lines WHERE order_id = $1", "DELETE FROM orders WHERE id = $1"},
		join:      "INSERT INTO customers (name, email, city, preferences) VALUES ($1, $2, NULL, '{\"guest\": true}')",
		renumber:  "UPDATE order_lines SET line = line + 100 WHERE order_id = $1 AND line = 1",
		vip:       "UPDATE customers SET vip = NOT vip WHERE id = $1",
		ownDelete: "DELETE FROM orders WHERE id = $1",
		ownInsert: "INSERT INTO orders (customer_id, total) VALUES ($1::text::bigint, 4.20) RETURNING id",
		position:  "SELECT 'shop:' || pg_current_wal_flush_lsn()",
	}}
}

// MariaDBName is the name of the shop's database in MariaDB.
const MariaDBName = "shop"

// InMariaDB is the shop in database MariaDBName of a server.
func InMariaDB(server *mysqlserver.Server) Shop {
	return Shop{Product: "MariaDB", Schema: MariaDBName, open: openMariaDB(server, MariaDBName), words: words{
		fill: mariaDBFill, isFilled: "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'order_lines'",
		session:   mariaDBSession,
		quote:     func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" },
		place:     "INSERT INTO orders (customer_id, deliver_on) VALUES (?, current_date + interval ? day) RETURNING id",
		line:      "INSERT INTO order_lines SELECT ?, ?, sku, ?, price FROM products WHERE sku = ?",
		total:     "UPDATE orders SET total = (SELECT coalesce(sum(quantity * price), 0) FROM order_lines WHERE order_id = ?) WHERE id = ?",
		advance:   "UPDATE orders SET status = ? WHERE id = ?",
		move:      "UPDATE customers SET city = ?, credit = credit + ? WHERE id = ?",
		forget:    "UPDATE customers SET notes = NULL WHERE id = ?",
		note:      "UPDATE customers SET notes = ?, tags = concat_ws(',', nullif(tags, ''), 'noted') WHERE id = ? AND length(tags) < 80",
		reprice:   "UPDATE products SET price = round(price * cast(? AS decimal(3,1)), 2) + 0.01, changed_at = now(6) WHERE sku = ?",
		cancel:    [2]string{"DELETE FROM order_lines WHERE order_id = ?", "DELETE FROM orders WHERE id = ?"},
		join:      "INSERT INTO customers (name, email, city, preferences) VALUES (?, ?, NULL, '{\"guest\": true}')",
		renumber:  "UPDATE order_lines SET line = line + 100 WHERE order_id = ? AND line = 1",
		vip:       "UPDATE customers SET vip = NOT vip WHERE id = ?",
		ownDelete: "DELETE FROM orders WHERE id = ?",
		ownInsert: "INSERT INTO orders (customer_id, total) VALUES (?, 4.20) RETURNING id",
		position:  "SELECT concat('shop:', @@last_gtid)",
	}}
}

// Tables are the shop's, in the order in which they are shown.
func (s Shop) Tables() (all []string) {
	for _, name := range []string{"customers", "products", "orders", "order_lines"} {
		all = append(all, s.Schema+"."+name)
	}
	return all
}

// Views and sinks of the demo's file, over this shop.
func (s Shop) Views() string {
	return strings.ReplaceAll(views, "shop.public.", "shop."+s.Schema+".") + sinks
}

// Fill makes the shop's tables in an empty database and fills them.
func (s Shop) Fill(ctx context.Context, sizes Sizes) error {
	c, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	return run(ctx, c, s.words.fill(sizes))
}

// Filled reports whether the shop is there already.
func (s Shop) Filled(ctx context.Context) (bool, error) {
	c, err := s.open(ctx)
	if err != nil {
		return false, err
	}
	defer c.close()
	n, err := number(ctx, c, s.words.isFilled)
	return n > 0, err
}
