//go:build unix && !linux

package mysqlserver

import "syscall"

func setDeathSignal(*syscall.SysProcAttr) {}
