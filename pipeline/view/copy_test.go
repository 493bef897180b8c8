package view_test

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/view"
)

// TestCopiedAgain tells that a view whose table has stopped, and is copied again, shows
// its last cut and says why, and then sees the copy in one epoch: rows that are gone
// go, nothing is emptied meanwhile, and nothing is built anew (O15).
func TestCopiedAgain(t *testing.T) {
	w := newWorld(t)
	shop := w.sources["shop"]
	w.begin()
	shop.Commit(put(customers, customer(1, "Ada")), put(customers, customer(2, "Bo")), put(orders, amount(10, 1, 5)), put(orders, amount(11, 2, 6)), put(orders, amount(12, 2, 7)))
	w.start()
	w.check()
	before := w.shows()
	w.wantStory("hydrates: there is none yet, tail 0", "epoch 1: 5 in, 2 out, 1 parts")
	shop.GiveUp(orders)
	w.until("it says that the table has stopped", func(s view.Status) bool { return s.Held != nil && strings.Contains(s.Held.What, "has stopped") })
	w.said.Await(t, "held: table topic shop.public.orders has stopped; the view keeps its last cut")
	shop.Commit(put(orders, amount(10, 1, 50)), remove(orders, amount(11, 2, 6)), put(customers, customer(2, "Bob"))) // the table's rows of this are missing
	shop.Commit(remove(orders, amount(12, 2, 7)))
	held := func() {
		t.Helper()
		if got := w.shows(); got != before {
			t.Fatalf("meanwhile it shows\n%s\nwant what it showed:\n%s", got, before)
		}
	}
	copied := shop.Copy(orders, "r")
	w.until("it says that the table is copied", func(s view.Status) bool { return s.Held != nil && strings.Contains(s.Held.What, "is being copied") })
	held()
	shop.Commit(put(orders, amount(13, 2, 8)))
	for copied.Chunk(1) {
		shop.Commit(put(customers, customer(1, "Ann")))
		held()
	}
	copied.Done()
	w.check()
	w.said.Await(t, "held: table topic shop.public.orders is being copied; the view keeps its last cut", "goes on", "epoch 2: 8 in, 2 out, 1 parts")
	w.stop()
	w.disk.Remove("one")
	w.start() // a view that begins reads from where the copy began
	w.check()
}
