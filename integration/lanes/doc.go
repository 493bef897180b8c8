// Lanes runs everything that proves the tree, and says what it did.
//
//	go run ./integration/lanes              all lanes of `make test`
//	LANES=unit,format go run ./integration/lanes
//	LANES=crash go run ./integration/lanes  lanes that run only by name: crash, fuzz
//
// A lane is a named check, quick ones first. Each prints a line per package or
// step and, when it fails, the output of what failed and nothing else. The end
// is a table of times and counts and then, alone on a line,
//
//	N passed, N failed, N skipped
//
// A skip is never silent: every skipped test and every lane that cannot run is
// counted and listed with its reason, and fails the run when CI=true. Tests
// that are skipped by design (another major version of a server, say) stand in
// optin.go with the way to run them; they are listed, and never fail a run.
//
// Variables: LANES, CI, EVERT_SEED (chosen and printed if unset),
// EVERT_CRASH_RUNS and EVERT_FULL (set by the crash lane), EVERT_FUZZTIME.
package main
