//go:build unix && !linux

package pgserver

import "syscall"

func setDeathSignal(*syscall.SysProcAttr) {}

func (p *process) guard() (release func(), err error) { return guardByPipe(p.cmd.Process.Pid) }
