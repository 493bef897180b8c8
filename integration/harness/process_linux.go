package harness

import "syscall"

// dieWithParent has the kernel end a child when we are killed.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
