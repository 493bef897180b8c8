// Package pgserver runs a throw-away Postgres for the demo and for tests.
//
// A server is made in three steps, each of which may be taken alone:
//
//	Find    the binaries that are there: PATH, the folders of Debian, Red Hat,
//	        Homebrew, Postgres.app and Windows, then our own cache
//	Fetch   else, after asking once, a pinned and checksummed bundle from Maven
//	Start   initdb, a free loopback port, wal_level=logical, wait until ready
//
// Neither psql, pg_ctl nor pgbench is needed (pg_ctl only on Windows, where a
// process cannot be sent a signal).
//
// # Layout of a server's directory
//
//	data/          the cluster, owned by the account that runs it
//	run/           its unix socket
//	password       of user postgres, 0600; so that a kept directory starts again
//	postgres.log   what the server wrote, appended over restarts
//
// # Root
//
// Postgres refuses to run as root. When we are root the server runs as user
// `postgres`, or `nobody` where there is none. Such a user cannot pass a 0700
// directory, so binaries and directories are checked for that beforehand, and
// the cache of root lies in /var/cache rather than in its home.
//
// # Dying with us
//
// The server is a child of ours: we decide the order in which things end, and when we
// are killed it is sent SIGQUIT; see pipeline/loopback/child. On Windows it outlives a
// parent that was killed.
package pgserver
