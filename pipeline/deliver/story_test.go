package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/sinktest"
)

// TestStory tells a sink's life: it is filled, follows, stops, goes on, and begins
// anew when what it has became worthless; readers see the old rows until then.
func TestStory(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"), put(2, "b"))
	w.start()
	w.check()
	w.said.Await(w.t, "fills", "whole at 2")
	w.source.Commit(put(2, "B"), remove(1))
	w.check()
	w.stop()
	w.source.Commit(put(3, "c"))
	w.start()
	w.check()
	w.said.Await(w.t, "goes on at 3")
	w.source.Commit(truncate(), put(4, "d"))
	w.check()
	w.said.Await(w.t, "anew: rows that it holds became void: the table was truncated or made anew", "fills", "whole at 5")
	w.source.Commit(put(5, "e"))
	w.check()
	w.stop()
	w.reset()
	w.start()
	w.until("the first life is over", func(s deliver.Status) bool { return s.Totals.Renewals == 1 })
	w.check()
	w.said.Await(w.t, "goes on at 6", "anew: source shop began anew", "fills", "whole at 1")
	w.stop()
	w.source.Commit(put(7, "g"))
	w.reset(itemsTopic)
	w.source.Commit(put(8, "h"))
	w.start()
	w.until("the second life is over", func(s deliver.Status) bool { return s.Totals.Renewals == 1 })
	w.check()
}

// TestDefinition tells that another definition fills the target anew, from the
// topic's beginning (R15, R16): what compaction left is enough.
func TestDefinition(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	for n := range 5 {
		w.source.Commit(put(1, strings.Repeat("x", n)), put(n, "y"), remove(n))
	}
	w.start()
	w.check()
	w.stop()
	if err := w.log.Admin().Compact(t.Context(), itemsTopic); err != nil {
		t.Fatal(err)
	}
	w.said.Take()
	w.config.Definition = "two"
	w.start()
	w.until("it was filled anew", func(s deliver.Status) bool { return s.Totals.Renewals == 1 })
	w.check()
	w.said.Await(w.t, "anew: its definition changed", "fills", "whole at 6")
}

// TestHeld tells that a table which is copied or has stopped holds the sink where
// it is, with the reason.
func TestHeld(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.until("it is held", func(s deliver.Status) bool {
		return s.Held != nil && strings.Contains(s.Held.What, "source shop has committed nothing yet")
	})
	w.source.Begin()
	w.source.Commit(put(1, "a"))
	w.check()
	if s := w.delivery.Status(); s.Phase != deliver.Following || s.Held != nil {
		t.Errorf("%+v", s)
	}
}

// TestIdle tells that heartbeats without rows are shown at once, and are not
// committed each.
func TestIdle(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"))
	w.start()
	w.check()
	commits := w.delivery.Status().Totals.Commits
	for range 20 {
		w.source.Commit()
		w.caughtUp()
	}
	if s := w.delivery.Status(); s.Totals.Commits != commits || !s.Behind.Since.IsZero() {
		t.Errorf("%d commits for heartbeats, behind %+v", s.Totals.Commits-commits, s.Behind)
	}
	w.source.Commit(put(2, "b"))
	w.check()
	if got := w.delivery.Status().Totals.Commits; got != commits+1 {
		t.Errorf("%d commits for a row", got-commits)
	}
}

// TestShapes tells that rows come in the newest shape of the table, which is
// announced before the first of them.
func TestShapes(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"))
	seen := &seeing{}
	w.config.Target = func() (deliver.Target, error) { return seen.over(w.system.New(t)), nil }
	w.start()
	w.check()
	wide := *sinktest.Items
	wide.Version = 2
	wide.Columns = append(append([]schema.Column(nil), wide.Columns...), schema.Column{Name: "born", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}, Nullable: true})
	w.source.Tables = []*schema.Table{&wide}
	w.source.Commit(pipeline.Change{Op: pipeline.Create, After: append(row(2, "b"), schema.Int(1999))})
	w.check()
	seen.want(t, "2 columns, 1/0 id 1", "3 columns, 1/0 id 2")
	t.Run("a fill reads old rows in the newest shape", func(t *testing.T) {
		w.stop()
		w.config.Definition = "two"
		w.start()
		w.until("it was filled anew", func(s deliver.Status) bool { return s.Totals.Renewals == 1 && s.At.Seq == w.source.Seq })
		seen.want(t, "3 columns, 1/0 id 1", "3 columns, 1/0 id 2")
	})
}

