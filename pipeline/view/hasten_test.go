package view_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/view"
)

// TestHasten tells that a reader who waits need not wait for the pause between two
// epochs: as soon as a cut has what he waits for, and no sooner.
func TestHasten(t *testing.T) {
	shopAt := func(at view.Vector) uint64 { return at["shop"].Resume.At.Seq }
	t.Run("an epoch comes when a cut has what is waited for", func(t *testing.T) {
		w := newWorld(t)
		w.config.Limits.Interval = time.Hour
		shop := w.sources["shop"]
		w.begin()
		w.start()
		w.check()
		shop.Commit(put(customers, customer(1, "Ada")))
		wanted, seen := shop.Seq+1, make(chan struct{}, 100)
		leave := w.task.Hasten(func(at view.Vector) bool {
			if shopAt(at) == wanted-1 {
				seen <- struct{}{} // and it is not enough
			}
			return shopAt(at) >= wanted
		})
		<-seen
		shop.Commit(put(customers, customer(2, "Bo")))
		w.check()
		w.wantStory("hydrates: there is none yet, tail 0", "epoch 1: 0 in, 0 out, 1 parts", "epoch 2: 2 in, 2 out, 1 parts")
		leave()
	})
	t.Run("I9 readers who always wait take a fifth of the time for small epochs", func(t *testing.T) {
		w := newWorld(t)
		var now atomic.Int64
		w.config.Now = func() time.Time { return time.Unix(now.Load(), 0) }
		w.config.Limits.Interval = 10 * time.Hour
		w.config.Events.Begun = func() { now.Add(60) } // an epoch takes a minute
		shop := w.sources["shop"]
		w.begin()
		w.start()
		w.check()
		wanted, asked := shop.Seq+1, make(chan uint64, 100)
		defer w.task.Hasten(func(at view.Vector) bool { asked <- shopAt(at); return shopAt(at) >= wanted })()
		await := func(cut uint64) { // the pace was asked for
			for <-asked != cut {
			}
		}
		shop.Commit(put(customers, customer(1, "Ada")))
		await(wanted)
		shop.Commit(put(customers, customer(2, "Bo")))
		await(wanted + 1)
		now.Add(4 * 60) // five minutes since the last one began
		shop.Commit(put(customers, customer(3, "Cy")))
		w.until("what was waited for is shown", func(s view.Status) bool { return shopAt(s.Shown.At) >= wanted })
		if at := w.task.Status().Shown.At; shopAt(at) == wanted {
			t.Errorf("an epoch came after %s", time.Unix(now.Load(), 0).Sub(time.Unix(0, 0)))
		}
	})
}
