package mysqlserver

import "syscall"

// setDeathSignal: the kernel ends the server when the thread that forked it ends,
// which process.run makes the same as our own end.
func setDeathSignal(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
