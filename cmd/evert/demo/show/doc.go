// Package show is the verb demo: the shop of package demo on a server of its own, a daemon
// that captures it, and a person who looks on.
//
//	verb.go    its flags, and its steps from the first to the comparison
//	place.go   its directory, server and file
//	daemon.go  what it needs of the daemon, which the program starts
//	screen.go  what it shows while it runs
//	views.go   what it finds of views and the search index
package show
