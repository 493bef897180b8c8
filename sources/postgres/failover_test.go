package postgres

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// A failover is a primary, and two standbys made of it: one that follows, and one
// that does not any more.
type failover struct {
	t                     *testing.T
	primary, near, behind *pgserver.Server
	url                   atomic.Pointer[string] // where the source connects to
}

func newFailover(t *testing.T) *failover {
	t.Helper()
	return withStandbys(t, true)
}

// withStandbys makes a primary and the standby that follows, and maybe the other one.
func withStandbys(t *testing.T, both bool) *failover {
	t.Helper()
	f := &failover{t: t}
	dir := pgtest.Dir(t)
	f.primary = pgtest.Start(t, pgserver.Options{Dir: dir})
	f.run(f.primary, "CREATE TABLE t (id int PRIMARY KEY, s text)", "SELECT pg_create_physical_replication_slot('near')")
	if err := f.primary.Stop(pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	near, behind := f.copied(dir, "near"), ""
	if both {
		behind = f.copied(dir, "behind")
	}
	if err := f.primary.Restart(t.Context(), pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	f.near = pgtest.Start(t, pgserver.Options{Dir: near, Settings: f.following("near", both)})
	if both {
		f.behind = pgtest.Start(t, pgserver.Options{Dir: behind})
	}
	f.pointTo(f.primary)
	return f
}

// copied copies a stopped server, as a standby.
func (f *failover) copied(dir, name string) string {
	f.t.Helper()
	to := filepath.Join(pgtest.Dir(f.t), name)
	if out, err := exec.Command("cp", "-a", dir, to).CombinedOutput(); err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(to, "data", "standby.signal"), nil, 0o644); err != nil {
		f.t.Fatal(err)
	}
	return to
}

// following are the settings of a standby, which may also keep the failover slots. One
// that does ends when a database of theirs is dropped while it looks at them.
func (f *failover) following(slot string, slots bool) map[string]string {
	f.t.Helper()
	u, err := url.Parse(f.primary.URL("postgres"))
	if err != nil {
		f.t.Fatal(err)
	}
	password, _ := u.User.Password()
	settings := map[string]string{
		"primary_conninfo":  fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=postgres sslmode=disable", f.primary.Port(), password),
		"primary_slot_name": slot, "hot_standby_feedback": "on",
		"wal_receiver_status_interval": "1s",
	}
	if slots && dbAt(f.t, f.primary.URL("postgres")).major() >= 17 {
		settings["sync_replication_slots"] = "on"
	}
	return settings
}

func (f *failover) run(s *pgserver.Server, sql ...string) {
	f.t.Helper()
	if err := s.Exec(f.t.Context(), "postgres", sql...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *failover) pointTo(s *pgserver.Server) {
	to := s.URL("postgres")
	f.url.Store(&to)
}

// promote ends the primary, which sends its standby all that it has, and makes a
// standby the primary.
func (f *failover) promote(s *pgserver.Server) *db {
	f.t.Helper()
	if err := f.primary.Stop(pgserver.Fast); err != nil {
		f.t.Fatal(err)
	}
	d := dbAt(f.t, s.URL("postgres"))
	if d.get("SELECT pg_promote()") != "t" {
		f.t.Fatal("the standby was not promoted")
	}
	return d
}

// synced waits until a standby has the slot as well, and may be promoted. For that
// the slot has to move past a place from which the standby can decode.
func (f *failover) synced(slot string, primary *db, r *run) {
	f.t.Helper()
	d := dbAt(f.t, f.near.URL("postgres"))
	eventually(f.t, "the slot on the standby", func() bool {
		primary.do("SELECT pg_log_standby_snapshot()")
		r.sync(primary)
		return d.get("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '%s' AND synced AND NOT temporary", slot) == "1"
	})
}

func TestFailover(t *testing.T) {
	t.Parallel()
	f := newFailover(t)
	d := dbAt(t, f.primary.URL("postgres"))
	c := d.config()
	c.Slot = "failing_over"
	c.URL = func(context.Context) (string, error) { return *f.url.Load(), nil }
	d.do("INSERT INTO t VALUES (1, 'copied')")
	r := open(t, c, pipeline.Resume{})
	wantLines(t, r.snapshot(), "r t 1|copied")
	d.do("INSERT INTO t VALUES (2, 'streamed')")
	wantLines(t, r.sync(d), "c t 2|streamed")
	keeps := d.major() >= 17
	if keeps {
		f.synced(c.Slot, d, r)
	}
	before := r.resume
	promoted := f.promote(f.near)
	f.pointTo(f.near)

	t.Run("P37 the standby is promoted", func(t *testing.T) {
		if !keeps {
			wantCode(t, r.fails(), CodeSlotMissing) // before version 17 it has no slot
			return
		}
		promoted.do("INSERT INTO t VALUES (3, 'promoted')")
		wantLines(t, r.sync(promoted), "c t 3|promoted")
		from := r.close()
		promoted.do("UPDATE t SET s = 'again' WHERE id = 2")
		r = open(t, c, from)
		wantLines(t, r.sync(promoted), "u t 2|again")
	})
	t.Run("P38 a standby is promoted that lacks what was captured", func(t *testing.T) {
		if other := dbAt(t, f.behind.URL("postgres")); other.get("SELECT pg_promote()") != "t" {
			t.Fatal("the standby was not promoted")
		}
		f.pointTo(f.behind)
		_, err := tryOpen(t, c, before)
		if got := wantCode(t, err, CodeAhead); got.Where != "postgres" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("P39 a position of a timeline that this one does not come from", func(t *testing.T) {
		other := before
		other.State = []byte(string(other.State))
		was, err := decodeState(other.State)
		if err != nil {
			t.Fatal(err)
		}
		was.Timeline = 7
		other.State = was.encode()
		_, err = tryOpen(t, c, other)
		wantCode(t, err, CodeOtherServer)
	})
}

func TestHistoryOfTimelines(t *testing.T) {
	got := parseHistory("1\t0/3000148\tno recovery target specified\n\n# a comment\n2\t1/A0\tbefore 2026-01-01\nbroken\n")
	if !slices.Equal(got, []forking{{1, 0x3000148}, {2, 0x1_000000A0}}) {
		t.Errorf("got %v", got)
	}
}
