package deliver_test

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/sinktest"
)

// TestCopiedAgain tells that a sink whose table has stopped, and is copied again, keeps
// what it has, and then goes on with the copy: rows that are gone go, and the system is
// not filled anew (O15).
func TestCopiedAgain(t *testing.T) {
	w := newWorld(t)
	w.source.Begin()
	w.source.Commit(put(1, "a"), put(2, "b"), put(3, "c"))
	w.start()
	w.check()
	before := w.now()
	w.source.GiveUp(sinktest.Items)
	w.until("it says that the table has stopped", func(s deliver.Status) bool { return s.Held != nil && strings.Contains(s.Held.What, "has stopped") })
	w.source.Commit(put(1, "A"), remove(2), put(4, "d"))
	copied := w.source.Copy(sinktest.Items, "r")
	w.until("it says that the table is copied", func(s deliver.Status) bool { return s.Held != nil && strings.Contains(s.Held.What, "is being copied") })
	copied.Chunk(2)
	w.source.Commit(put(1, "AA"), remove(3))
	w.want(before)
	for copied.Chunk(2) {
	}
	w.want(before)
	copied.Done()
	w.check()
	if s := w.delivery.Status(); s.Totals.Renewals != 0 {
		t.Errorf("it was filled anew: %+v", s)
	}
	w.stop()
	w.source.Commit(put(5, "e"))
	w.start()
	w.check()
}
