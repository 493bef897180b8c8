// Package workload changes a Postgres database at random, by seed, and
// remembers what it did.
//
//	Generator ──► session 0 ──► BEGIN … COMMIT ──► database
//	          ──► session 1 ──► …                      │
//	                  └── model ──► History ◄─ outcome ┘
//
// Sessions own disjoint keys, so each of them knows every row it may touch
// without asking. A transaction begins with its own row in the table ledger and
// writes its number into every row that it touches, so that a reader of the
// topics can tell which transaction a record belongs to; every row also counts
// its versions, and derives its large values from its column seed, so that each
// record can be verified by itself:
//
//	seed  ──► body = canary ‖ md5(seed) repeated      out of line, often unchanged
//	ver   ──► 1 when created, +1 by every update, kept by a key change + 1
//	tx    ──► the transaction that wrote this version
//
// What happens: inserts, updates that leave large values alone, updates that
// replace them, deletes, changes and swaps of keys through a temporary value,
// savepoints rolled back to any depth, whole transactions rolled back, TRUNCATE
// followed by inserts, transactions over all tables and of many rows, and one as
// large as one likes (Bulk).
//
// A commit whose outcome a broken connection left open is looked up in the
// ledger before the session goes on. So History is exact also over crashes of
// the server.
package workload
