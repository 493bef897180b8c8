//go:build unix

package child

import (
	"os"
	"syscall"
)

const (
	terminate    = syscall.SIGTERM // asks a server to end
	deathOfTools = syscall.SIGKILL
)

// killGroup ends a program with its children, which have its process group.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
