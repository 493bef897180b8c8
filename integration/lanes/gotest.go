package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

const module = "github.com/evertdb/evert"

// in and notIn choose packages by folder, with everything below it.
func in(folders ...string) func(string) bool {
	return func(folder string) bool {
		for _, f := range folders {
			if folder == f || strings.HasPrefix(folder, f+"/") {
				return true
			}
		}
		return false
	}
}

// exactly chooses folders without what is below them.
func exactly(folders ...string) func(string) bool {
	return func(folder string) bool { return slices.Contains(folders, folder) }
}

func notIn(folders ...string) func(string) bool {
	inside := in(folders...)
	return func(folder string) bool { return !inside(folder) }
}

// packages lists the import paths whose folder is chosen.
func (r *report) packages(ctx context.Context, chosen func(folder string) bool) ([]string, error) {
	out, err := r.prepareCmd(ctx, nil, "go", "list", "./...").Output()
	if err != nil {
		var cause string
		if exit, ok := err.(*exec.ExitError); ok {
			cause = ": " + strings.TrimSpace(string(exit.Stderr))
		}
		return nil, fmt.Errorf("go list: %w%s", err, cause)
	}
	var list []string
	for path := range strings.FieldsSeq(string(out)) {
		if chosen(folder(path)) {
			list = append(list, path)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return rank(a) - rank(b) })
	return list, nil
}

func folder(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

// goTest is a lane of `go test` over the chosen folders.
func goTest(chosen func(string) bool, flags ...string) func(context.Context, *report) (tally, error) {
	return func(ctx context.Context, r *report) (tally, error) {
		list, err := r.packages(ctx, chosen)
		if err != nil {
			return tally{failed: 1}, err
		}
		if len(list) == 0 {
			return tally{}, cannot{"there is no such package yet", "add one, or leave the lane out of LANES"}
		}
		args := append([]string{"test", "-json", "-timeout=15m", "-vet=off"}, flags...) // the lane vet has all of it
		if r.strict {
			args = append(args, "-count=1")
		}
		return r.test(ctx, append(args, list...))
	}
}

// test runs go test and reads its events until it ends.
func (r *report) test(ctx context.Context, args []string) (tally, error) {
	cmd := r.prepareCmd(ctx, nil, "go", args...)
	events, err := cmd.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	cmd.Stderr = r.out
	if err := cmd.Start(); err != nil {
		return tally{}, err
	}
	t := r.read(events)
	if err := cmd.Wait(); err != nil && t.failed == 0 {
		return t, fmt.Errorf("go test: %w", err)
	}
	if t == (tally{}) {
		return t, cannot{"no test ran", "write one, or leave the lane out of LANES"}
	}
	return t, nil
}

// An event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build events
	Test       string
	Elapsed    float64
	Output     string
}

// A reader of events keeps the output of what has not ended yet, and counts per
// package so that each gets one line.
type reader struct {
	r       *report
	sum     tally
	pending map[string]*strings.Builder // by package and test
	byName  map[string]*tally           // by package
}

func (r *report) read(events io.Reader) tally {
	rd := reader{r: r, pending: map[string]*strings.Builder{}, byName: map[string]*tally{}}
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintf(r.out, "%s\n", lines.Bytes()) // not an event: the go command itself speaks
			continue
		}
		rd.take(e)
	}
	_, _ = io.Copy(io.Discard, events) // a line beyond the buffer must not block the writer
	return rd.sum
}

func (rd *reader) take(e event) {
	switch e.Action {
	case "output":
		rd.output(e.Package+"\x00"+e.Test, e.Output)
	case "build-output":
		rd.output(e.ImportPath, e.Output)
	case "build-fail":
		fmt.Fprint(rd.r.out, rd.drain(e.ImportPath))
	case "pass", "fail", "skip":
		if e.Test == "" {
			rd.packageEnded(e)
		} else {
			rd.testEnded(e)
		}
	}
}

func (rd *reader) output(key, text string) {
	b := rd.pending[key]
	if b == nil {
		b = &strings.Builder{}
		rd.pending[key] = b
	}
	if b.Len() < 1<<20 { // of one test; more helps nobody
		b.WriteString(text)
	}
}

func (rd *reader) drain(key string) string {
	b := rd.pending[key]
	delete(rd.pending, key)
	if b == nil {
		return ""
	}
	return b.String()
}

func (rd *reader) of(pkg string) *tally {
	if rd.byName[pkg] == nil {
		rd.byName[pkg] = &tally{}
	}
	return rd.byName[pkg]
}

func (rd *reader) testEnded(e event) {
	text := rd.drain(e.Package + "\x00" + e.Test)
	t := rd.of(e.Package)
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		fmt.Fprint(rd.r.out, text)
	case "skip":
		what := short(e.Package) + "." + e.Test
		if how, ok := declared(short(e.Package), e.Test, reason(text)); ok {
			rd.r.optIn(t, what, how)
		} else {
			rd.r.skip(t, what, reason(text))
		}
	}
}

// packageEnded prints a line for a package that has tests, or that failed
// before or beside them (a build, a panic, a leak).
func (rd *reader) packageEnded(e event) {
	text := rd.drain(e.Package + "\x00")
	t := rd.of(e.Package)
	if e.Action == "fail" {
		if t.failed == 0 {
			t.failed = 1
		}
		rd.printUnfinished(e.Package)
		fmt.Fprint(rd.r.out, text)
	}
	if *t != (tally{}) {
		word := map[bool]string{true: "ok  ", false: "FAIL"}[t.failed == 0]
		fmt.Fprintf(rd.r.out, "%s%6.1fs  %s  %d passed, %d failed, %d skipped\n",
			word, e.Elapsed, short(e.Package), t.passed, t.failed, t.skipped)
	}
	rd.sum.add(*t)
}

// printUnfinished shows tests that a panic or the time limit cut off.
func (rd *reader) printUnfinished(pkg string) {
	for key := range rd.pending {
		if strings.HasPrefix(key, pkg+"\x00") {
			fmt.Fprint(rd.r.out, rd.drain(key))
		}
	}
}

func short(pkg string) string { return strings.TrimPrefix(pkg, module+"/") }

// reason is what a skipped test said, without the framework's own lines.
func reason(text string) string {
	var said []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			said = append(said, line)
		}
	}
	if said == nil {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
