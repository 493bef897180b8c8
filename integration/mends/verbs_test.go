//go:build unix

package mends

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
)

// A verbStory is one in which another verb than run refuses, or in which
// something is said beside the run.
type verbStory struct {
	code pipeline.Code
	what string
	play func(s *stage)
}

func (st *verbStory) name() string { return storyName(st.code, st.what) }

func ofVerbs() []verbStory {
	return []verbStory{
		{"NOTHING_CAPTURED", "before the first run", func(s *stage) { s.refused("evert status", "NOTHING_CAPTURED") }},
		{"LOG_DIR_MISSING", "a folder and no log", logMissing},
		{"LOG_DIR_TAKEN", "by another daemon", logTaken},
		{"SLOT_KEPT", "read by another process", slotKept},
		{"SLOT_KEPT", "without the right to drop it", slotNotOurs},
		{"FILE_EXISTS", "init", fileExists},
		{"NO_SUCH_SOURCE", "asked over HTTP", noSuchSource},
		{"PG_TABLE_ADDED", "by a pattern", tableAdded},
	}
}

func TestMendsOfVerbs(t *testing.T) {
	t.Parallel()
	for _, st := range ofVerbs() {
		t.Run(st.name(), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, pg.server(t), harness.Options{})
			st.play(s)
			s.equal(&story{})
		})
	}
}

// refused runs a command line that has to be refused, and obeys.
func (s *stage) refused(line string, code pipeline.Code) {
	s.Helper()
	out, exit := s.sh(line)
	if exit == 0 {
		s.Fatalf("%s: not refused:\n%s", line, out)
	}
	s.obey(mendOf(s, out, code), false)
}

func logMissing(s *stage) {
	if err := os.MkdirAll(s.Data(), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Data(), "evert.lock"), nil, 0o600); err != nil { // a daemon died as it began
		s.Fatal(err)
	}
	s.refused("evert status", "LOG_DIR_MISSING")
}

func logTaken(s *stage) {
	first := s.start("evert run")
	s.streams(first)
	log := filepath.Join(s.Data(), "log")
	s.Options.DataDir = filepath.Join(s.Dir, "other")
	if err := os.Mkdir(s.Data(), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.Symlink(log, filepath.Join(s.Data(), "log")); err != nil {
		s.Fatal(err)
	}
	s.Write()
	s.own("INSERT INTO t VALUES (4)")
	s.refused("evert run --until-caught-up", "LOG_DIR_TAKEN")
	if code := first.Wait(s, harness.Patience); code != 0 {
		s.Fatalf("the first daemon ended with %d:\n%s", code, first.Last(20))
	}
}

func slotKept(s *stage) {
	s.caughtUp()
	s.own("DELETE FROM t WHERE id = 1")
	s.readSlot()
	const reset = "evert reset db --resnapshot --yes"
	s.refused(reset, "SLOT_KEPT")
	s.must(reset)
}

// slotNotOurs takes the right to replicate from a role of its own.
func slotNotOurs(s *stage) {
	role := "weak_" + s.Database
	s.caughtUp()
	s.own("DELETE FROM t WHERE id = 1")
	s.SQL("postgres", "CREATE ROLE "+role+" LOGIN PASSWORD 'pw'")
	s.Cleanup(func() { s.SQL("postgres", "DROP ROLE "+role) })
	file := filepath.Join(s.Dir, "evert.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	weak := strings.Replace(string(text), "capture:"+harness.Password+"@", role+":pw@", 1)
	if err := os.WriteFile(file, []byte(weak), 0o600); err != nil {
		s.Fatal(err)
	}
	const reset = "evert reset db --resnapshot --yes"
	s.refused(reset, "SLOT_KEPT")
	s.must(reset)
	s.Write()
}

// must runs a command line that has to go well.
func (s *stage) must(line string) string {
	s.Helper()
	out, exit := s.sh(line)
	if exit != 0 {
		s.Fatalf("%s: exit code %d:\n%s", line, exit, out)
	}
	return out
}

// fileExists puts the URL where the mend has the word: what is printed never
// holds a password.
func fileExists(s *stage) {
	url := "'" + s.URL() + "'"
	out, exit := s.sh("evert init " + url)
	if exit != 2 {
		s.Fatalf("exit code %d:\n%s", exit, out)
	}
	s.obey(strings.ReplaceAll(mendOf(s, out, "FILE_EXISTS"), "URL", url), false)
	s.must("evert run --until-caught-up -c evert-new.yaml")
	want, columns := s.rows("t")
	if got := s.folded("evert tail public.t --until-end -o json -c evert-new.yaml", columns); strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.Fatalf("got %q, want %q", got, want)
	}
	s.as(s.Postgres.URL(s.Database), "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
}

func noSuchSource(s *stage) {
	daemon := s.start("evert run")
	s.streams(daemon)
	over := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.Data(), "evert.sock"))
	}}}
	resp, err := over.Get("http://evert/readyz?source=nobody")
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	var problem struct{ Code, Mend string }
	if err := json.Unmarshal(body, &problem); err != nil || problem.Code != "NO_SUCH_SOURCE" {
		s.Fatalf("%v: %s", err, body)
	}
	s.obey(problem.Mend, false)
	if out := s.must(problem.Mend); !strings.Contains(out, "db") {
		s.Fatalf("%s does not list the source:\n%s", problem.Mend, out)
	}
	daemon.Kill()
}

// tableAdded is told in the log, and stops nothing else (I8).
func tableAdded(s *stage) {
	s.caughtUp()
	s.admin("CREATE TABLE late (id int PRIMARY KEY)", "INSERT INTO late VALUES (1), (2)", "GRANT SELECT ON late TO PUBLIC")
	s.own("CREATE TABLE ours (id int PRIMARY KEY)", "INSERT INTO ours VALUES (1), (2)") // is copied by itself
	s.obey(loggedMend(s, s.must("evert run --until-caught-up"), "PG_TABLE_ADDED"), false)
	s.caughtUp()
	s.compareTables("t", "late", "ours")
}

// loggedMend gives the mend of the log line with this code.
func loggedMend(t testing.TB, output string, code pipeline.Code) string {
	t.Helper()
	for line := range strings.Lines(output) {
		var said struct {
			Code pipeline.Code `json:"code"`
			Mend string        `json:"mend"`
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Code == code {
			return said.Mend
		}
	}
	t.Fatalf("no line of the log has the code %s:\n%s", code, output)
	return ""
}