// TestPoison tells that a record which cannot be read stops the sink where it is,
// says where, and what the system holds stays.
func TestPoison(t *testing.T) {
	for name, record := range intaketest.Poison() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.source.Begin()
			w.source.Commit(put(1, "a"))
			w.start()
			w.check()
			before := w.now()
			at := w.sneak(record)
			for range 3 { // each Run comes to the same end, and loses nothing
				err := w.ended()
				if pipeline.CodeOf(err) != deliver.CodePoison || !strings.Contains(err.Error(), at) {
					t.Fatalf("ended with %v, want a refusal that names %s", err, at)
				}
				w.want(before)
				w.again()
			}
			_ = w.ended()
			w.close()
		})
	}
}

// TestGone tells what stops a sink when its topics are not what they were.
func TestGone(t *testing.T) {
	isGone := func(s deliver.Status) bool {
		return s.Phase == deliver.Frozen && strings.Contains(s.Held.What, "is gone") && !s.Behind.Since.IsZero()
	}
	t.Run("R23 the frontier is gone, and begins anew", func(t *testing.T) {
		w := newWorld(t)
		w.source.Begin()
		w.source.Commit(put(1, "a"), put(2, "b"))
		w.start()
		w.check()
		before := w.now()
		w.source.Close()
		if err := w.log.Admin().Delete(t.Context(), log.FrontierTopic("test", "shop")); err != nil {
			t.Fatal(err)
		}
		w.until("it says so while it runs", isGone)
		w.start()
		w.until("it says so when it starts", isGone)
		w.want(before)
		w.reset()
		w.source.Commit(put(1, "again"))
		w.check()
	})
	t.Run("O16 R05 the frontier of a view went back", func(t *testing.T) {
		w := newWorld(t)
		w.source.Begin()
		w.source.Commit(put(1, "a"))
		frontier := intaketest.Frontier(t, w.log, log.FrontierTopic("test", "shop"))
		w.config.Positions = func(f *log.Frontier) (map[string]string, error) {
			return map[string]string{"shop": f.Resume.At.Native}, nil
		}
		w.config.Compare = func(has, had *log.Frontier) (deliver.Order, error) {
			switch {
			case has.Incarnation != had.Incarnation:
				t.Error("cuts of two incarnations are compared")
			case had.Number < 99:
				return deliver.Follows, nil
			case has.Resume.At.Seq < 4:
				return deliver.Below, nil
			}
			return deliver.Beside, nil
		}
		w.hold(deliver.NewPlace("one", log.Frontier{Number: 99, Incarnation: frontier.Incarnation, Resume: pipeline.Resume{At: pipeline.Position{Seq: 99, Native: "0/99"}}}))
		w.start()
		below := func(s deliver.Status) bool {
			return s.Held != nil && strings.Contains(s.Held.What, "an older log was restored")
		}
		w.until("it waits", below)
		w.source.Commit(put(2, "b"))
		w.until("it waits on", below)
		w.source.Commit(put(3, "c"))
		w.check()
		if said := w.said.Take(); !strings.Contains(said, "anew: an older log was restored") {
			t.Errorf("it said\n%s", said)
		}
	})
	t.Run("O16 a number that was delivered is that of other rows", func(t *testing.T) {
		w := newWorld(t)
		w.source.Begin()
		w.source.Commit(put(1, "a"))
		now := intaketest.Frontier(t, w.log, log.FrontierTopic("test", "shop"))
		w.hold(deliver.NewPlace("one", log.Frontier{Number: now.Number, Incarnation: now.Incarnation, Resume: pipeline.Resume{At: pipeline.Position{Seq: 1, Native: "0/1"}}}))
		w.start()
		w.check()
	})
	t.Run("R05 the frontier went back", func(t *testing.T) {
		w := newWorld(t)
		w.source.Begin()
		w.source.Commit(put(1, "a"))
		at := deliver.NewPlace("one", log.Frontier{Number: 99, Incarnation: intaketest.Frontier(t, w.log, log.FrontierTopic("test", "shop")).Incarnation, Resume: pipeline.Resume{At: pipeline.Position{Seq: 99, Native: "0/99"}}})
		w.hold(at)
		w.start()
		if err := w.ended(); pipeline.CodeOf(err) != deliver.CodeInputBack {
			t.Fatalf("ended with %v", err)
		}
		w.close()
	})
}

