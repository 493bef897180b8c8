// Package mysqlroad drives the binary over a real MariaDB, or MySQL: tables under traffic are
// copied and followed, the daemon is killed in the middle, and what the topics hold is
// compared with SQL. Another story has a Postgres and a MariaDB in one deployment, one of
// which dies, and sinks on both.
//
// A ledger is captured by a daemon that is killed at random moments, EVERT_CRASH_RUNS times
// in all; its transactions are whole at every cut. A database is captured under the load of
// sysbench.
package mysqlroad
