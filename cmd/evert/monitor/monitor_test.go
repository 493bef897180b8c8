package monitor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// a day on which a source works, hangs, and works again.
type day struct {
	now time.Time
	*Source
}

func newDay() *day {
	d := &day{now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	d.Source = NewSource(Config{Name: "shop", Kind: "postgres", StuckAfter: time.Minute, Now: func() time.Time { return d.now }})
	return d
}

func (d *day) pass(span time.Duration) { d.now = d.now.Add(span) }

func (d *day) commit(rows int, native string) {
	d.Events().Written(pipeline.Batch{Changes: changes(rows)})
	d.Events().Committed(pipeline.Committed{Rows: rows, Ends: 1, Time: d.now.Add(-20 * time.Millisecond),
		At: pipeline.Resume{At: pipeline.Position{Seq: d.Position().At.Seq + 1, Native: native}}, Took: 3 * time.Millisecond})
}

func changes(n int) []pipeline.Change {
	t := &schema.Table{Schema: "public", Name: "orders"}
	c := make([]pipeline.Change, n)
	for i := range c {
		c[i] = pipeline.Change{Table: t, Op: pipeline.Read}
	}
	return c
}

func (d *day) light() Light { return Judge([]SourceStatus{d.Status()}).Light }

func TestO12Health(t *testing.T) {
	t.Run("O12 red when the server moves and we do not", func(t *testing.T) {
		d := newDay()
		d.Events().Opened(pipeline.Resume{At: pipeline.Position{Seq: 7, Native: "0/7"}})
		d.Probed(Probe{End: "0/9", LagBytes: 2, Ahead: true})
		d.pass(59 * time.Second)
		if d.light() != OK {
			t.Fatalf("before the minute: %v", d.Status())
		}
		d.pass(2 * time.Second)
		st := d.Status()
		if d.light() != Red || st.State != Stuck || st.Problem.Code != "SOURCE_STUCK" {
			t.Fatalf("after the minute: %+v", st)
		}
		d.commit(3, "0/9")
		if d.light() != OK {
			t.Fatalf("after a commit: %v", d.light())
		}
	})
	t.Run("O12 idle is not stuck", func(t *testing.T) {
		d := newDay()
		d.Events().Opened(pipeline.Resume{At: pipeline.Position{Seq: 7, Native: "0/7"}})
		d.Probed(Probe{End: "0/7"})
		d.pass(time.Hour)
		if d.light() != OK || d.Status().State != Streaming {
			t.Fatalf("an idle hour: %+v", d.Status())
		}
	})
	t.Run("O12 rows that wait for the log degrade before the source is stuck", func(t *testing.T) {
		d := newDay()
		d.Events().Opened(pipeline.Resume{At: pipeline.Position{Seq: 7, Native: "0/7"}})
		d.pass(time.Hour) // idle
		d.Events().Writing(pipeline.Batch{Changes: changes(3)})
		if d.light() != OK {
			t.Fatalf("the first row after an idle hour: %+v", d.Status())
		}
		d.pass(6 * time.Second)
		if st := d.Status(); d.light() != Degraded || st.Problem.Code != "LOG_WAITS" {
			t.Fatalf("a write that waits: %+v", st)
		}
		d.Events().Written(pipeline.Batch{Changes: changes(3)})
		d.pass(4 * time.Second)
		if d.light() != OK {
			t.Fatalf("after 4 s: %+v", d.Status())
		}
		d.pass(2 * time.Second)
		st := d.Status()
		if d.light() != Degraded || st.State != Waiting || st.Problem.Code != "LOG_WAITS" || !st.Ready || !st.Up() {
			t.Fatalf("after 6 s: %+v", st)
		}
		d.Probed(Probe{End: "0/9", Ahead: true})
		d.pass(time.Minute)
		if d.light() != Red || d.Status().Problem.Code != "SOURCE_STUCK" {
			t.Fatalf("after a minute: %+v", d.Status())
		}
		d.commit(3, "0/9")
		if d.light() != OK {
			t.Fatalf("after the commit: %+v", d.Status())
		}
	})
	t.Run("O12 a snapshot that hangs is stuck", func(t *testing.T) {
		d := newDay()
		d.Events().Opened(pipeline.Resume{})
		d.pass(61 * time.Second)
		if d.light() != Red {
			t.Fatalf("a snapshot without a row for a minute: %+v", d.Status())
		}
	})
	t.Run("a failure degrades, a refusal is red", func(t *testing.T) {
		d := newDay()
		d.commit(1, "0/1")
		d.Failed(errors.New("connection reset"), time.Second, false)
		if d.light() != Degraded {
			t.Fatal("a failure that passes by itself")
		}
		d.Failed(&pipeline.Refusal{Code: "WRONG_PASSWORD", What: "no", Mend: "do"}, time.Minute, true)
		st := d.Status()
		if d.light() != Red || st.Problem.Mend != "do" || strings.Contains(st.Problem.Text, "mend") {
			t.Fatalf("a refusal: %+v", st.Problem)
		}
		if h := Judge([]SourceStatus{st}); !h.Ready {
			t.Fatal("its topics hold a cut and stay readable")
		}
	})
}

func TestSnapshotProgress(t *testing.T) {
	d := newDay()
	copied := TableCopy{Table: "public.orders", Estimate: 400}
	d.Facts = func() (Facts, bool) { return Facts{Connected: true, Copies: []TableCopy{copied}}, true }
	d.Events().Opened(pipeline.Resume{})
	d.pass(10 * time.Second)
	copied.Rows = 100
	p := d.Status().Snapshot
	if p == nil || p.Rows != 100 || p.RowsTotal != 400 || *p.LeftSeconds != 30 || p.Share() != 0.25 {
		t.Fatalf("a quarter after 10 s: %+v", p)
	}
	if h := Judge([]SourceStatus{d.Status()}); h.Ready || h.Light != Degraded {
		t.Fatalf("before the first cut: %+v", h)
	}
	copied.Rows, copied.Done = 380, true
	if p := d.Status().Snapshot; p.Share() != 1 || p.TablesDone != 1 {
		t.Fatalf("done below the estimate: %+v", p)
	}
	d.commit(0, "0/1")
	if st := d.Status(); st.Snapshot != nil || st.State != Streaming || !st.Ready {
		t.Fatalf("after the first cut: %+v", st)
	}
}

func TestRetriesDoNotFlicker(t *testing.T) {
	d := newDay()
	d.Failed(&pipeline.Refusal{Code: "WRONG_PASSWORD", What: "no"}, time.Minute, true)
	d.Starting(2)
	d.StandingBy()
	if d.light() != Red {
		t.Fatalf("while it is tried again: %+v", d.Status())
	}
	d.pass(time.Minute)
	if st := d.Status(); st.State != Standby || !st.Ready || d.light() != OK {
		t.Fatalf("another daemon holds it: %+v", st)
	}
	d.Owning()
	d.Events().Opened(pipeline.Resume{At: pipeline.Position{Seq: 1, Native: "0/1"}})
	if d.light() != OK || d.Status().State != Streaming {
		t.Fatalf("after it opened: %+v", d.Status())
	}
}

func TestLostConnection(t *testing.T) {
	d := newDay()
	d.Facts = func() (Facts, bool) { return Facts{LastError: "connection refused"}, true }
	d.Events().Opened(pipeline.Resume{At: pipeline.Position{Seq: 7, Native: "0/7"}})
	d.Probed(Probe{End: "0/9", Ahead: true})
	d.pass(time.Hour)
	if st := d.Status(); st.State != Waiting || st.Problem.Code != "SOURCE_DISCONNECTED" || d.light() != Degraded {
		t.Fatalf("the server is away: %+v", st)
	}
}

func TestLimitSeconds(t *testing.T) {
	d := newDay()
	left := func(limit int64) *float64 {
		d.Probed(Probe{LimitBytes: &limit})
		d.pass(10 * time.Second)
		return d.Status().Server.LimitSeconds
	}
	if s := left(1500); s != nil {
		t.Fatalf("after one answer: %v", *s)
	}
	if s := left(1000); s == nil || *s != 20 {
		t.Fatalf("1000 bytes that shrink by 50 a second: %v", s)
	}
	if s := left(1500); s != nil {
		t.Fatalf("it grew back: %v", *s)
	}
	left(500)
	if s := left(-100); s == nil || *s != 0 {
		t.Fatalf("beyond the limit: %v", s)
	}
	d.Probed(Probe{Slot: "lost"})
	if s := d.Status().Server; s.LimitSeconds != nil || s.Slot != "lost" {
		t.Fatalf("what we need is gone: %+v", s)
	}
}
