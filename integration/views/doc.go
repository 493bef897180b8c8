// Package views runs the real binary with views over a real database: the bank,
// whose total no read may ever see changed, through kills of the daemon; reads
// that wait for their own write; transactions of 300,000 rows, with kills inside them;
// the life of a view.
package views
