// Package datadir owns the folder in which a deployment lives.
//
//	data_dir/            0700
//	  evert.lock         held by the process that owns the folder; says who that is
//	  evert.sock         the control socket of a running daemon, 0600
//	  log/               the embedded log
//	  spill/<source>/    transactions that do not fit memory
//
// The lock is the operating system's, on an open file: it goes away with its
// process, however that ends, so that nothing has to be cleaned up after a
// kill -9 (O02). What the file says is only there to name the holder to a second
// daemon (O04).
package datadir
