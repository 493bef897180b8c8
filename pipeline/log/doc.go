// Package log is where all topics live: the interface of a log, and what is the
// same over each of its implementations.
//
// A log holds topics; a topic has partitions; a partition is a sequence of
// records with growing offsets, of which a reader sees the committed ones. A
// compacted topic keeps at least the newest record of each key. That is
// Kafka's model, and both implementations keep to it: package kafka over a
// Kafka cluster, package embedded over Pebble inside the process. Everything
// above this package is unaware of which one it has; package logtest is the
// suite that both pass.
//
// # Offsets have gaps
//
// Compaction, aborted commits and control records leave gaps. No reader counts
// records; it goes by the next offset that a Fetch reports, which moves also
// when there is nothing to see (K22).
//
// # The frontier
//
// Each source has a frontier topic `__evert.<deployment>.frontier.<source>` of
// one partition. A frontier record is written in the same commit as the rows it
// speaks of, and says: with the rows below these offsets, all transactions up
// to this position are here (I1, I3). See Frontier.
//
// # What was erased
//
// A row that is deleted at its source lies in its topic until compaction takes it:
// not before MinLag, and then
//
//	Kafka      within max.compaction.lag.ms, 7 days unless told otherwise, counted
//	           from the next record of the partition, with which its segment ends
//	embedded   7 days after the last pass that left nothing dead, or, after a
//	           start, with the first pass beyond six hours
//
// Its key stays in the tombstone for Retention more. A row that went to a topic of
// dead letters stays there for the retention of that topic; what was offloaded is
// buried as the row is (X20).
//
// # Sound cuts
//
// A reader that stops at the offsets of a frontier record sees a state that the
// source once had, if nothing below them was compacted away because of a record
// above them. Admin.Sound answers that. On the embedded log a reader with a
// Limit pins it, and the sweep leaves what it needs.
package log
