//go:build unix && !linux

package child

import "syscall"

func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}

func guard(pid int, death syscall.Signal) (release func(), err error) {
	return guardByPipe(pid, death)
}
