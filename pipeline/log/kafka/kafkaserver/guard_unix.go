//go:build unix && !linux

package kafkaserver

import "syscall"

func setDeathSignal(*syscall.SysProcAttr) {}

// guard starts a shell that kills pid when we die without calling release: it
// reads from a pipe whose other end only we hold.
func guard(pid int) (release func(), err error) {
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
