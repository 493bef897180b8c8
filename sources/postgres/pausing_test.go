package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
)

func TestCopiesPause(t *testing.T) {
	t.Parallel()
	waits := func(r *run, why string) func() bool {
		return func() bool { return strings.Contains(r.source.Stats().WaitingFor, why) }
	}
	t.Run("P11 while vacuum is held back, and outside of their time", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
		old := dbAt(t, d.url)
		c := d.config()
		c.Pause.OldestXmin = 100_000
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		r.copyIt("a")
		wantLines(t, r.until(done), "r t 1")
		from := r.close()

		c.Pause.OldestXmin = 20
		old.do("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t")
		for range 30 {
			d.do("INSERT INTO t SELECT max(id) + 1 FROM t")
		}
		r = open(t, c, from)
		r.sync(d)
		r.copyIt("b")
		eventually(t, "the copy to pause", waits(r, "vacuum is held back by"))
		old.do("COMMIT")
		from = r.close()

		c.Pause = Pause{}
		c.SnapshotDaytimes = handover.Daytimes{From: 22 * time.Hour, To: 23 * time.Hour}
		c.Now = func() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.Local) }
		r = open(t, c, from)
		r.sync(d)
		r.copyIt("b")
		eventually(t, "the copy to wait for its time", waits(r, "goes on at 22:00"))
		from = r.close()
		c.Now = func() time.Time { return time.Date(2026, 1, 1, 22, 30, 0, 0, time.Local) }
		r = open(t, c, from)
		r.copyIt("b")
		if lines := r.until(done); len(lines) < 31 {
			t.Errorf("%d rows", len(lines))
		}
	})
	t.Run("P05 while the slot holds back much log", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		from := r.close()
		c := d.config()
		c.Pause.RetainedWAL = 64 << 10
		d.do("INSERT INTO t SELECT generate_series(1, 5000)")
		r = open(t, c, from)
		r.ack = false
		r.sync(d)
		r.copyIt("a")
		eventually(t, "the copy to pause", waits(r, "the slot holds back "))
		_ = r.source.Close()
		c.Pause.RetainedWAL = 1 << 40
		r = open(t, c, from)
		r.sync(d)
		r.copyIt("a")
		if lines := r.until(done); len(lines) < 5000 {
			t.Errorf("%d rows", len(lines))
		}
	})
	t.Run("P01 a slot that holds back too much is released when that is asked for", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		c := d.config()
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		from := r.close()
		c.MaxRetainedWAL = 64 << 10
		d.do("INSERT INTO t SELECT generate_series(1, 5000)")
		r = open(t, c, from)
		r.ack = false
		r.sync(d) // it is told, and goes on
		_ = r.source.Close()
		c.ReleaseSlot = true
		r = open(t, c, from)
		r.ack = false
		wantCode(t, r.fails(), CodeSlotReleased)
		_ = r.source.Close()
		if n := d.get("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '%s'", c.Slot); n != "0" {
			t.Error("the slot is still there")
		}
	})
}

func TestNothingIsCopiedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
	c := d.config()
	c.NoSnapshot = true
	r := open(t, c, pipeline.Resume{})
	wantLines(t, r.snapshot())
	d.do("INSERT INTO t VALUES (2); CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)")
	wantLines(t, r.sync(d), "c t 2")
	for len(r.tables) < 2 { // it may have come already
		wantLines(t, r.until(func(pipeline.Batch) bool { return true }))
	}
	d.do("INSERT INTO late VALUES (2)")
	wantLines(t, r.sync(d), "c late 2")
	r.copyIt("a")
	wantLines(t, r.until(done), "r t 1", "r t 2")
}
