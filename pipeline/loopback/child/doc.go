// Package child runs a server of a test or of the demo as a process of its own.
//
//	process.go  from start to end: ready, asked to end, killed
//	log.go      what it printed, in a file that stays
//	account.go  whom it runs as, where root must not
//
// # Who owns what
//
// One goroutine starts the program, waits for it and closes `exited`; it keeps its OS
// thread all the while, because on Linux the parent-death signal is tied to the thread
// that forked. Everything else reads `exited`, and nobody signals a process that has
// ended.
//
// # Dying with us
//
// A child is in a process group of its own, so that Ctrl-C in a terminal reaches us
// alone and we decide the order in which things end. When we are killed, the kernel
// (Linux) or a small shell that holds a pipe to us (other unix) sends it a signal. On
// Windows it outlives a parent that was killed.
package child
