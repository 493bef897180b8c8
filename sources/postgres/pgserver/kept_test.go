//go:build unix

package pgserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// A copied cluster is another system than the one it was copied from, in pg_control and
// in its WAL, which it recovers from.
func TestKeptClusters(t *testing.T) {
	b := pgtest.Binaries(t)
	cache := filepath.Join(t.TempDir(), "cache")
	options := pgserver.Options{Kept: filepath.Join(cache, "clusters"), Settings: map[string]string{"fsync": "off"}}
	seen := map[string]bool{}
	for range 3 { // made, copied, copied
		s, err := pgserver.Start(t.Context(), b, options)
		must(t, err)
		defer s.Close()
		must(t, s.Exec(t.Context(), "postgres", "CREATE TABLE kept AS SELECT 1 AS n"))
		must(t, s.Restart(t.Context(), pgserver.Immediate))
		if n := number(t, s, "SELECT n FROM kept"); n != 1 {
			t.Errorf("recovered %d", n)
		}
		seen[systemIdentifier(t, s)] = true
	}
	if len(seen) != 3 {
		t.Errorf("three clusters have %d identifiers", len(seen))
	}
	for path, want := range map[string]os.FileMode{cache: 0o755, options.Kept: 0o700} { // servers' programs lie in the first, too
		info, err := os.Stat(path)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o", path, got)
		}
	}
}

// systemIdentifier gives what a source tells systems apart by.
func systemIdentifier(t *testing.T, s *pgserver.Server) (id string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	must(t, err)
	defer conn.Close(t.Context())
	must(t, conn.QueryRow(t.Context(), "SELECT system_identifier::text FROM pg_control_system()").Scan(&id))
	return id
}

// A kept cluster that is damaged is named, with what mends it, and not what was tried
// because of it.
func TestKeptClusterIsDamaged(t *testing.T) {
	b := pgtest.Binaries(t)
	options := pgserver.Options{Kept: t.TempDir(), Settings: map[string]string{"fsync": "off"}}
	s, err := pgserver.Start(t.Context(), b, options)
	must(t, err)
	must(t, s.Close())
	controls, err := filepath.Glob(filepath.Join(options.Kept, "*", "data", "global", "pg_control"))
	if err != nil || len(controls) != 1 {
		t.Fatal(controls, err)
	}
	must(t, os.WriteFile(controls[0], []byte("torn"), 0o600))
	kept := filepath.Dir(filepath.Dir(filepath.Dir(controls[0])))
	if s, err = pgserver.Start(t.Context(), b, options); err == nil {
		must(t, s.Close())
		t.Fatal("it started")
	}
	if said := err.Error(); !strings.Contains(said, kept) || !strings.Contains(said, "mend: delete that folder") || strings.Contains(said, "initdb") {
		t.Errorf("it said\n%s", said)
	}
}
