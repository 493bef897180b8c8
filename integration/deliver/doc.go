// Package deliver runs the real binary with sinks into real systems.
//
//	source database ── traffic ──► evert, killed over and over ──► system ◄── a reader, all the time
//
// At rest the system holds what the source holds, and no reader has ever seen
// anything that the system's promise excludes. EVERT_CRASH_RUNS says how often the
// binary is killed.
//
// Over Apache Kafka two daemons share the sinks, and the one that stood by goes on
// when the other is killed.
package deliver
