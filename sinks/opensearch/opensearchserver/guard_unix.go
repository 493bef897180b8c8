//go:build unix && !linux

package opensearchserver

import "syscall"

func setDeathSignal(*syscall.SysProcAttr) {}