// TestRenewals tells that a target which has to be filled anew again before it was
// whole stops, with a code, and that one try later it goes on.
func TestRenewals(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"))
	torn := 0
	w.config.Target = func() (deliver.Target, error) { return &tearing{w.system.New(t), &torn}, nil }
	w.start()
	w.check()
	torn = 2
	w.source.Commit(put(2, "b"))
	if err := w.ended(); pipeline.CodeOf(err) != deliver.CodeRenewals {
		t.Fatalf("ended with %v", err)
	}
	w.again()
	w.check()
}

// TestRest tells that a sink can be made to stay at a cut.
func TestRest(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"))
	w.start()
	w.check()
	at, release, err := w.delivery.Rest(t.Context())
	cut := at.Cut
	if err != nil || cut.Resume.At.Seq != 2 {
		t.Fatalf("rests at %s: %v", cut.Resume.At, err)
	}
	w.source.Commit(put(1, "b"))
	if err := w.log.Admin().Compact(t.Context(), itemsTopic); err != nil {
		t.Fatal(err)
	}
	w.until("the source is seen to be ahead", func(s deliver.Status) bool { return s.Behind.Records > 0 })
	if ok, err := w.log.Admin().Sound(t.Context(), cut.Offsets, time.Time{}); !ok || err != nil {
		t.Errorf("the cut is not sound any more: %v", err)
	}
	w.want(rows{1: "a"})
	release()
	w.check()
}

// TestRestEnds tells that a sink whose run ended rests nowhere: another process may
// go on with it.
func TestRestEnds(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"))
	d := w.start()
	w.check()
	_, release, err := d.Rest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	w.stop()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if at, again, err := d.Rest(over); err == nil {
		again()
		t.Errorf("it rests at %s, and nobody runs it", at.Cut.Resume.At)
	}
}

// TestAway tells that a system which is away for hours holds nobody back, that how
// far it is behind is known meanwhile, and that it is caught up with afterwards.
func TestAway(t *testing.T) {
	t.Run("S07 the system is away for hours", func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		var clock time.Duration
		began := time.Unix(2_000_000, 0)
		w.config.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return began.Add(clock) }
		away := &awaying{}
		w.config.Target = func() (deliver.Target, error) { return away.over(w.system.New(t)), nil }
		w.source.Begin()
		w.source.Commit(put(1, "a"))
		w.start()
		w.check()
		away.set(true)
		for n := range 200 {
			w.source.Commit(put(n%7, strings.Repeat("v", n)), remove(n%5))
			mu.Lock()
			clock += time.Minute
			mu.Unlock()
			if n%20 == 0 {
				if err := w.ended(); !errors.Is(err, errAway) {
					t.Fatalf("ended with %v", err)
				}
				w.again()
			}
		}
		if err := w.ended(); !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		limit := time.After(3 * time.Minute)
		for {
			moved := w.delivery.Moved()
			if s := w.delivery.Status(); s.Behind.Records > 300 && w.config.Now().Sub(s.Behind.Since) > 3*time.Hour {
				break
			}
			select {
			case <-moved:
			case <-limit:
				t.Fatalf("behind: %+v", w.delivery.Status().Behind)
			}
		}
		if err := w.log.Admin().Compact(t.Context(), itemsTopic); err != nil { // nothing of it is pinned
			t.Fatal(err)
		}
		away.set(false)
		w.again()
		w.check()
		if s := w.delivery.Status(); s.Behind.Records != 0 || !s.Behind.Since.IsZero() {
			t.Errorf("behind: %+v", s.Behind)
		}
	})
}

