// Lanes runs everything that proves the tree, and says what it did.
//
//	go run ./integration/lanes              `make test`: every test once but the long ones
//	LANES=ci go run ./integration/lanes     `make ci`: that, then the long ones and what CI runs beside them
//	LANES=unit,format go run ./integration/lanes
//	LANES=crash go run ./integration/lanes  lanes that run only by name: crash, mysql, fuzz
//
// A lane is a named check, quick ones first. Each prints a line per package or
// step and, when it fails, the output of what failed and nothing else. The end
// is a table of times and counts and then, alone on a line,
//
//	N passed, N failed, N skipped
//
// Tests that tell something in one run are in `make test`. What only many
// repetitions tell, or faults as long as promised, is in the crash lane, which runs
// the same tests with higher counts (EVERT_CRASH_RUNS) and more or longer stories
// (EVERT_FULL=1):
//
//	integration/crash, ddl, deliver, views   kills of the program and of brokers, by seed
//	integration/registry                kills and pauses of who assigns schema ids
//	integration/mysqlroad               the same on MySQL and MariaDB, and a minute of sysbench
//	integration/faults, road            pauses and losses of a minute, a bank at scale 10
//	pipeline/log/kafka                  brokers killed behind commits, on each transaction.version
//	sinks/bleve, opensearch, postgres   kills and faults of a target
//
// A test is long, and runs in CI and in the crash lane, if it has brokers of its own, waits
// for timeouts or compiles the program anew, and a shorter one in `make test` tells most of
// what it tells: long.go names both.
//
// What else CI runs beside `make test` runs some of the same tests in another way: on
// other versions of Postgres, under the race detector; and it looks at the code
// with staticcheck and compiles it for other platforms.
//
// The lane mysql runs the MySQL source and what is built on it against other servers than
// the installed one: the daemons that EVERT_MYSQLS names, or MySQL 8.0 as a Maven artifact
// holds it and those of two other releases of Debian, which it unpacks beside this system
// with the libraries that they need.
//
// The race lane runs packages in which goroutines share anything, without the tests
// that wait for broken clusters; fuzz targets run their seeds in tests, and search in
// fuzz. All but race compile in the way of `make build`, so that one cache serves
// them.
//
// A skip is never silent: every skipped test and every lane that cannot run is
// counted and listed with its reason, and fails the run when CI=true. Tests
// that are skipped by design (another major version of a server, say) stand in
// optin.go with the way to run them; they are listed, and never fail a run.
//
// Variables: LANES, CI, EVERT_SEED (chosen and printed if unset),
// EVERT_CRASH_RUNS and EVERT_FULL (set by the crash lane), EVERT_MYSQLS, EVERT_FUZZTIME.
package main
