// Package pgtest gives tests a real Postgres.
//
// A test that needs a server of its own calls Start. Tests that only need a
// database share one server per test binary:
//
//	var pg pgtest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }
//
//	func TestOrders(t *testing.T) {
//		url := pg.Database(t)
//		…
//	}
//
// Servers run with fsync off. Where no Postgres is found, a test is skipped and
// names the command that installs one; with CI=true it fails instead.
// EVERT_TEST_PG=/path/to/bin chooses another Postgres, for example another major
// version.
package pgtest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// Options of a test's server: those of pgserver.Options, over quick settings.
type Options = pgserver.Options

// Binaries gives the Postgres that tests use, or skips (with CI=true: fails).
func Binaries(t testing.TB) pgserver.Binaries {
	t.Helper()
	b, err := find()
	if err == nil {
		return b
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs Postgres: %v\n  mend: %s", err, pgserver.InstallHint())
	}
	t.Skipf("SKIPPED, this test needs Postgres: %v\n  mend: %s", err, pgserver.InstallHint())
	return b
}

func find() (pgserver.Binaries, error) {
	if dir := os.Getenv("EVERT_TEST_PG"); dir != "" {
		return pgserver.At(dir)
	}
	return pgserver.Find()
}

// Start gives the test a server of its own, ended when the test ends. Its log is
// printed when the test has failed.
func Start(t testing.TB, o Options) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), Binaries(t), quick(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, s) })
	return s
}

// Dir makes a directory for Options.Dir. That of t.TempDir is private, and the
// server of a test run by root could not enter it.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "evert-pg-kept-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func finish(t testing.TB, s *pgserver.Server) {
	if t.Failed() {
		printLog(t, s.LogPath())
	}
	if err := s.Close(); err != nil {
		t.Errorf("close Postgres: %v", err)
	}
}

func printLog(t testing.TB, path string) {
	const maxBytes = 8 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	t.Logf("end of the server's log:\n%s", text[max(0, len(text)-maxBytes):])
}

// quick gives up durability over a power cut, which no test has.
func quick(o Options) Options {
	settings := map[string]string{"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
	maps.Copy(settings, o.Settings)
	o.Settings = settings
	return o
}

// Shared is one server for all tests of a binary, started by the first that
// needs it. The zero value is ready; its methods may be called at the same time.
type Shared struct {
	once   sync.Once
	server *pgserver.Server
	err    error
	count  atomic.Int64 // databases made so far
}

// Run runs the tests and then ends the server, if one was started. Its result is
// for os.Exit.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	if s.server == nil {
		return code
	}
	if err := s.server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close the shared Postgres:", err)
		return max(code, 1)
	}
	return code
}

// Server gives the shared server.
func (s *Shared) Server(t testing.TB) *pgserver.Server {
	t.Helper()
	b := Binaries(t)
	s.once.Do(func() { s.server, s.err = pgserver.Start(context.Background(), b, quick(Options{})) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// Database makes a fresh database on the shared server and gives its URL.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	server := s.Server(t)
	name := fmt.Sprintf("test_%d", s.count.Add(1))
	Database(t, server, name)
	return server.URL(name)
}

// Database makes the named database on a server, and drops it when the test
// ends, together with its logical slots and connections.
func Database(t testing.TB, server *pgserver.Server, name string) {
	t.Helper()
	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE "+quote(name)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(server, name); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
}

// drop ends the walsenders first: a database with an active slot cannot go.
func drop(server *pgserver.Server, name string) error {
	literal := "'" + strings.ReplaceAll(name, "'", "''") + "'"
	return server.Exec(context.Background(), "postgres",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "+literal,
		`DO $$ BEGIN
			WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = `+literal+`) LOOP
				PERFORM pg_sleep(0.005); PERFORM pg_stat_clear_snapshot();
			END LOOP;
		END $$`,
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = "+literal,
		"DROP DATABASE "+quote(name))
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
