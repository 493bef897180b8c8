// Package engine measures the benchmark B1 at the level of operators and state:
// a shop's customers, their orders and the lines of these as rows, views over
// them, and the transactions that change them, without a database, a log or a
// codec. What it gives is the bound of what Evert can do end to end.
//
//	go test -run XXX -bench . ./integration/bench/engine
//
// The same seed makes the same rows and the same transactions, always.
//
//	customers   50,000·P   160 bytes   id, name, city, email, since, notes
//	orders     250,000·P   120 bytes   id, customer_id, status, placed, shipping, note
//	lines    1,000,000·P    80 bytes   id, order_id, n, product, category, qty, price
//
// Of a hundred transactions 40 are a new order of one to seven lines, 25 change
// an order's status, 15 a line's quantity, 8 delete a line, 5 change a customer,
// 5 move an order to another customer, one changes a line's primary key, and one
// deletes an order with its lines. A tenth of the orders belong to a few
// customers of 10,000 each.
//
// What is changed is drawn uniformly, or by Zipf's law with exponent 1.1.
package engine
