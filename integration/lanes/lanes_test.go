package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, c := range []struct{ story, list, want string }{
		{"nothing named: what always runs", "", "format, unit"},
		{"named, in the table's order", "unit,format", "format, unit"},
		{"one alone", " unit ", "unit"},
		{"by name", "crash", "crash"},
		{"all of CI", "ci", "format, unit, race"},
		{"all of CI, and one by name", "crash,ci", "format, unit, race, crash"},
	} {
		t.Run(c.story, func(t *testing.T) {
			chosen, err := choose([]lane{{name: "format"}, {name: "unit"}, {name: "race", when: inCI}, {name: "crash", when: byName}}, c.list)
			if err != nil || names(chosen) != c.want {
				t.Errorf("%q chose %s, %v; want %s", c.list, names(chosen), err, c.want)
			}
		})
	}
	if _, err := choose(lanes(), "unti"); err == nil || !strings.Contains(err.Error(), "unit") {
		t.Errorf("a misspelt lane: %v", err)
	}
}

func TestEvents(t *testing.T) {
	for _, c := range []struct {
		story  string
		strict bool
		want   tally
		holds  []string
		lacks  []string
	}{
		{"a skip is counted", false, tally{passed: 2, failed: 3, skipped: 1}, []string{
			"SKIP a.TestNeedsServer: a_test.go:5: needs Postgres",
			"the failure's own words",
			"undefined: x",
			"TestCut said this before the panic",
			"FAIL   0.2s  b  0 passed, 1 failed, 0 skipped",
		}, []string{"chatter of a test that passed"}},
		{"with CI=true it is a failure", true, tally{passed: 2, failed: 4}, []string{"FAIL (CI=true allows no skip) a.TestNeedsServer"}, nil},
	} {
		t.Run(c.story, func(t *testing.T) {
			events, err := os.Open("testdata/events.json")
			if err != nil {
				t.Fatal(err)
			}
			defer events.Close()
			var out bytes.Buffer
			r := &report{out: &out, strict: c.strict}
			if got := r.read(events); got != c.want {
				t.Errorf("counted %+v; want %+v", got, c.want)
			}
			for _, s := range c.holds {
				if !strings.Contains(out.String(), s) {
					t.Errorf("missing %q in:\n%s", s, &out)
				}
			}
			for _, s := range c.lacks {
				if strings.Contains(out.String(), s) {
					t.Errorf("%q stands in:\n%s", s, &out)
				}
			}
		})
	}
}

func TestEnding(t *testing.T) {
	passes := lane{name: "fine", run: func(context.Context, *report) (tally, error) { return tally{passed: 3}, nil }}
	unable := lane{name: "unable", run: func(context.Context, *report) (tally, error) {
		return tally{}, cannot{"no compiler", "install gcc"}
	}}
	breaks := lane{name: "broken", run: func(context.Context, *report) (tally, error) { return tally{}, errors.New("boom") }}
	for _, c := range []struct {
		story       string
		lanes       []lane
		strict      bool
		interrupted error
		code        int
		last        string
	}{
		{"all pass", []lane{passes}, true, nil, 0, "3 passed, 0 failed, 0 skipped"},
		{"a lane that cannot run is a skip", []lane{passes, unable}, false, nil, 0, "3 passed, 0 failed, 1 skipped"},
		{"and a failure with CI=true", []lane{passes, unable}, true, nil, 1, "3 passed, 1 failed, 0 skipped"},
		{"a lane that breaks", []lane{breaks, passes}, false, nil, 1, "3 passed, 1 failed, 0 skipped"},
		{"interrupted", []lane{passes}, false, context.Canceled, 1, "3 passed, 1 failed, 0 skipped"},
	} {
		t.Run(c.story, func(t *testing.T) {
			var out bytes.Buffer
			r := &report{out: &out, strict: c.strict}
			for _, l := range c.lanes {
				r.run(t.Context(), l)
			}
			code := r.close(c.interrupted)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; code != c.code || last != c.last {
				t.Errorf("exit %d, %q; want %d, %q", code, last, c.code, c.last)
			}
		})
	}
}

// TestFoldersAreThere finds a package or test that was renamed, and would leave its
// lane without a word.
func TestFoldersAreThere(t *testing.T) {
	for _, f := range slices.Concat(houseFolders, raceFolders, crashFolders, longest) {
		if _, err := os.Stat("../../" + f); err != nil {
			t.Error(err)
		}
	}
	var tests []byte
	for _, f := range append(slices.Clone(raceFolders), "integration/road") {
		files, err := filepath.Glob("../../" + f + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tests = append(tests, text...)
		}
	}
	for name := range strings.SplitSeq(strings.Trim(notRaced, "^()$")+"|"+strings.Trim(notVersioned, "^()$"), "|") {
		if !bytes.Contains(tests, []byte("func "+name+"(")) {
			t.Errorf("there is no %s to leave out", name)
		}
	}
}

// TestDeclared tells which skips are by design: this test, for this reason.
func TestDeclared(t *testing.T) {
	for _, c := range []struct {
		folder, test, reason string
		want                 bool
	}{
		{"pipeline/log/kafka", "TestRealLog/41_K17_tombstones", "SKIPPED: this log has no Aging: Kafka's clock cannot be moved", true},
		{"pipeline/log/kafka", "TestLog/33_a_full_disk", "SKIPPED: this log has no Fill: the disk is the brokers' own", true},
		{"pipeline/log/kafka", "TestLog/33_a_full_disk", "no Java here", false},
		{"pipeline/log/kafka", "TestLogs", "this log has no Fill", false},
		{"pipeline/log/embedded", "TestLog", "this log has no Fill", false},
	} {
		if _, ok := declared(c.folder, c.test, c.reason); ok != c.want {
			t.Errorf("%s.%s (%s) is declared: %v", c.folder, c.test, c.reason, ok)
		}
	}
}

// TestLongTests finds a long test that was renamed, which make test would run again and
// nobody would miss in CI, and one whose name leaves another out of both.
func TestLongTests(t *testing.T) {
	listed, there := map[string]bool{}, map[string][]string{}
	for _, l := range longTests() {
		listed[l.folder+"."+l.test] = true
		if l.shorter == "" {
			t.Errorf("%s.%s: no reason is given", l.folder, l.test)
		}
	}
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range testFunc.FindAllSubmatch(text, -1) {
			folder := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")
			there[string(found[1])] = append(there[string(found[1])], folder)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range longTests() {
		if !slices.Contains(there[l.test], l.folder) {
			t.Errorf("there is no %s.%s", l.folder, l.test)
		}
		for _, folder := range there[l.test] {
			if !listed[folder+"."+l.test] {
				t.Errorf("%s.%s would be left out with that of %s, and nobody runs it", folder, l.test, l.folder)
			}
		}
	}
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
