//go:build unix

package views

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// A story is a database with views whose definitions change, and the daemon that
// runs for it, if one does.
type story struct {
	*harness.World
	daemon *harness.Daemon
	views  map[string]string       // the SQL of each
	extra  map[string]string       // and its other settings
	limits string                  // YAML at the top level
	waits  string                  // further sources that a read waits for
	oracle func(sql string) string // what the database is asked instead of a view's SQL
}

const brisk = "commit_interval: 10ms\nidle_interval: 100ms\nreconnect_max: 1s\n"

// newStory makes a database on a server, with some sales in it.
func newStory(t testing.TB, server *pgserver.Server, o harness.Options) *story {
	t.Helper()
	seed := harness.Seed(t)
	test := crc32.ChecksumIEEE([]byte(t.Name())) // stories that share a cluster, and a seed, have deployments of their own
	s := &story{World: suite.NewWorld(t, server, fmt.Sprintf("story_%x_%x", seed&0xffffffff, test)), views: map[string]string{}, extra: map[string]string{},
		oracle: func(sql string) string { return strings.ReplaceAll(sql, "db.public.", "public.") }}
	o.Source = orBrisk(o.Source)
	s.Options = o
	s.SQL(s.Database,
		`CREATE TABLE sales (id int PRIMARY KEY, shop text COLLATE "C" NOT NULL, cents int NOT NULL)`,
		"CREATE TABLE other (id int PRIMARY KEY, n int NOT NULL)",
		"INSERT INTO sales SELECT i, 's' || i % 7, i % 100 FROM generate_series(1, 500) AS i",
		"INSERT INTO other SELECT i, i FROM generate_series(1, 10) AS i",
		"ALTER TABLE sales OWNER TO capture; ALTER TABLE other OWNER TO capture")
	return s
}

func orBrisk(text string) string {
	if text == "" {
		return brisk
	}
	return text
}

func ownServer(t *testing.T) *pgserver.Server {
	t.Helper()
	return pgtest.Start(t, pgtest.Options{})
}

// defined writes the views into the file.
func (s *story) defined() {
	var b strings.Builder
	b.WriteString("views:\n")
	for name, sql := range s.views {
		fmt.Fprintf(&b, "  %s:\n    sql: %q\n", name, sql)
		for line := range strings.Lines(s.extra[name]) {
			b.WriteString("    " + strings.TrimSpace(line) + "\n")
		}
	}
	s.Options.More = s.limits + b.String()
	s.Write()
}

// start starts the daemon with the views as they are; one that runs ends first.
func (s *story) start() {
	s.Helper()
	s.end()
	s.defined()
	s.daemon = s.Run()
}

func (s *story) end() {
	s.Helper()
	if s.daemon != nil {
		s.daemon.Terminate()
		s.daemon = nil
	}
}

// same waits until the view contains all that is committed, and compares it with
// what the database answers.
func (s *story) same(view string) {
	s.Helper()
	s.streaming(view)
	lsn := url.QueryEscape(s.ask("SELECT pg_current_wal_flush_lsn()::text"))
	wait := "&wait_for=db:" + lsn
	if s.waits != "" {
		wait += "&wait_for=" + s.waits + ":" + lsn // of the same server
	}
	answer := s.await("/v1/views/" + view + "/rows?limit=1000&timeout=30s" + wait)
	want := s.ask("SELECT coalesce(json_agg(q), '[]')::text FROM (" + s.oracle(s.views[view]) + ") AS q")
	var body struct {
		Rows []map[string]json.RawMessage `json:"rows"`
	}
	var rows []map[string]json.RawMessage
	if err := answer.Decode(&body); err != nil {
		s.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &rows); err != nil {
		s.Fatal(err)
	}
	if got, want := lines(body.Rows), lines(rows); !slices.Equal(got, want) {
		s.Fatalf("the view %s differs from its query:\n%s\nand not\n%s\nthe daemon's last lines:\n%s", view, strings.Join(got, "\n"), strings.Join(want, "\n"), s.daemon.Last(20))
	}
}

func lines(rows []map[string]json.RawMessage) (out []string) {
	for _, row := range rows {
		line, err := json.Marshal(row) // the columns in the order of their names
		if err != nil {
			panic(err)
		}
		out = append(out, string(line))
	}
	slices.Sort(out)
	return out
}

// await asks until the answer is 200.
func (s *story) await(path string) harness.Answer {
	s.Helper()
	return s.awaitThat(path, func(a harness.Answer) bool { return a.Status == 200 })
}

// awaitThat asks until an answer is as wanted.
func (s *story) awaitThat(path string, good func(harness.Answer) bool) harness.Answer {
	s.Helper()
	door := harness.NewDoor(s.Data())
	defer door.Close()
	for deadline := time.Now().Add(harness.Patience); ; {
		answer, err := door.Get(s.Context(), path)
		if err == nil && good(answer) {
			return answer
		}
		if time.Now().After(deadline) {
			s.Fatalf("GET %s is not answered as it should be: %v %d %s\nthe daemon's last lines:\n%s", path, err, answer.Status, answer.Body, s.daemon.Last(40))
		}
		select {
		case <-s.daemon.Exited():
			s.Fatalf("the daemon ended by itself; its last lines:\n%s", s.daemon.Last(40))
		case <-time.After(10 * time.Millisecond): // the period of asking
		}
	}
}

// A health is what the status says of a view.
type health struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Epoch   uint64 `json:"epoch"`
	Problem *struct {
		Code string `json:"code"`
	} `json:"problem"`
}

// code waits until the view has a problem with that code.
func (s *story) code(view, code string) {
	s.Helper()
	s.health(view, func(h health) bool { return h.Problem != nil && h.Problem.Code == code })
}

// tableCode waits until the daemon tells of a table that it has a problem with that
// code.
func (s *story) tableCode(code string) {
	s.Helper()
	s.awaitThat("/v1/status", func(a harness.Answer) bool {
		var status struct {
			Sources []struct {
				Tables []struct {
					Problem *struct {
						Code string `json:"code"`
					} `json:"problem"`
				} `json:"tables"`
			} `json:"sources"`
		}
		if a.Status != 200 || a.Decode(&status) != nil {
			return false
		}
		for _, of := range status.Sources {
			for _, t := range of.Tables {
				if t.Problem != nil && t.Problem.Code == code {
					return true
				}
			}
		}
		return false
	})
}

// streaming waits until the present definition of the view is the one that is
// shown.
func (s *story) streaming(view string) {
	s.Helper()
	s.health(view, func(h health) bool { return h.State == "streaming" })
}

func (s *story) healthOf(view string) (now health) {
	s.Helper()
	s.health(view, func(h health) bool { now = h; return true })
	return now
}

func (s *story) health(view string, good func(health) bool) {
	s.Helper()
	s.awaitThat("/v1/status", func(a harness.Answer) bool {
		var status struct {
			Views []health `json:"views"`
		}
		return a.Status == 200 && a.Decode(&status) == nil &&
			slices.ContainsFunc(status.Views, func(h health) bool { return h.Name == view && good(h) })
	})
}

func (s *story) ask(sql string) (text string) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), s.Postgres.URL(s.Database))
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(s.Context())
	if err := conn.QueryRow(s.Context(), sql).Scan(&text); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
	return text
}