// TestForgotten tells that a sink which slept for longer than its topic keeps
// tombstones is filled anew: deletes may be gone that it never saw.
func TestForgotten(t *testing.T) {
	for _, c := range []struct {
		slept time.Duration
		anew  uint64
	}{{5 * 24 * time.Hour, 0}, {6 * 24 * time.Hour, 1}} {
		t.Run(fmt.Sprint("K17 it slept for ", c.slept), func(t *testing.T) {
			w := newWorld(t)
			w.config.Log = &retaining{w.log, 7 * 24 * time.Hour}
			w.source.Begin()
			w.source.Commit(put(1, "a"), put(2, "b"))
			w.start()
			w.check()
			w.stop()
			cut := intaketest.Frontier(t, w.log, log.FrontierTopic("test", "shop")).Clone()
			cut.Time = time.Unix(2_000_000, 0)
			w.hold(deliver.NewPlace("one", cut))
			w.source.Commit(remove(1))
			if err := w.log.Admin().Compact(t.Context(), itemsTopic); err != nil {
				t.Fatal(err)
			}
			w.config.Now = func() time.Time { return cut.Time.Add(c.slept) }
			w.start()
			w.check()
			if s := w.delivery.Status(); s.Totals.Renewals != c.anew {
				t.Errorf("it was filled anew %d times", s.Totals.Renewals)
			}
		})
	}
}

// retaining is a log that does not tell of the tombstones that it has dropped.
type retaining struct {
	log.Log
	keeps time.Duration
}

type retainingAdmin struct {
	log.Admin
	keeps time.Duration
}

func (r *retaining) Admin() log.Admin { return &retainingAdmin{r.Log.Admin(), r.keeps} }

func (r *retainingAdmin) Topics(ctx context.Context, names ...string) ([]log.TopicInfo, error) {
	infos, err := r.Admin.Topics(ctx, names...)
	for i := range infos {
		infos[i].Retention = r.keeps
	}
	return infos, err
}

// hold makes the system hold a place.
func (w *world) hold(at pipeline.Resume) {
	w.t.Helper()
	target := w.system.New(w.t)
	defer target.Close()
	if _, err := target.Open(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	if err := target.Commit(context.Background(), at); err != nil {
		w.t.Fatal(err)
	}
}

// TestWrittenTwice tells that a row which a writer that was cut off has written
// again is dropped by its place, behind newer rows, in a sink that runs and in one
// that is started anew (I2).
func TestWrittenTwice(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "old"))
	first := w.record(0)
	w.source.Commit(put(1, "new"))
	w.start()
	w.check()
	w.sneak(first)
	w.check()
	w.stop()
	w.sneak(first)
	w.start()
	w.check()
	w.stop()
	w.config.Definition = "two"
	w.start()
	w.until("it was filled anew", func(s deliver.Status) bool { return s.Totals.Renewals == 1 })
	w.check()
}

// record gives the record of the table topic at an offset.
func (w *world) record(offset int64) (found log.Record) {
	w.t.Helper()
	bounds := log.Ends{Start: offset, Stable: offset + 1}
	err := log.Scan(context.Background(), w.log, log.TopicPartition{Topic: itemsTopic}, bounds, func(r *log.Record) error {
		found = log.Record{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
		for _, h := range r.Headers {
			found.Headers = append(found.Headers, log.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		return nil
	})
	if err != nil || found.Key == nil {
		w.t.Fatalf("offset %d: %v", offset, err)
	}
	return found
}
