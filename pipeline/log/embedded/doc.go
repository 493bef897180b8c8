// Package embedded is a durable, compacted, transactional log in one directory
// of this process, on one Pebble. It is the log of a first run, and of every
// deployment without a Kafka cluster.
//
//	Append ─► blocks of 32 KiB ─► batches of 1 MiB ─► Pebble, unsynced, above the stable end
//	             in large commits └► loads of 8 MiB ─► sorted tables, synced, above the stable end
//	Commit ─► one synced batch: stable ends, frontier, inputs ─► visible, all at once
//	Next   ─► blocks below the stable end
//	sweep  ─► blocks without the records that compaction and retention let go
//
// # Commits
//
// A writer owns the partitions that its open commit touches; another's Append to
// them waits. Its records lie above the stable end, where no reader looks. The
// last batch of a commit moves the stable ends of all partitions and is synced;
// with it everything before it is durable, since Pebble's log is one sequence
// and loads are synced themselves (I1). Readers are told only then. An abort
// deletes what was stored and moves the stable ends over it, synced as well: a
// reader that went on behind the gap finds its place after a crash too. Open
// treats what it finds above a stable end in the same way. So no offset that
// anything alive has seen is used twice; offsets of which a crash left nothing,
// and that were never visible, may be.
//
// # The key index
//
// Compacted topics have an entry for each record: partition, key, descending
// offset, and whether it is a tombstone. It is written blind, sorted within its
// batch or load, and always in that of its block or in a later one of the same
// commit; it is deleted in the batch that takes the record away, or before.
// Hence an entry below a stable end exists exactly when its record does, after
// any crash. Latest and Stale read it.
//
// # The sweep
//
// One goroutine makes a pass over a partition when enough came: a sequential
// scan of the index marks what is dead below the horizon (the lowest of stable
// end, readers' limits, MinLag), a sequential scan of the blocks writes those
// anew that have dead records. Both go in small steps with iterators of their
// own and at a bounded rate, and hold no lock. An expired tombstone goes when
// it is the last of its key and no open reader is still before it; who resumes
// behind it gets ErrGap (K17). How far compaction went is kept per partition,
// so Sound is exact: the newest record that made another dead (K16). Set a
// Limit first, then ask Sound.
//
// A block in which few records are dead is left for later, since a pass writes it
// anew. So that what was erased at the source does not stay for ever beside rows
// that nobody changes, a pass leaves nothing dead when the last such pass of its
// partition is seven days old, or none was in this run and that is six hours old,
// and has Pebble write its tables of the partition anew; so does Admin.Compact
// (X20). A partition that is hardly written to has a pass every six hours. Pebble uses files of its write-ahead log again: bytes of a record may lie
// in one of these, as in a free block of the disk, until as much was written.
//
// # Full and failing disks
//
// See diskspace.Guard (O08) and Log.fail: a full disk pauses writing and ends by itself; a
// failing one ends the log, with an event, and never loses a commit.
//
// # What it costs
//
// One million records of 250 bytes with a key of 12 and an evert-pos header,
// committed every 20,000, on ext4, two cores shared with others (load 4 to 6),
// all background work until Close included, CPU per record:
//
//	one entry per record instead of blocks (200 B, keys random): 2.1 µs before any index or compaction
//	blocks, index unsorted, tables of mixed kinds, L0 of 4:     growing keys 2.9 µs, random 5.1 µs (load 9)
//	+ kinds of keys never share a table:                        growing keys 1.3 µs, random 4.4 µs
//	+ index sorted within a batch, L0 of 20:                    growing keys 2.0 µs, random 2.3 to 2.9 µs
//	the same at load 3, L0 of 32:                               growing keys 1.3 µs, random 1.6 µs
//	the same, committed every 100,000, by loads:                growing keys 0.5 µs, random 0.7 µs (1.0 µs for four millions)
//
// of which Append, on the caller's goroutine, takes 0.2 to 0.3 µs and does not
// allocate; the rest is Pebble (a third the memtable, a third flushes and
// compaction, a third the kernel's writes). Blocks of 16, 32 and 64 KiB cost the
// same. One row and its commit on an idle log: 0.4 ms. Reading: 0.3 µs a record.
// Latest: 65 µs cold; in the order of the records, which a DELETE of many rows
// has, 8 µs of processor time, nearly all of them the seek in the index. Memory:
// three memtables of 16 MiB, 8 MiB of cache, 6 MiB of batches, and in large
// commits 16 MiB of loads in the memtables' stead; the benchmark's process peaks
// at 107 MiB. A writer that uses Latest keeps up to 32 blocks, 1 MiB as a rule
// and 2 MiB at most, beside their marks.
package embedded
