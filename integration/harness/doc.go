// Package harness runs the real binary against real servers, hurts it, and
// looks at what it left.
//
//	Suite ──► go build ./cmd/evert      once per test binary
//	      ──► Postgres                  own server per world, on loopback
//	World ──► database + evert.yaml + data directory
//	      ──► Daemon                    start, kill, pause, wait for what it says
//	      ──► Tail, Frontiers           what lies in the topics
//
// Nothing here sleeps for a while and hopes: a test waits for a line of the
// log, for a number of the status, or for the process to end. Everything that a
// test starts ends with it, also when the test binary itself is killed.
//
// The packages below hold the parts: workload changes the database by seed and
// remembers what it did, check compares that with the topics, proxy breaks
// connections.
package harness
