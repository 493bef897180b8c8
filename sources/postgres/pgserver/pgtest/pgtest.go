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
	return StartOf(t, Binaries(t), o)
}

// StartOf is Start with the binaries of another version.
func StartOf(t testing.TB, b pgserver.Binaries, o Options) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), b, quick(o))
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

// quick gives up durability over a power cut, which no test has, and copies clusters.
func quick(o Options) Options {
	if o.Kept == "" {
		o.Kept = Kept()
	}
	settings := map[string]string{"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
	maps.Copy(settings, o.Settings)
	o.Settings = settings
	return o
}

// Kept is Options.Kept of tests; "" where this user has no cache, or may not write to it.
func Kept() string {
	folder, err := pgserver.KeptClusters()
	if err != nil {
		return ""
	}
	return folder
}

// Shared is one server for all tests of a binary, started by the first that
// needs it. The zero value is ready; its methods may be called at the same time.
type Shared struct {
	once   sync.Once
	server *pgserver.Server
	err    error
	count  atomic.Int64 // databases made so far

	mu   sync.Mutex
	idle []string // databases made empty again, because making one takes longest
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

// Database gives the URL of an empty database on the shared server, with no slot,
// no setting and no right of its own. It is the test's until the test ends.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	server := s.Server(t)
	name, ok := s.take()
	if !ok {
		name = fmt.Sprintf("test_%d", s.count.Add(1))
		if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE "+quote(name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { s.giveBack(t, name) })
	return server.URL(name)
}

func (s *Shared) take() (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.idle) - 1
	if last < 0 {
		return "", false
	}
	name, s.idle = s.idle[last], s.idle[:last]
	return name, true
}

// giveBack empties a database for the next test, or drops one that cannot be.
func (s *Shared) giveBack(t testing.TB, name string) {
	err := leave(s.server, name)
	if err == nil && empty(s.server, name) == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.idle = append(s.idle, name)
		return
	}
	if err == nil {
		err = s.server.Exec(context.Background(), "postgres", "DROP DATABASE "+quote(name))
	}
	if err != nil {
		t.Errorf("drop database %s: %v", name, err)
	}
}

// Database makes the named database on a server, and drops it when the test
// ends, together with its logical slots and connections.
func Database(t testing.TB, server *pgserver.Server, name string) {
	t.Helper()
	DatabaseAs(t, server, name, "")
}

// DatabaseAs is Database with options of CREATE DATABASE.
func DatabaseAs(t testing.TB, server *pgserver.Server, name, options string) {
	t.Helper()
	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE "+quote(name)+" "+options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(server, name); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
}

func drop(server *pgserver.Server, name string) error {
	if err := leave(server, name); err != nil {
		return err
	}
	return server.Exec(context.Background(), "postgres", "DROP DATABASE "+quote(name))
}

// emptySQL drops what a test may have made, and fails for what it does not know.
const emptySQL = `DO $$ DECLARE x record; BEGIN
	FOR x IN SELECT pubname AS name FROM pg_publication LOOP EXECUTE format('DROP PUBLICATION %I', x.name); END LOOP;
	FOR x IN SELECT extname AS name FROM pg_extension WHERE extname <> 'plpgsql' LOOP EXECUTE format('DROP EXTENSION %I CASCADE', x.name); END LOOP;
	FOR x IN SELECT nspname AS name FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname !~ '^pg_' LOOP
		EXECUTE format('DROP SCHEMA %I CASCADE', x.name);
	END LOOP;
	CREATE SCHEMA public;
	IF current_setting('server_version_num')::int >= 150000 THEN
		ALTER SCHEMA public OWNER TO pg_database_owner;
		GRANT USAGE ON SCHEMA public TO PUBLIC;
	ELSE
		GRANT ALL ON SCHEMA public TO PUBLIC;
	END IF;
	IF (SELECT datacl IS NOT NULL FROM pg_database WHERE datname = current_database())
		OR EXISTS (SELECT FROM pg_event_trigger) OR EXISTS (SELECT FROM pg_default_acl)
		OR EXISTS (SELECT FROM pg_foreign_data_wrapper) OR EXISTS (SELECT FROM pg_largeobject_metadata)
		OR EXISTS (SELECT FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()) THEN
		RAISE EXCEPTION 'the database is not as new';
	END IF;
END $$`

// empty makes a database that was left as new.
func empty(server *pgserver.Server, name string) error {
	return server.Exec(context.Background(), name, emptySQL, "ALTER DATABASE "+quote(name)+" RESET ALL")
}

// leave ends a database's connections and drops its slots. The walsenders come
// first: an active slot cannot go. Before version 15 one that ends leaves the list of
// connections first, and lets go of its slot then.
func leave(server *pgserver.Server, name string) error {
	literal := "'" + strings.ReplaceAll(name, "'", "''") + "'"
	return server.Exec(context.Background(), "postgres",
		`DO $$ BEGIN LOOP
			PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = `+literal+`;
			EXIT WHEN NOT FOUND AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE database = `+literal+` AND active);
			PERFORM pg_sleep(0.005); PERFORM pg_stat_clear_snapshot();
		END LOOP; END $$`,
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = "+literal)
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
