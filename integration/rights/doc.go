// Package rights proves what Evert has to be allowed, and what not. A role, or a
// cluster's user, gets exactly what `evert init` or `evert check --acls` prints,
// and everything works with it. Then each right is taken away, one at a time;
// `evert check --connect` and `evert run` each name it and print what gives it
// back, and what was printed is run.
package rights
