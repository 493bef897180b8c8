//go:build unix

package harness

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"time"
)

// A Daemon is `evert run` of one world.
type Daemon struct {
	*Process
	world *World
	data  string // its data directory
}

// Run starts `evert run` with further arguments. It does not wait for anything.
func (w *World) Run(args ...string) *Daemon { return w.RunWatched(nil, args...) }

// RunWatched is Run; watch sees every line of the log as it comes.
func (w *World) RunWatched(watch func(line string), args ...string) *Daemon {
	w.Helper()
	l := Launch{Path: w.Evert(w, w.Options.Tags...), Env: w.Options.Env, Watch: watch, Args: append([]string{"run", "-c", w.Write()}, args...)}
	if w.Options.Shell != "" {
		l.Args = append([]string{"-c", w.Options.Shell + `; exec "$0" "$@"`, l.Path}, l.Args...)
		l.Path = "/bin/sh"
	}
	p := Start(w, l)
	w.outputs = append(w.outputs, p)
	return &Daemon{Process: p, world: w, data: w.Data()}
}

// CatchUp runs `evert run --until-caught-up` to its end, which must be good.
func (w *World) CatchUp() *Daemon {
	w.Helper()
	d := w.Run("--until-caught-up")
	if code := d.Wait(w, 5*time.Minute); code != 0 {
		w.Fatalf("evert run --until-caught-up: exit code %d; its last lines:\n%s", code, d.Last(12))
	}
	return d
}

// Reset runs `evert reset` for the source: its topics are deleted and given up,
// unless a flag says otherwise.
func (w *World) Reset(flags ...string) {
	w.Helper()
	p := Start(w, Launch{Path: w.Evert(w, w.Options.Tags...), Env: w.Options.Env, Args: append([]string{"reset", "-c", w.Write(), Prefix, "--yes"}, flags...)})
	if code := p.Wait(w, Patience); code != 0 {
		w.Fatalf("evert reset: exit code %d; its last lines:\n%s", code, p.Last(12))
	}
}

// Terminate sends SIGTERM and waits for the end, which must be good and in time.
func (d *Daemon) Terminate() {
	d.world.Helper()
	d.Signal(syscall.SIGTERM)
	if code := d.Wait(d.world, Patience); code != 0 {
		d.world.Errorf("SIGTERM: exit code %d; its last lines:\n%s", code, d.Last(20))
	}
}

// Pause stops the process as it is; Continue lets it go on.
func (d *Daemon) Pause()    { d.Signal(syscall.SIGSTOP) }
func (d *Daemon) Continue() { d.Signal(syscall.SIGCONT) }

// CheckCanaries fails the test if a log of the world holds a row's value or a
// secret (X14).
func (w *World) CheckCanaries(canaries ...string) {
	w.Helper()
	for _, p := range w.outputs {
		for _, canary := range canaries {
			holds := func(line string) bool { return strings.Contains(line, canary) }
			if line, _ := p.find(holds); line != "" {
				w.Errorf("X14: the log holds a secret or a row's value:\n  | %s", line)
			}
		}
	}
}

// Contains reports whether a file holds text; a file that cannot be read does
// not.
func Contains(path, text string) bool {
	b, err := os.ReadFile(path)
	return err == nil && bytes.Contains(b, []byte(text))
}
