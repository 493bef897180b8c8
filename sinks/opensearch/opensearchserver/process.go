//go:build unix

package opensearchserver

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// A process is one run of a node.
type process struct {
	cmd    *exec.Cmd // started and waited for by own, which never leaves its OS thread
	exited chan struct{}
}

// run starts the program and gives back when it runs, or could not. log is closed
// when the program has ended.
func run(cmd *exec.Cmd, log io.Closer) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in a terminal reaches us alone
	setDeathSignal(cmd.SysProcAttr)
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go p.own(started, log)
	return p, <-started
}

// own has the program from fork to end. The thread is locked: on Linux the death
// signal is sent when the forking thread ends.
func (p *process) own(started chan<- error, log io.Closer) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.exited)
	defer log.Close()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is told by its log
	}
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// signal reaches a process that is there, and nobody else.
func (p *process) signal(s syscall.Signal) {
	if p.running() {
		_ = p.cmd.Process.Signal(s)
	}
}

// cleanEnviron is our environment without what would change a Java's ways.
func cleanEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "OPENSEARCH_") || strings.HasPrefix(kv, "JAVA_TOOL_OPTIONS=") || strings.HasPrefix(kv, "JDK_JAVA_OPTIONS=")
	})
}
