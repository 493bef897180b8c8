//go:build unix

package kafkaserver

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
	cmd    *exec.Cmd // started and waited for by run, which never leaves its OS thread
	exited chan struct{}
}

// begin starts the program and gives back when it runs, or could not. log is
// closed when the program has ended.
func begin(cmd *exec.Cmd, log *logFile) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	setDeathSignal(cmd.SysProcAttr)
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go p.run(started, log.file)
	return p, <-started
}

// run owns the program from fork to end. The thread is locked: on Linux the
// death signal is sent when the forking thread ends.
func (p *process) run(started chan<- error, log io.Closer) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.exited)
	defer log.Close()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	release, err := guard(p.cmd.Process.Pid)
	if err != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		started <- err
		return
	}
	started <- nil
	_ = p.cmd.Wait() // how it ended is told by its log
	release()
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
		return strings.HasPrefix(kv, "KAFKA_") || strings.HasPrefix(kv, "JAVA_TOOL_OPTIONS=") || strings.HasPrefix(kv, "JDK_JAVA_OPTIONS=")
	})
}
