// Package spill sorts what an epoch gathers, in memory while that suffices and
// on disk beyond.
//
//	Add ─► arena ── the pool has no memory left ──► sorted run, appended to the sorter's file
//	         │                                         32 runs of a size ─► one
//	         └─ Sort ─► merge of the runs and of what is in memory ─► cursor
//
// All sorters of a process share one Pool: its memory, its folder, its bound on
// disk. A sorter takes memory piece by piece and spills when the pool has none;
// one that holds little may always go on, so that a large neighbour cannot starve
// it.
//
// # A file
//
//	file  = run*
//	run   = block*
//	block = checksum:4 size:4 entry*                 CRC-32C of the entries, little-endian
//	entry = shared:uvarint rest:uvarint value:uvarint rest-bytes value-bytes
//
// where shared counts the bytes that a key has in common with the one before it
// in its block. Files hold rows, so their folder is closed to others, is emptied
// when the pool is opened, and a file is gone when its sorter is closed.
package spill
