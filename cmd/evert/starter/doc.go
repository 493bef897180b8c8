// Package starter writes the first configuration file for a database that is
// already there.
//
//	describe.go  asks the database for its tables, keys and sizes
//	file.go      writes what it found as a commented evert.yaml
package starter
