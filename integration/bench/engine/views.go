package engine

// A View is one of V1 to V5, over a source called shop.
type View struct {
	Name string
	SQL  string
}

// Views are a flat projection, nested documents, totals of customers, revenue by
// category and day, and a grand total.
func Views() []View {
	return []View{
		{"V1 flat", `SELECT id, customer_id, status, placed, shipping FROM shop.public.orders WHERE status <> 'returned'`},
		{"V2 document", `SELECT o.id, o.status, o.placed, c.name, c.city, count(l.id) AS n, coalesce(sum(l.qty * l.price), 0) AS total,
			jsonb_agg(jsonb_build_object('n', l.n, 'product', l.product, 'qty', l.qty, 'price', l.price) ORDER BY l.n) FILTER (WHERE l.id IS NOT NULL) AS lines
			FROM shop.public.orders o JOIN shop.public.customers c ON c.id = o.customer_id LEFT JOIN shop.public.lines l ON l.order_id = o.id
			GROUP BY o.id, o.status, o.placed, c.name, c.city`},
		{"V3 customers", `SELECT c.id, c.name, count(o.id) AS orders, sum(o.shipping) AS shipping, max(o.placed) AS newest, avg(o.shipping) AS average
			FROM shop.public.customers c LEFT JOIN shop.public.orders o ON o.customer_id = c.id GROUP BY c.id, c.name`},
		{"V4 revenue", `SELECT l.category, date_trunc('day', o.placed, 'UTC') AS day, count(*) AS lines, sum(l.qty * l.price) AS revenue
			FROM shop.public.lines l JOIN shop.public.orders o ON o.id = l.order_id GROUP BY l.category, date_trunc('day', o.placed, 'UTC')`},
		{"V5 total", `SELECT 1 AS id, count(*) AS lines, sum(qty) AS pieces, sum(qty * price) AS revenue FROM shop.public.lines`},
	}
}
