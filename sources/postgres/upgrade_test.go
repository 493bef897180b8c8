//go:build unix

package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// upgradeTables have what numbers differ by after a dump: columns that were dropped,
// types of one's own, partitions.
const upgradeTables = `
	CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN short AS varchar(10);
	CREATE TABLE t (id int PRIMARY KEY, gone int, m mood, s short, b bytea, a mood[]); ALTER TABLE t DROP COLUMN gone;
	CREATE TABLE p (id int, k int, s text, PRIMARY KEY (k, id)) PARTITION BY RANGE (k);
	CREATE TABLE p_a PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p_b PARTITION OF p FOR VALUES FROM (10) TO (20);
	INSERT INTO t SELECT i, 'sad', 's' || i, decode(md5(i::text), 'hex'), '{sad,NULL}' FROM generate_series(1, 100) i;
	INSERT INTO p SELECT i, i % 20, 's' FROM generate_series(1, 100) i`

// P41: a major upgrade by the programs that people use. The version lane has a newer
// server than the machine, for pg_dump, or an older one, for pg_upgrade.
func TestMajorUpgrade(t *testing.T) {
	t.Parallel()
	tested := pgtest.Binaries(t)
	installed, err := pgserver.Find()
	if err != nil {
		return // there is but the tested one
	}
	dump, noDump := installed.Tool("pg_dump")
	_, noUpgrade := installed.Tool("pg_upgrade")
	_, noNewer := tested.Tool("pg_upgrade")
	_, noReset := installed.Tool("pg_resetwal")
	if tested.Major > installed.Major && noNewer == nil && noReset == nil {
		t.Run(fmt.Sprintf("P41 pg_upgrade from %d to %d", installed.Major, tested.Major), func(t *testing.T) {
			upgraded(t, installed, tested, drainedByShutdown, func(old, now *pgserver.Server) { upgrade(t, installed.Dir, old, now) })
		})
	}
	switch {
	case tested.Major > installed.Major && noDump == nil:
		t.Run(fmt.Sprintf("P41 pg_dump of %d into %d", installed.Major, tested.Major), func(t *testing.T) {
			upgraded(t, installed, tested, drainedBefore, func(old, now *pgserver.Server) { restore(t, dump, old, now) })
		})
	case tested.Major >= 13 && tested.Major < installed.Major && installed.Major <= 16 && noUpgrade == nil: // of one format of pg_control
		t.Run(fmt.Sprintf("P41 pg_upgrade from %d to %d", tested.Major, installed.Major), func(t *testing.T) {
			upgraded(t, tested, installed, drainedByShutdown, func(old, now *pgserver.Server) {
				upgrade(t, programs(t, old.Binaries(), now.Binaries()), old, now)
			})
		})
	}
}

// drainedBefore drains a source while its server runs.
func drainedBefore(d *db, r *run, _ *pgserver.Server) Drained {
	d.fenceOff(r)
	done := r.drain(false)
	_ = d.conn.Close(context.Background())
	return done
}

// drainedByShutdown shuts the server down behind a writer who passes the fence.
func drainedByShutdown(d *db, r *run, old *pgserver.Server) Drained {
	t := r.t
	d.do("ALTER DATABASE %s SET default_transaction_read_only = on", pgsql.QuoteIdent(d.name()))
	done, _ := r.untilShutdown()
	d.do("BEGIN READ WRITE; UPDATE p SET s = 'late' WHERE id = 2; COMMIT")
	stopped := make(chan error, 1)
	go func() { stopped <- old.Stop(pgserver.Fast) }()
	wantLines(t, r.until(r.isDrained), "u p 2|2|late")
	wantCode(t, r.fails(), CodeDrained)
	if err := soon(t, "the end of the server", stopped); err != nil {
		t.Fatal(err)
	}
	return soon(t, "the end of the drain", done)
}

