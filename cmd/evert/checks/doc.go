// Package checks has the verbs that say whether all is as it should be: check, of the file and
// its servers before a daemon runs; verify, of what a daemon wrote; and schemas, which prints
// what a registry has to know. inspect and verify do the work.
package checks
