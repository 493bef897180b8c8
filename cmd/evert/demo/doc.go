// Package demo is a small shop under traffic: a database to show Evert on.
//
//	shop.go      its tables and what is in them at the start
//	traffic.go   customers who order, pay, change their minds and write long notes
//	compare.go   folds the topics by key and compares them with the tables
//	screen.go    what the demo shows while it runs, and at its end
//
// The traffic is made from a seed. It has what makes capturing hard: large
// values that an update leaves alone, transactions over several tables, rows
// that are deleted, keys that change, savepoints rolled back.
package demo
