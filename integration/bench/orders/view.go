package orders

// A View is one of V1 to V5.
type View struct {
	Name  string
	Key   string
	SQL   string
	Gated bool // it has to keep the gates of rate and latency
}

// Views are V1, a flat projection; V2, orders as nested documents; V3, totals of
// customers; V4, revenue by category and day; V5, one grand total.
func Views() []View {
	return []View{
		{Name: "v1_flat", Key: "id", SQL: `
SELECT o.id, o.customer_id, o.state, (o.placed AT TIME ZONE 'UTC')::date AS day
FROM db.public.orders AS o
WHERE o.state <> 'cancelled'`},
		{Name: "v2_document", Key: "id", Gated: true, SQL: `
SELECT o.id, o.state, o.placed, c.name AS customer, c.city,
       count(l.line) AS lines, coalesce(sum(l.quantity * l.price), 0) AS total,
       jsonb_agg(jsonb_build_object('line', l.line, 'title', l.title, 'quantity', l.quantity, 'price', l.price) ORDER BY l.line)
         FILTER (WHERE l.line IS NOT NULL) AS items
FROM db.public.orders AS o
JOIN db.public.customers AS c ON c.id = o.customer_id
LEFT JOIN db.public.lines AS l ON l.order_id = o.id
GROUP BY o.id, o.state, o.placed, c.name, c.city`},
		{Name: "v3_customers", Key: "id", SQL: `
SELECT c.id, c.name, count(o.id) AS orders, max(o.placed) AS newest, sum(t.total) AS spent, avg(t.total) AS average
FROM db.public.customers AS c
LEFT JOIN db.public.orders AS o ON o.customer_id = c.id
LEFT JOIN (SELECT order_id, sum(quantity * price) AS total FROM db.public.lines GROUP BY order_id) AS t ON t.order_id = o.id
GROUP BY c.id, c.name`},
		{Name: "v4_revenue", Key: "category, day", SQL: `
SELECT l.category, (o.placed AT TIME ZONE 'UTC')::date AS day, count(*) AS lines, sum(l.quantity * l.price) AS revenue
FROM db.public.lines AS l
JOIN db.public.orders AS o ON o.id = l.order_id
GROUP BY l.category, (o.placed AT TIME ZONE 'UTC')::date`},
		{Name: "v5_total", Key: "id", SQL: `
SELECT 1 AS id, count(*) AS lines, sum(l.quantity * l.price) AS revenue
FROM db.public.lines AS l`},
	}
}
