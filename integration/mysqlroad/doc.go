// Package mysqlroad drives the binary over a real MariaDB: tables under traffic are
// copied and followed, the daemon is killed in the middle, and what the topics hold is
// compared with SQL. Another story has a Postgres and a MariaDB in one deployment, one of
// which dies, and sinks on both.
package mysqlroad
