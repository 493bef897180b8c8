package demo

import "github.com/evertdb/evert/cmd/evert/monitor"

// views is the part of the demo's file with the shop's views: a document per
// customer, a few rows that always move, and a join whose order can be asked for.
const views = `views:
  customer_orders:
    key: [customer_id]
    indexes: [[spent]]
    sql: |
      SELECT c.id AS customer_id, c.name, c.city, count(o.id) AS orders, coalesce(sum(o.total), 0) AS spent,
             jsonb_agg(jsonb_build_object('id', o.id, 'status', o.status::text, 'total', o.total) ORDER BY o.id)
               FILTER (WHERE o.id IS NOT NULL) AS history
      FROM shop.public.customers c LEFT JOIN shop.public.orders o ON o.customer_id = c.id
      GROUP BY c.id, c.name, c.city
  revenue:
    key: [status]
    sql: |
      SELECT status::text COLLATE "C" AS status, count(*) AS orders, sum(total) AS revenue
      FROM shop.public.orders GROUP BY 1
  bestsellers:
    key: [sku]
    indexes: [[sold]]
    sql: |
      SELECT p.sku COLLATE "C" AS sku, p.name, sum(l.quantity) AS sold
      FROM shop.public.products p JOIN shop.public.order_lines l ON l.sku = p.sku
      GROUP BY p.sku, p.name
`

// sinks is the part with the search index: the documents of a view.
const sinks = `sinks:
  customers_local:
    from: customer_orders
    bleve: {}
`

// IndexName is that of the index.
const IndexName = "customers_local"

// ViewNames are those of the views, in the order in which they are shown.
func ViewNames() []string { return []string{"customer_orders", "bestsellers", "revenue"} }

// A Taking is a row of the view revenue.
type Taking struct {
	Status  string  `json:"status"`
	Orders  int64   `json:"orders"`
	Revenue float64 `json:"revenue"` // for a bar: the view's own is exact
}

// A Look is what the screen shows of the views at one moment.
type Look struct {
	Views   []monitor.ViewStatus
	Revenue []Taking // empty until it can be read
	Own     Reads
}

// A ViewResult is what comparing one view with its SQL found.
type ViewResult struct {
	Name   string
	Rows   int64 // that the database answers
	Differ int64
}
