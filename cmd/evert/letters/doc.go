// Package letters shows dead letters, those of a sink and those of a table: from a log, or
// from the daemon that has it.
package letters
