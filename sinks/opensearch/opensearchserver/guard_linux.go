package opensearchserver

import "syscall"

// setDeathSignal: the kernel kills the node when the thread that forked it ends,
// which process.own makes the same as our own end.
func setDeathSignal(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
