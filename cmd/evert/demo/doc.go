// Package demo is a small shop under traffic: a database to show Evert on.
//
//	shop.go      its tables and what is in them at the start
//	traffic.go   customers who order, pay, change their minds and write long notes
//	compare.go   folds the topics by key and compares them with the tables
//	views.go     the views of it, as the file has them
//	ownwrites.go a client that reads what it has just written
//	screen.go    what the demo shows while it runs; viewscreen.go, of the views
//	summary.go   what it shows at its end; verdict.go, whether all is as it should be
//
// The traffic is made from a seed. It has what makes capturing hard: large
// values that an update leaves alone, transactions over several tables, rows
// that are deleted, keys that change, savepoints rolled back.
package demo
