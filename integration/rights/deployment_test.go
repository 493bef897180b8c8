//go:build unix

package rights

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var (
	suite harness.Suite
	pg    pgtest.Shared
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run runs the tests, then ends what they share.
func run(m *testing.M) int {
	code := pg.Run(m)
	suite.Close()
	return code
}

// A deployment is a directory with an evert.yaml.
type deployment struct {
	*testing.T
	dir string
}

func newDeployment(t *testing.T, file string) *deployment {
	t.Helper()
	dir, err := os.MkdirTemp("", "evert-rights-") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &deployment{t, dir}
	d.write("evert.yaml", file)
	return d
}

func (d *deployment) write(name, text string) {
	d.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

// evert runs the binary where the file lies.
func (d *deployment) evert(args ...string) (output string, exit int) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), harness.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, suite.Evert(d), args...)
	cmd.Dir = d.dir
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		d.Fatalf("evert %v: %v\n%s", args, err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// works runs the binary, which has to end well.
func (d *deployment) works(args ...string) string {
	d.Helper()
	out, exit := d.evert(args...)
	if exit != 0 {
		d.Fatalf("evert %s: exit code %d:\n%s", strings.Join(args, " "), exit, out)
	}
	return out
}

// A finding is one line of `evert check -o json`.
type finding struct {
	Level string        `json:"level"`
	Code  pipeline.Code `json:"code"`
	Where string        `json:"where"`
	What  string        `json:"what"`
	Mend  string        `json:"mend"`
}

// check gives what `evert check --connect` finds that is not fine; its exit code
// has to go with it.
func (d *deployment) check() (found []finding) {
	d.Helper()
	out, exit := d.evert("check", "--connect", "-o", "json")
	var all []finding
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		d.Fatalf("%v: %s", err, out)
	}
	want := 0
	for _, f := range all {
		if f.Level == "error" {
			want = 3
		}
		if f.Level != "fine" {
			found = append(found, f)
		}
	}
	if exit != want {
		d.Errorf("exit code %d, want %d:\n%s", exit, want, out)
	}
	return found
}

// errorsOf are the findings that keep a source from starting.
func errorsOf(all []finding) (out []finding) {
	for _, f := range all {
		if f.Level == "error" {
			out = append(out, f)
		}
	}
	return out
}

// mentions reports whether one of the findings has the code and the mend.
func mentions(all []finding, code pipeline.Code, mend string) bool {
	for _, f := range all {
		if f.Code == code && strings.Contains(f.Mend, mend) {
			return true
		}
	}
	return false
}

func show(all []finding) string {
	text := ""
	for _, f := range all {
		text += fmt.Sprintf("%s %s %s: %s\n  mend: %s\n", f.Level, f.Code, f.Where, f.What, f.Mend)
	}
	return text
}
