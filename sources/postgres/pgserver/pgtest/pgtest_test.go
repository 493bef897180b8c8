package pgtest_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

func TestDatabasesAreFresh(t *testing.T) {
	for _, story := range []string{"first", "second"} {
		t.Run(story, func(t *testing.T) {
			conn, err := pgx.Connect(t.Context(), pg.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			// Left open, with a slot behind: the cleanup must cope with both.
			if _, err := conn.Exec(t.Context(), "CREATE TABLE orders (id int PRIMARY KEY)"); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), "SELECT pg_create_logical_replication_slot('s', 'pgoutput')"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestOwnServerTakesSettings(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"wal_level": "replica"}})
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var level, fsync string
	if err := conn.QueryRow(t.Context(), "SELECT current_setting('wal_level'), current_setting('fsync')").Scan(&level, &fsync); err != nil {
		t.Fatal(err)
	}
	if level != "replica" || fsync != "off" {
		t.Errorf("wal_level %s, fsync %s; want replica, off", level, fsync)
	}
}
