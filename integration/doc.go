// Package integration holds what needs real servers, or the whole tree.
//
//	lanes/   the runner behind `make test`: what runs, in which order, what was skipped
//	ddl/     tables altered in every way while they are captured and the program is killed
//	house/   rules of the house as tests: imports, lengths, documents
//
// Tests that need a server get it from sources/postgres/pgserver/pgtest. Every
// random run takes its seed from EVERT_SEED, which the runner sets and prints;
// counts of crash runs come from EVERT_CRASH_RUNS.
package integration
