// Package pgsql speaks SQL with a Postgres server in the few ways that the source
// needs: names and constants quoted, a statement asked, its small result read, and
// an error told without what it may hold of rows.
//
//	table.go   the name of a table
//	quote.go   names, constants and options as the server reads exactly them
//	rows.go    statements, and their results in text form
//	errors.go  what the server refused, for logs
package pgsql
