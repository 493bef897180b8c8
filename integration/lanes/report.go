package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A tally counts checks: tests with their subtests, and steps that are not tests.
type tally struct{ passed, failed, skipped int }

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.skipped += o.skipped
}

// cannot is why a lane cannot run here, and the command that mends it.
type cannot struct{ reason, mend string }

func (c cannot) Error() string { return c.reason + "\n  mend: " + c.mend }

// A report runs lanes and keeps what came out. It is used by one goroutine.
type report struct {
	out    io.Writer
	strict bool   // CI=true: what cannot run is a failure
	root   string // of the module
	env    []string

	rows  []row
	skips []string // each with its reason
}

type row struct {
	lane string
	took time.Duration
	tally
}

// run runs one lane with an environment of its own and keeps its row.
func (r *report) run(ctx context.Context, l lane) {
	fmt.Fprintf(r.out, "\n== %s: %s\n", l.name, l.does)
	env := r.env
	r.env = slices.Clip(slices.Clone(env))
	began := time.Now()
	t, err := l.run(ctx, r)
	r.env = env
	var c cannot
	switch {
	case errors.As(err, &c):
		r.skip(&t, "lane "+l.name, c.Error())
	case err != nil:
		t.failed = max(t.failed, 1)
		fmt.Fprintf(r.out, "FAIL %s: %v\n", l.name, err)
	}
	r.rows = append(r.rows, row{l.name, time.Since(began), t})
}

// skip counts something that could not run; with CI=true as a failure.
func (r *report) skip(t *tally, what, why string) {
	word := "SKIP"
	if r.strict {
		word = "FAIL (CI=true allows no skip)"
		t.failed++
	} else {
		t.skipped++
	}
	fmt.Fprintf(r.out, "%s %s: %s\n", word, what, why)
	r.skips = append(r.skips, what+": "+why)
}

// optIn counts a test that is skipped by design.
func (r *report) optIn(t *tally, what, how string) {
	t.skipped++
	r.skips = append(r.skips, what+": opt-in, "+how)
}

// close prints the table and the last line, and gives the exit code.
func (r *report) close(interrupted error) int {
	fmt.Fprintln(r.out)
	var sum row
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "lane\ttime\tpassed\tfailed\tskipped\t")
	for _, one := range r.rows {
		one.print(w)
		sum.took += one.took
		sum.add(one.tally)
	}
	sum.lane = "all"
	sum.print(w)
	w.Flush()
	for _, s := range r.skips {
		fmt.Fprintf(r.out, "skipped %s\n", s)
	}
	if interrupted != nil {
		fmt.Fprintln(r.out, "interrupted: lanes are missing above")
		sum.failed++
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped)
	if sum.failed > 0 {
		return 1
	}
	return 0
}

func (one row) print(w io.Writer) {
	fmt.Fprintf(w, "%s\t%.1fs\t%d\t%d\t%d\t\n", one.lane, one.took.Seconds(), one.passed, one.failed, one.skipped)
}

// has says whether one of the programs is on PATH.
func (r *report) has(programs ...string) bool {
	return slices.ContainsFunc(programs, func(p string) bool { _, err := exec.LookPath(p); return err == nil })
}

// prepareCmd makes a command that is asked to end, not killed, when ctx ends.
func (r *report) prepareCmd(ctx context.Context, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = r.root
	cmd.Env = slices.Concat(r.env, env)
	cmd.Cancel = func() error { return cmd.Process.Signal(interrupt) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// step runs one program as one check; its output is shown only if it fails.
func (r *report) step(ctx context.Context, label string, env []string, name string, args ...string) (tally, error) {
	began := time.Now()
	out, err := r.prepareCmd(ctx, env, name, args...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(r.out, "%s\n", strings.TrimRight(string(out), "\n"))
		return tally{failed: 1}, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	fmt.Fprintf(r.out, "ok  %6.1fs  %s\n", time.Since(began).Seconds(), label)
	return tally{passed: 1}, nil
}

// command is a lane of one step.
func command(name string, args ...string) func(context.Context, *report) (tally, error) {
	return func(ctx context.Context, r *report) (tally, error) {
		return r.step(ctx, name+" "+strings.Join(args, " "), nil, name, args...)
	}
}

// format fails when gofmt lists a file.
func format(ctx context.Context, r *report) (tally, error) {
	out, err := r.prepareCmd(ctx, nil, "gofmt", "-l", ".").CombinedOutput()
	if err != nil || len(out) > 0 {
		return tally{failed: 1}, fmt.Errorf("not as gofmt writes it: %s%w", out, errors.Join(err, errors.New("mend: gofmt -w .")))
	}
	return tally{passed: 1}, nil
}
