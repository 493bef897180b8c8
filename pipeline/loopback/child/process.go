package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/evertdb/evert/pipeline/loopback"
)

// A Process is one run of a program. Its methods may be called from any goroutine; a
// nil Process has ended.
type Process struct {
	cmd    *exec.Cmd // started and waited for by run, which never leaves its OS thread
	death  syscall.Signal
	exited chan struct{} // closed by run when the program has ended
	log    log
}

// Start starts a program as an account, and returns when it runs or could not. What it
// prints is appended to the file. death is what it is sent when we die before it.
func Start(cmd *exec.Cmd, as *Account, death syscall.Signal, logPath string) (*Process, error) {
	file, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the child has its own copy
	before, err := file.Stat()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = file, file
	p, err := begin(cmd, as, death)
	if err != nil {
		return nil, err
	}
	p.log = log{logPath, before.Size()}
	return p, nil
}

// Run runs a program to its end and gives what it printed. Where ctx ends before, it is
// killed with its children.
func Run(ctx context.Context, cmd *exec.Cmd, as *Account) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := begin(cmd, as, deathOfTools)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		killGroup(cmd.Process)
		<-p.exited
	}
	if !cmd.ProcessState.Success() {
		err = errors.Join(errors.New(cmd.ProcessState.String()), context.Cause(ctx))
		return out.Bytes(), fmt.Errorf("%s: %w%s", filepath.Base(cmd.Path), err, Tail(out.Bytes()))
	}
	return out.Bytes(), nil
}

func begin(cmd *exec.Cmd, as *Account, death syscall.Signal) (*Process, error) {
	cmd.SysProcAttr = as.Attr()
	setDeathSignal(cmd.SysProcAttr, death)
	p := &Process{cmd: cmd, death: death, exited: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	return p, <-started
}

// run owns the program from fork to end. The thread is locked: on Linux the death
// signal is sent when the forking thread ends.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.exited)
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	release, err := guard(p.cmd.Process.Pid, p.death)
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

// Running reports whether the program is there, be it paused.
func (p *Process) Running() bool {
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

// PID of the program; 0 when it does not run.
func (p *Process) PID() int {
	if !p.Running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// Signal reaches a program that is there, and nobody else.
func (p *Process) Signal(s os.Signal) error {
	if !p.Running() {
		return nil
	}
	if err := p.cmd.Process.Signal(s); !errors.Is(err, os.ErrProcessDone) { // run may not have closed exited yet
		return err
	}
	return nil
}

// Kill ends the program as kill -9 does, and returns when it is gone.
func (p *Process) Kill() {
	if p.Running() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// Ask lets send ask the program to end, and reports whether it has within grace.
func (p *Process) Ask(send func() error, grace time.Duration) bool {
	if !p.Running() {
		return true
	}
	if err := send(); err != nil && p.Running() {
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

// stopGrace is how long a program may take to end by itself.
const stopGrace = 30 * time.Second

// Stop asks the program to end, and returns when it has. After half a minute it is
// killed, which is an error.
func (p *Process) Stop() error {
	if p.Ask(func() error { return p.Signal(terminate) }, stopGrace) {
		return nil
	}
	p.Kill()
	return fmt.Errorf("%s did not stop within %s and was killed", filepath.Base(p.cmd.Path), stopGrace)
}

// looks is how often a start is looked at.
const looks = 10 * time.Millisecond

// Await returns when ready reports that the program serves. It is an error that it ended,
// loopback.ErrTaken if it has printed one of taken, what it says where somebody else
// listens; and that ctx ended before: then the program goes on, for the caller to end.
func (p *Process) Await(ctx context.Context, ready func() bool, taken ...string) error {
	look := time.NewTicker(looks)
	defer look.Stop()
	for {
		select {
		case <-p.exited:
			return p.whyItEnded(taken)
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w%s", context.Cause(ctx), p.log.tail())
		case <-look.C:
			if ready() {
				return nil
			}
		}
	}
}

func (p *Process) whyItEnded(taken []string) error {
	for _, text := range taken {
		if p.Said(text) {
			return fmt.Errorf("%w%s", loopback.ErrTaken, p.log.tail())
		}
	}
	return fmt.Errorf("the server ended at once%s", p.log.tail())
}

// Said reports whether a text stands in what this run of the program has printed.
func (p *Process) Said(text string) bool { return bytes.Contains(p.log.read(), []byte(text)) }
