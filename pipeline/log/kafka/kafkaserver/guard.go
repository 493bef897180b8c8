//go:build unix

package kafkaserver

import (
	"os/exec"
	"strconv"
	"syscall"
)

// guardShell is a shell that kills pid when its standard input ends without a
// line: a line means release, the end of the pipe means our death. Linux has
// better; a test there keeps it working.
func guardShell(pid int) *exec.Cmd {
	shell := exec.Command("/bin/sh", "-c", `read -r line || kill -KILL "$0"`, strconv.Itoa(pid))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return shell
}
