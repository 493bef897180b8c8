package orders

import "fmt"

// A Size is how many rows there are at first.
type Size struct{ Customers, Orders, Lines int }

// Rows are all of them.
func (s Size) Rows() int { return s.Customers + s.Orders + s.Lines }

// Fill gives the statements that make and fill the tables. Rows have about 160,
// 120 and 80 bytes.
func Fill(s Size) []string {
	return []string{
		`CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, city text NOT NULL, email text NOT NULL, note text, credit numeric(12,2) NOT NULL)`,
		`CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, state text NOT NULL, placed timestamptz NOT NULL, reference text NOT NULL)`,
		`CREATE TABLE lines (order_id bigint NOT NULL, line integer NOT NULL, category integer NOT NULL, quantity integer NOT NULL, price numeric(10,2) NOT NULL, title text NOT NULL,
			PRIMARY KEY (order_id, line))`,
		fmt.Sprintf(`INSERT INTO customers SELECT g, 'customer ' || g, (ARRAY['Berlin','Lyon','Porto','Graz','Turku'])[1 + g %% 5], 'c' || g || '@example.com', repeat('n', 90), g %% 1000
			FROM generate_series(1, %d) g`, s.Customers),
		fmt.Sprintf(`INSERT INTO orders SELECT g, 1 + (g::bigint * 7919) %% %d, (ARRAY['new','paid','sent'])[1 + g %% 3], timestamptz '2024-01-01 00:00Z' + g * interval '1 minute', repeat('r', 70)
			FROM generate_series(1, %d) g`, s.Customers, s.Orders),
		fmt.Sprintf(`INSERT INTO lines SELECT 1 + (g - 1) / %[1]d, 1 + (g - 1) %% %[1]d, g %% 50, 1 + g %% 7, (g %% 10000) / 100.0, repeat('t', 30)
			FROM generate_series(1, %[2]d) g`, s.Lines/s.Orders, s.Lines),
		`CREATE INDEX ON orders (customer_id)`, // what the database's own queries would have
		`VACUUM ANALYZE`,
	}
}
