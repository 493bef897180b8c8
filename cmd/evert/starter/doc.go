// Package starter writes the first configuration file for a database that is
// already there.
//
//	describe.go  asks the database for its tables, keys and sizes
//	file.go      writes what it found as a commented evert.yaml
//	verb.go      the verb init: asks, writes, and says what to do next
package starter
