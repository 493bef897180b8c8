//go:build unix

package child

import (
	"os/exec"
	"strconv"
	"syscall"
)

// guardByPipe starts a shell that sends death to pid when we die without calling
// release: the shell reads from a pipe whose other end only we hold. A line read means
// release, the end of the pipe means our death. Linux has better; a test there keeps it
// working.
func guardByPipe(pid int, death syscall.Signal) (release func(), err error) {
	shell := guardShell(pid, death)
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

func guardShell(pid int, death syscall.Signal) *exec.Cmd {
	shell := exec.Command("/bin/sh", "-c", `read -r line || kill -"$1" "$0"`, strconv.Itoa(pid), strconv.Itoa(int(death)))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return shell
}
