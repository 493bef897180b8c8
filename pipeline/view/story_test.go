package view_test

import (
	"context"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema"
)

// wantStory waits for what is said: an epoch is seen before it is told.
func (w *world) wantStory(lines ...string) {
	w.t.Helper()
	w.said.Await(w.t, lines...)
}

// TestEpochs tells how transactions of two sources become epochs, through a
// clean restart.
func TestEpochs(t *testing.T) {
	w := newWorld(t)
	shop, billing := w.sources["shop"], w.sources["billing"]
	w.begin()
	shop.Commit(put(customers, customer(1, "Ada")), put(customers, customer(2, "Bo")), put(orders, amount(10, 1, 5)))
	w.start()
	w.check()
	w.wantStory("hydrates: there is none yet, tail 0", "epoch 1: 3 in, 2 out, 1 parts")
	billing.Commit(put(payments, amount(20, 1, 3)))
	w.check()
	shop.Commit(put(orders, amount(11, 2, 7)), remove(orders, amount(10, 1, 5)))
	w.check()
	w.wantStory("epoch 2: 1 in, 1 out, 1 parts", "epoch 3: 3 in, 2 out, 1 parts")
	w.stop()
	shop.Commit(remove(customers, customer(1, "Ada")))
	w.start()
	w.check()
	w.wantStory("goes on, tail 0", "epoch 4: 2 in, 1 out, 1 parts")
}

// TestIdle tells that positions without rows are shown, and cost no commit.
func TestIdle(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.start()
	w.check()
	w.wantStory("hydrates: there is none yet, tail 0", "epoch 1: 0 in, 0 out, 1 parts")
	w.sources["shop"].Commit()
	w.check()
	w.wantStory()
	if got := w.frontier().Number; got != 0 {
		t.Errorf("an idle source made frontier record %d", got)
	}
	w.stop()
	w.config.Limits.IdleCommit = 1
	w.start()
	w.check()
	w.sources["shop"].Commit()
	w.check()
	if got := w.frontier().Number; got < 1 {
		t.Error("a position was never committed")
	}
}

func (w *world) frontier() *log.Frontier {
	w.t.Helper()
	return intaketest.Frontier(w.t, w.log, view.FrontierTopic("test", "totals"))
}

// TestTruncate tells that void rows are gone in one epoch, and those written
// after them are not.
func TestTruncate(t *testing.T) {
	w := newWorld(t)
	shop := w.sources["shop"]
	w.begin()
	shop.Commit(put(customers, customer(1, "Ada")), put(orders, amount(10, 1, 5)), put(orders, amount(11, 1, 6)))
	w.start()
	w.check()
	shop.Commit(put(orders, amount(12, 1, 9)), truncate(orders), put(orders, amount(13, 1, 1)))
	w.check()
	w.stop()
	w.disk.Remove("one")
	w.start()
	w.check()
}

// TestParts tells that a large epoch goes in several commits, of which only the
// last is a cut (I3).
func TestParts(t *testing.T) {
	w := newWorld(t)
	w.config.Limits.Rows = 2
	w.begin()
	for id := range 7 {
		w.sources["shop"].Commit(put(customers, customer(id, "c")))
	}
	w.start()
	w.check()
	w.wantStory("hydrates: there is none yet, tail 0", "epoch 1: 7 in, 7 out, 4 parts")
	if got := w.frontier().Number; got != 0 {
		t.Errorf("four commits made %d frontier records, want one", got+1)
	}
}

// TestHeld tells that a view over a table that is not there waits, shows what it
// had, and says so; and that a table nobody captures is never an empty one.
func TestHeld(t *testing.T) {
	t.Run("R23 a table that is not captured", func(t *testing.T) {
		w := newWorld(t)
		shop := w.sources["shop"]
		if err := shop.Sink.Write(context.Background(), pipeline.Batch{Tables: []*schema.Table{customers}}); err != nil {
			t.Fatal(err)
		}
		shop.Commit(put(customers, customer(1, "Ada")))
		w.sources["billing"].Commit(put(payments, amount(20, 1, 3)))
		w.start()
		w.until("it is held", func(s view.Status) bool { return s.Held != nil && strings.Contains(s.Held.What, "orders") })
		if look, err := w.task.Look(); look != nil || err != nil {
			t.Fatalf("a view that was never complete can be read: %v", err)
		}
		shop.Commit(put(orders, amount(10, 1, 5)))
		w.check()
	})
	t.Run("R23 a frontier that is gone, and begins anew", func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		w.start()
		w.check()
		billing := w.sources["billing"]
		billing.Close()
		if err := w.log.Admin().Delete(context.Background(), log.FrontierTopic("test", "billing")); err != nil {
			t.Fatal(err)
		}
		isGone := func(s view.Status) bool {
			return s.Phase == view.Frozen && s.Held != nil && strings.Contains(s.Held.What, "is gone")
		}
		w.until("it says so while it runs", isGone)
		w.stop()
		w.start()
		w.until("it says so when it starts", isGone)
		look, err := w.task.Look()
		if look == nil || err != nil {
			t.Fatalf("what it had is not shown: %v", err)
		}
		look.Close()
		billing.Life++
		billing.Reset()
		billing.Commit(put(payments, amount(20, 1, 4)))
		w.check()
	})
	t.Run("R23 a topic that is gone", func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		w.start()
		w.check()
		w.stop()
		w.sources["billing"].Close()
		if err := w.log.Admin().Delete(context.Background(), topicOf("billing", payments)); err != nil {
			t.Fatal(err)
		}
		w.start()
		if err := w.fails(); pipeline.CodeOf(err) != view.CodeInputGone {
			t.Fatalf("reads on without its table: %v", err)
		}
	})
}
