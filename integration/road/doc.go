// Package road runs the main road as a user would: a bank under pgbench, the
// daemon copying and following it, killed in the middle and started again. In
// the end every topic, folded by key, equals its table; also after a forced
// compaction.
//
// EVERT_FULL=1 makes it as large as promised: scale 10, 30 seconds.
package road
