// Package mysqlroad drives the binary over a real MariaDB: tables under traffic are
// copied and followed, the daemon is killed in the middle, and what the topics hold is
// compared with SQL.
package mysqlroad
