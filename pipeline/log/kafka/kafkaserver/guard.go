//go:build unix

package kafkaserver

import (
	"os/exec"
	"strconv"
	"syscall"
)

// guardByPipe starts a shell that kills pid when we die without calling release:
// the shell reads from a pipe whose other end only we hold. A line read means
// release, the end of the pipe means our death.
func guardByPipe(pid int) (release func(), err error) {
	shell := guardShell(pid)
	pipe, err := shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := shell.Start(); err != nil {
		return nil, err
	}
	return func() {
		_, _ = pipe.Write([]byte("released\n"))
		_ = shell.Wait()
	}, nil
}

func guardShell(pid int) *exec.Cmd {
	shell := exec.Command("/bin/sh", "-c", `read -r line || kill -KILL "$0"`, strconv.Itoa(pid))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return shell
}
