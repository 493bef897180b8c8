// Package mysqlserver runs a throw-away MariaDB, or MySQL, on this machine's
// loopback address.
//
// A server owns a directory:
//
//	data/        the data directory, with the binary logs
//	tmp/         the server's temporary files
//	init.sql     makes the one account; run at each start
//	server.log   what the server printed
//
// It listens on one loopback port and has no unix socket outside its directory.
// Since a server refuses to run as root, it runs as user mysql or nobody then.
// It is ended by its own process id, and on Linux dies with the thread that
// started it, so that nothing is left behind by a killed test.
package mysqlserver
