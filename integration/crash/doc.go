// Package crash kills the real binary at random moments and looks at what it
// left.
//
//	round: a database under a seeded workload
//	       start ──► a moment ──► kill -9     as often as the round is long
//	       run --until-caught-up
//	       every transaction exactly once, whole at every cut, in order per key
//
// A moment is a number of rows of the snapshot, of commits of the stream, or of
// parts of a large transaction, chosen by seed, plus up to 20 ms by seed; nothing
// waits for a while and hopes to be somewhere.
//
// EVERT_CRASH_RUNS is the number of kills, EVERT_SEED replays a run's choices,
// EVERT_FULL=1 makes the large transaction as large as promised.
//
// A harness that finds nothing has to show that it would: TestPlantedPrograms runs
// binaries whose steps of a commit are swapped, and fails if a round is content
// with one of them.
package crash
