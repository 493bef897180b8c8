//go:build unix

package child

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/evertdb/evert/pipeline/loopback"
)

func shell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(exec.Command("/bin/sh", "-c", script), nil, syscall.SIGKILL, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestProcess(t *testing.T) {
	t.Run("it is ready when it says so, and runs until it is asked to end", func(t *testing.T) {
		p := shell(t, "echo serving; exec sleep 600")
		if err := p.Await(t.Context(), func() bool { return p.Said("serving") }); err != nil {
			t.Fatal(err)
		}
		if !p.Running() || p.PID() == 0 {
			t.Error("it does not run")
		}
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		if p.Running() || p.PID() != 0 {
			t.Error("it runs")
		}
		if err := errors.Join(p.Stop(), p.Signal(syscall.SIGKILL)); err != nil {
			t.Errorf("asked again: %v", err)
		}
	})
	t.Run("one that ends by itself meanwhile has stopped as well", func(t *testing.T) {
		for range 100 {
			p := shell(t, "exit 0")
			for p.Running() {
				if err := p.Signal(terminate); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	t.Run("one that ends before says why", func(t *testing.T) {
		p := shell(t, "echo no such setting; exit 1")
		if err := p.Await(t.Context(), func() bool { return false }, "in use"); err == nil || errors.Is(err, loopback.ErrTaken) || !strings.Contains(err.Error(), "no such setting") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("so does one whose port is taken", func(t *testing.T) {
		p := shell(t, "echo address in use; exit 1")
		if err := p.Await(t.Context(), func() bool { return false }, "in use"); !errors.Is(err, loopback.ErrTaken) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what an earlier run printed is not its own", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "log")
		for _, text := range []string{"first", "second"} {
			p, err := Start(exec.Command("/bin/sh", "-c", "echo "+text), nil, syscall.SIGKILL, log)
			if err != nil {
				t.Fatal(err)
			}
			_ = p.Await(t.Context(), func() bool { return false })
			if !p.Said(text) || text == "second" && p.Said("first") {
				t.Errorf("%s: it printed %q", text, p.log.read())
			}
		}
	})
	t.Run("a start is given up with its context, and the program is the caller's", func(t *testing.T) {
		p := shell(t, "exec sleep 600")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Await(ctx, func() bool { return false }); !errors.Is(err, context.Canceled) || !p.Running() {
			t.Errorf("got %v", err)
		}
	})
}

func TestRun(t *testing.T) {
	if out, err := Run(t.Context(), exec.Command("/bin/sh", "-c", "echo done"), nil); err != nil || string(out) != "done\n" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := Run(t.Context(), exec.Command("/bin/sh", "-c", "echo why >&2; exit 3"), nil); err == nil || !strings.Contains(err.Error(), "exit status 3\n    why") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, exec.Command("/bin/sh", "-c", "sleep 600; sleep 600"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; its child holds the pipe that is waited for", err)
	}
}
