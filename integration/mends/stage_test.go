//go:build unix

package mends

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// A stage is where a story is played: one database, one file, one shell.
type stage struct {
	*harness.World
	path string // of the shell
	boss string // password of the cluster's administrator, if it has one
}

var worlds atomic.Int64

// newStage makes a database with a table t of three rows, which the capturing
// role owns.
func newStage(t *testing.T, pg *pgserver.Server, o harness.Options) *stage {
	t.Helper()
	w := suite.NewWorld(t, pg, fmt.Sprintf("mend_%d", worlds.Add(1)))
	w.Options = o
	if w.Options.Source == "" {
		w.Options.Source = "commit_interval: 10ms"
	}
	s := &stage{World: w, path: tools(t)}
	s.own("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, 'three')")
	s.Write()
	return s
}

// own runs SQL as the role that captures.
func (s *stage) own(sql ...string) { s.Helper(); s.as(s.URL(), sql...) }

// admin runs SQL as the DBA, in the story's database.
func (s *stage) admin(sql ...string) { s.Helper(); s.as(s.Postgres.URL(s.Database), sql...) }

// as runs each text by the simple protocol, as a whole.
func (s *stage) as(url string, sql ...string) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), url)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.Context()))
	for _, text := range sql {
		if _, err := conn.PgConn().Exec(s.Context(), text).ReadAll(); err != nil {
			s.Fatalf("%s: %v", text, err)
		}
	}
}

// slot is the name of the replication slot, and of the publication.
func (s *stage) slot() string { return "evert_" + s.Database + "_db" }

// caughtUp runs evert to the end, which has to be good.
func (s *stage) caughtUp() {
	s.Helper()
	if out, exit := s.sh("evert run --until-caught-up"); exit != 0 {
		s.Fatalf("evert run --until-caught-up: exit code %d:\n%s", exit, out)
	}
}

// sh runs a command line where the file lies, and gives what it printed.
func (s *stage) sh(line string) (output string, exit int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), harness.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = s.Dir, s.environ()
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		s.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (s *stage) environ() []string {
	return append(os.Environ(), "PATH="+s.path+":"+os.Getenv("PATH"), "HOME="+s.Dir, adminPassword+"="+s.boss)
}

// obey runs a printed mend. At least one line has to be something to run.
func (s *stage) obey(mend string, other bool) {
	s.Helper()
	ran := 0
	for line := range strings.Lines(mend) {
		line, alternative := another(strings.TrimSpace(line))
		if alternative != other {
			continue
		}
		if s.obeyLine(line) {
			ran++
		}
	}
	if ran == 0 {
		s.Fatalf("there is nothing to run in the mend:\n%s", mend)
	}
}

// another takes `or ` from a line, or `or, if something is so: `.
func another(line string) (rest string, alternative bool) {
	if rest, ok := strings.CutPrefix(line, "or "); ok {
		return rest, true
	}
	if when, rest, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(when, "or, if ") {
		return rest, true
	}
	return line, false
}

var (
	statement = regexp.MustCompile(`^(ALTER|CREATE|DROP|GRANT|SELECT) `)
	command   = regexp.MustCompile(`^(evert|kill|curl|kafka-[a-z]+\.sh) \S`)
	daemon    = regexp.MustCompile(`^evert run( -c \S+)?$`)
)

func (s *stage) obeyLine(line string) bool {
	s.Helper()
	s.Logf("mend: %s", line)
	switch {
	case statement.MatchString(line):
		s.admin(line)
		if strings.Contains(line, "pg_terminate_backend") {
			s.slotIsFree()
		}
	case daemon.MatchString(line):
		s.daemon(line)
	case command.MatchString(line):
		if out, exit := s.sh(line); exit != 0 {
			s.Fatalf("%s: exit code %d:\n%s", line, exit, out)
		}
	default:
		return false
	}
	return true
}

// daemon runs the daemon as printed until it streams, and ends it.
func (s *stage) daemon(line string) {
	s.Helper()
	p := s.start(line)
	s.streams(p)
	p.Signal(syscall.SIGTERM)
	if code := p.Wait(s, harness.Patience); code != 0 {
		s.Fatalf("%s: exit code %d:\n%s", line, code, p.Last(20))
	}
}

// start runs a command line where the file lies, and does not wait.
func (s *stage) start(line string) *harness.Process {
	s.Helper()
	return harness.Start(s, harness.Launch{Path: "/bin/sh", Args: []string{"-c", "cd '" + s.Dir + "' && exec " + line}, Env: s.environ()})
}

// streams waits until the daemon of the world follows its server.
func (s *stage) streams(p *harness.Process) {
	s.Helper()
	timeout := time.After(harness.Patience)
	for {
		st, err := harness.StatusOf(s.Context(), s.Data())
		if err == nil && st.State == "streaming" {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond): // the period of asking
		case <-p.Exited():
			s.Fatalf("the daemon ended before it streamed:\n%s", p.Last(20))
		case <-timeout:
			s.Fatalf("the daemon does not come to stream; status %+v, %v:\n%s", st, err, p.Last(20))
		}
	}
}

// mendOf gives what stands behind `mend:` of the refusal with this code: that
// line, and those that go on in its column.
func mendOf(t testing.TB, output string, code pipeline.Code) string {
	t.Helper()
	const first, further = "  mend: ", "        "
	_, after, found := strings.Cut(output, "["+string(code)+"]\n")
	if !found || !strings.HasPrefix(after, first) {
		t.Fatalf("no mend of %s in:\n%s", code, output)
	}
	var mend []string
	for line := range strings.Lines(strings.TrimPrefix(after, first)) {
		if len(mend) > 0 && !strings.HasPrefix(line, further) {
			break
		}
		mend = append(mend, strings.TrimPrefix(strings.TrimRight(line, "\n"), further))
	}
	return strings.Join(mend, "\n")
}
