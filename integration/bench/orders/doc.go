// Package orders is the benchmark B1: customers, their orders and the orders'
// lines, the views V1 to V5 over them, and a mix of transactions, all from a
// seed.
package orders
