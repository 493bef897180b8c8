// Package store is a view's state: one ordered key space on Pebble that moves
// from epoch to epoch, each in one atomic step. It is a cache of the committed
// log, never more: whatever is wrong with it, it may be thrown away and made
// anew.
//
// It is a package beside the key index, not in it: that one serves capture and
// knows pipeline/log, this one serves views and knows pipeline/dataflow, and
// neither needs the other.
//
// # An epoch
//
//	Begin ─► reads  ─► the snapshot of the last commit
//	         writes ─► a batch ── past Options.EpochBytes ──► sorted files, one run per collection
//	Commit(progress)  ─► the batch, with progress in it, or all the files, with one for progress,
//	                     go in by one step of Pebble's; then the next snapshot is taken
//	Discard           ─► nothing happened
//
// Nothing is synced and there is no write-ahead log. A crash loses the last
// epochs and leaves a consistent prefix (R02, R04): Pebble writes memtables to
// disk in order and each as a whole, and an ingest that overlaps a memtable waits
// behind it. Every epoch writes the progress, so every ingest overlaps with
// every memtable that holds an epoch: that key is what orders them. Close
// flushes, so that a clean restart goes on where it was (R22).
//
// # Keys
//
// The first two bytes of a key are its collection, big endian. Collection
// 65,535 belongs to the store: it holds the progress.
//
// # On disk
//
//	LOCK       locked while a process has the store open (R06)
//	EVERT      what the state is of: deployment, view, plan, log, topics (R06, R15)
//	pebble/    Pebble
//	epoch/     files of a large epoch until Pebble has taken them in; emptied by Open
//	../NAME.damaged   a state that failed a checksum, put aside; the next one is refused (R07)
//
// # When it fails
//
// An error that wraps ErrDamaged means that bytes on disk are not those that
// were written. Close puts the directory aside, so does Open; opening once more
// finds an empty store, to be filled from the log. If that fails too while the
// first one still lies there, Open refuses: the disk wants a person.
//
// An error that wraps ErrFull means that there is no room. Nothing is lost: what
// is committed stays, and the epoch may be tried again. Pebble's own writes wait
// until there is room and never see the error.
//
// What fails otherwise, on a disk that is broken or in a folder that is gone, Pebble
// tries again, twice as late each time up to half a minute; commits are refused
// meanwhile, so that whoever makes them says so.
package store
