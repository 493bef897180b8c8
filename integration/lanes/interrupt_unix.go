//go:build unix

package main

import "syscall"

// interrupt lets go test end its tests, and they their servers.
const interrupt = syscall.SIGINT
