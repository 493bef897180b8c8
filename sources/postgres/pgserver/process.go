package pgserver

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// A Mode is how Postgres is asked to stop, in the words of pg_ctl.
type Mode string

const (
	Smart     Mode = "smart"     // waits for clients to leave
	Fast      Mode = "fast"      // ends clients, writes a checkpoint; waits for replication clients to have all
	Immediate Mode = "immediate" // as a crash: the next start recovers from the log
)

// stopGrace is how long a Smart or Fast stop may take before it is forced.
const stopGrace = 30 * time.Second

// A process is one run of the postgres program.
type process struct {
	cmd    *exec.Cmd // started and waited for by run, which never leaves its OS thread
	data   string
	exited chan struct{} // closed by run when the program has ended
}

// begin starts the program and gives back when it runs, or could not.
func begin(cmd *exec.Cmd, data string) (*process, error) {
	p := &process{cmd: cmd, data: data, exited: make(chan struct{})}
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
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	release, err := p.guard()
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

// stop returns when the program has ended. A mode that does not get there in
// time is followed by a harder one, and that is an error.
func (p *process) stop(mode Mode, grace time.Duration) error {
	if !p.running() {
		return nil
	}
	if p.sendAndWait(mode, grace) {
		return nil
	}
	if p.sendAndWait(Immediate, grace) {
		return fmt.Errorf("Postgres did not stop in mode %s within %s and was stopped at once; a client may still be connected", mode, grace)
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
	return fmt.Errorf("Postgres did not stop in mode %s within %s and was killed", mode, grace)
}

func (p *process) sendAndWait(mode Mode, grace time.Duration) bool {
	if err := p.send(mode); err != nil && p.running() {
		return false
	}
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-p.exited:
		return true
	case <-patience.C:
		return false
	}
}

// cleanEnviron is our environment without what would change a server's or
// initdb's defaults.
func cleanEnviron() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !hasAnyPrefix(kv, "PG", "LC_", "LANG", "POSTGRES") {
			env = append(env, kv)
		}
	}
	return append(env, "LC_ALL=C")
}
