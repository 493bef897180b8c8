package mysqlserver

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// A process is one run of the server's program.
type process struct {
	cmd    *exec.Cmd     // started and waited for by run, which never leaves its OS thread
	exited chan struct{} // closed by run when the program has ended
}

// begin starts the program and gives back when it runs, or could not.
func begin(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	return p, <-started
}

// run owns the program from fork to end. The thread is locked: on Linux the
// death signal is sent when the forking thread ends.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.exited)
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

// stop returns when the program has ended. One that does not end in time is
// killed, and that is an error.
func (p *process) stop(grace time.Duration) error {
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(terminate); err != nil && p.running() {
		return err
	}
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-p.exited:
		return nil
	case <-patience.C:
		_ = p.cmd.Process.Signal(os.Kill)
		<-p.exited
		return fmt.Errorf("the server did not stop within %s and was killed", grace)
	}
}
