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
	for _, story := range []string{"first", "second", "third, after one that cannot be emptied"} {
		t.Run(story, func(t *testing.T) {
			conn, err := pgx.Connect(t.Context(), pg.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			// Left open, with a slot behind: the cleanup must cope with both.
			var memory string
			if err := conn.QueryRow(t.Context(), "SELECT current_setting('work_mem')").Scan(&memory); err != nil || memory != "4MB" {
				t.Errorf("work_mem is %s (%v)", memory, err)
			}
			for _, sql := range []string{
				"CREATE TABLE orders (id int PRIMARY KEY)", "CREATE SCHEMA other", "CREATE TYPE mood AS ENUM ('sad')",
				"CREATE PUBLICATION p FOR TABLE orders", "CREATE EXTENSION citext",
				"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''1MB''', current_database()); END $$",
			} {
				if _, err := conn.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			if story == "second" {
				if _, err := conn.Exec(t.Context(), "SELECT lo_create(0)"); err != nil {
					t.Fatal(err)
				}
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
