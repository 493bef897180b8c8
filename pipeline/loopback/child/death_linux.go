package child

import "syscall"

// setDeathSignal: the kernel sends it when the thread that forked ends, which
// Process.run makes the same as our own end.
func setDeathSignal(attr *syscall.SysProcAttr, death syscall.Signal) { attr.Pdeathsig = death }

func guard(int, syscall.Signal) (release func(), err error) { return func() {}, nil }
