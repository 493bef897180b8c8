// Package state is local keyed state on Pebble: caches of the committed log,
// never more. Whatever lies in its directories may be deleted at any time while
// nobody uses them.
//
// This package is the key index, which serves capture. Below it lie tuple, rows
// as bytes that sort; store, the state of views; and spill, sorting beyond memory.
//
// # The key index
//
// A log on Kafka cannot tell the newest record of a key, which capture needs to
// fill values that a source did not send (I5). OpenIndex gives a log whose
// writers can: each keeps, for the partitions that were asked about, the newest
// record of every key.
//
//	Latest, Stale ──► is the partition loaded?  no ──► read it to its stable end,
//	                                                   then the open commit
//	Append ─────────► the log, then the entries of loaded partitions
//	Commit ─────────► the log; the entries are right already
//	Abort ──────────► the log; touched partitions are forgotten, and loaded anew
//	                  when somebody asks
//
// A partition that nobody asks about costs nothing. A writer that is opened
// begins with nothing loaded. The index holds for partitions that this writer
// alone writes to.
//
// An entry is
//
//	writer:4 partition:4 key  →  kind:1 offset:uvarint value
//
// where kind says tombstone, value, or elsewhere: past the bound on bytes only
// the offset is kept, and the value is read from the log when it is asked for.
//
// Nothing is synced and there is no write-ahead log: the directory is emptied
// when it is opened.
package state
