//go:build unix && !linux

package kafkaserver

import "syscall"

func setDeathSignal(*syscall.SysProcAttr) {}

func guard(pid int) (release func(), err error) { return guardByPipe(pid) }
