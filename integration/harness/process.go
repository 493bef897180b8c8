//go:build unix

package harness

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience bounds everything that a test waits for. It is long because machines
// are busy; whoever waits goes on as soon as the thing happens.
const Patience = 5 * time.Minute

// A Process is a program that was started. Its methods may be called from any
// goroutine.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait; after exited

	mu    sync.Mutex
	lines []string // the newest maxLines of stdout and stderr
	bytes int64
	grown chan struct{} // closed and made anew when a line comes
	watch func(line string)
}

const maxLines = 5000

// A Launch says what to start.
type Launch struct {
	Path  string
	Args  []string
	Env   []string          // NAME=value, added to ours
	Watch func(line string) // sees each line that is printed, as it comes; may be nil
	Hold  bool              // its standard input stays open until it has ended
}

// Start runs a program until the test ends.
func Start(t testing.TB, l Launch) *Process {
	t.Helper()
	p := &Process{cmd: exec.Command(l.Path, l.Args...), exited: make(chan struct{}), grown: make(chan struct{}), watch: l.Watch}
	p.cmd.Env = append(os.Environ(), l.Env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(p.cmd.SysProcAttr)
	if l.Hold {
		if _, err := p.cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
	}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", l.Path, err)
	}
	t.Cleanup(p.Kill)
	return p
}

// run keeps its thread: on Linux a child dies with the thread that forked it.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	read := make(chan struct{})
	go p.read(out, read)
	p.err = p.cmd.Wait()
	_ = in.Close()
	<-read
	close(p.exited)
}

func (p *Process) read(out io.Reader, done chan<- struct{}) {
	defer close(done)
	r := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			p.add(line)
		}
		if err != nil {
			return
		}
	}
}

func (p *Process) add(line string) {
	p.mu.Lock()
	p.bytes += int64(len(line))
	p.lines = append(p.lines, line)
	if len(p.lines) > maxLines {
		p.lines = append(p.lines[:0], p.lines[maxLines/2:]...)
	}
	close(p.grown)
	p.grown = make(chan struct{})
	p.mu.Unlock()
	if p.watch != nil {
		p.watch(line)
	}
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal; to one that has ended it does nothing.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends it as kill -9 does and waits until it is gone.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.exited
}

// KillSoon is Kill a while later; it fails the test if the process has ended before.
// The while is part of the moment of a kill, and no wait for anything.
func (p *Process) KillSoon(t testing.TB, while time.Duration) {
	t.Helper()
	select {
	case <-p.Exited():
		t.Fatalf("the daemon ended by itself; its last lines:\n%s", p.Last(12))
	case <-time.After(while):
	}
	p.Kill()
}

// Exited is closed when the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Running reports whether the process is there.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Wait gives the exit code once the process has ended by itself; -1 if a signal
// ended it.
func (p *Process) Wait(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("%s did not end within %s; its last lines:\n%s", p.cmd.Path, within, p.Last(12))
		return 0
	}
}

// Await waits for a line that match accepts, also among those printed already,
// and gives it.
func (p *Process) Await(t testing.TB, what string, match func(line string) bool) string {
	t.Helper()
	timeout := time.After(Patience)
	for {
		line, grown := p.find(match)
		if line != "" {
			return line
		}
		select {
		case <-grown:
		case <-p.exited:
			if line, _ := p.find(match); line != "" {
				return line
			}
			t.Fatalf("%s ended before %s; its last lines:\n%s", p.cmd.Path, what, p.Last(12))
		case <-timeout:
			t.Fatalf("%s: no sign of %s; its last lines:\n%s", p.cmd.Path, what, p.Last(12))
		}
	}
}

func (p *Process) find(match func(string) bool) (string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if match(line) {
			return line, p.grown
		}
	}
	return "", p.grown
}

// Last gives the newest n lines.
func (p *Process) Last(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := ""
	for _, line := range p.lines[max(0, len(p.lines)-n):] {
		text += "  | " + line
	}
	return text
}

// Count counts the lines so far that match accepts.
func (p *Process) Count(match func(line string) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, line := range p.lines {
		if match(line) {
			n++
		}
	}
	return n
}

// Printed is the number of bytes printed so far.
func (p *Process) Printed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// Until waits until something is so.
func Until(t testing.TB, what string, is func() bool) {
	t.Helper()
	limit, look := time.After(Patience), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C: // the period of looking
		case <-limit:
			t.Fatalf("no sign of this: %s", what)
		}
	}
}

// Run runs a program to its end and gives its output and exit code.
func Run(t testing.TB, path string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	var out, errs limited
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("run %s: %v", path, err)
	}
	return string(out), string(errs), cmd.ProcessState.ExitCode()
}

// limited keeps the first bytes of an output.
type limited []byte

func (l *limited) Write(b []byte) (int, error) {
	const most = 64 << 20
	if len(*l)+len(b) > most {
		return 0, fmt.Errorf("more than %d bytes of output", most)
	}
	*l = append(*l, b...)
	return len(b), nil
}