// upgraded drains a source on one server, and lets it go on on another one.
func upgraded(t *testing.T, from, to pgserver.Binaries, drain func(d *db, r *run, old *pgserver.Server) Drained, do func(old, now *pgserver.Server)) {
	old := pgtest.StartOf(t, from, pgtest.Options{Auth: "trust"})
	now := pgtest.StartOf(t, to, pgtest.Options{Auth: "trust"})
	if err := old.Exec(t.Context(), "postgres", "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	d := dbAt(t, old.URL("shop"))
	d.do(upgradeTables)
	c := d.config()
	r := open(t, c, pipeline.Resume{})
	if rows := len(r.snapshot()); rows != 200 {
		t.Fatalf("%d rows", rows)
	}
	d.do("UPDATE t SET m = 'glad' WHERE id <= 3")
	if rows := len(r.sync(d)); rows != 3 {
		t.Fatalf("%d rows", rows)
	}
	done := drain(d, r, old)
	resume := r.close()

	do(old, now)
	next := dbAt(t, now.URL("shop")) // reads only
	c.URL = func(context.Context) (string, error) { return next.url, nil }
	r = open(t, c, resume)
	wantLines(t, r.until(func(pipeline.Batch) bool { return r.resume.At.Seq > resume.At.Seq }))
	next.do(done.Next[4][strings.Index(done.Next[4], "BEGIN "):])
	next.afresh()
	next.do("INSERT INTO t VALUES (101, 'glad', 'new', '\\x01', '{glad}'); UPDATE p SET s = 'x' WHERE id = 1; DELETE FROM t WHERE id = 2")
	wantLines(t, r.sync(next), `c t 101|glad|new|\x01|{glad}`, "u p 1|1|x", "d t 2|?|?|?|? →")
	t.Logf("drained at %s, goes on at %s", done.Position, r.resume.At)
}

// restore takes a database to another server as SQL.
func restore(t *testing.T, dump string, old, now *pgserver.Server) {
	t.Helper()
	out := filepath.Join(old.Dir(), "run", "dump.sql")
	for _, step := range [][]string{
		{dump, "--create", "--file", out, "--dbname", old.URL("shop")},
		{filepath.Join(filepath.Dir(dump), "psql"), "--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--file", out, now.URL("postgres")},
	} {
		cmd, err := old.Tool(filepath.Base(step[0]), step[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "PGOPTIONS=-c default_transaction_read_only=off")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", step[0], err, said)
		}
	}
}

// upgrade takes a stopped cluster into a new one; programs has those of the old version.
func upgrade(t *testing.T, programs string, old, now *pgserver.Server) {
	t.Helper()
	for _, s := range []*pgserver.Server{old, now} {
		if err := s.Stop(pgserver.Fast); err != nil {
			t.Fatal(err)
		}
	}
	cmd, err := now.Tool("pg_upgrade", "-U", "postgres", "-b", programs, "-B", now.Binaries().Dir,
		"-d", filepath.Join(old.Dir(), "data"), "-D", filepath.Join(now.Dir(), "data"), "-p", fmt.Sprint(old.Port()), "-P", fmt.Sprint(now.Port()), "-s", filepath.Join(now.Dir(), "run"), "-o", "-c wal_level=logical -c max_replication_slots=20") // our settings are arguments
	if err != nil {
		t.Fatal(err)
	}
	cmd.Dir = filepath.Join(now.Dir(), "run")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_upgrade: %v: %s", err, said)
	}
	if err := now.Restart(t.Context(), pgserver.Fast); err != nil {
		t.Fatal(err)
	}
}

// programs makes a folder with the programs that pg_upgrade calls of the old version.
// Those that bundles lack are of the new one: they read pg_control, whose format is
// the same; pg_resetwal is told to only print, and looks at the version of the folder.
func programs(t *testing.T, old, now pgserver.Binaries) string {
	t.Helper()
	dir := pgtest.Dir(t)
	for _, name := range []string{"postgres", "pg_ctl", "initdb"} {
		link(t, filepath.Join(old.Dir, name), filepath.Join(dir, name))
	}
	link(t, filepath.Join(now.Dir, "pg_controldata"), filepath.Join(dir, "pg_controldata"))
	script := strings.NewReplacer("NEW", now.Dir, "MAJOR", fmt.Sprint(now.Major), "OLD", old.Version).Replace(`#!/bin/sh
set -e
case "$1" in -V) echo "pg_resetwal (PostgreSQL) OLD"; exit 0;; -n) ;; *) exit 1;; esac
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
mkdir "$d/global"; cp "$2/global/pg_control" "$d/global/"; ln -s "$2/pg_wal" "$d/pg_wal"; echo MAJOR > "$d/PG_VERSION"
"NEW/pg_resetwal" -n "$d"
`)
	if err := os.WriteFile(filepath.Join(dir, "pg_resetwal"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}
