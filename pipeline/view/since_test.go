package view_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/evertdb/evert/schema"
)

// TestSince asks the view's topic which rows changed behind an epoch.
func TestSince(t *testing.T) {
	w := newWorld(t)
	shop := w.sources["shop"]
	w.begin()
	shop.Commit(put(customers, customer(1, "Ada")), put(customers, customer(2, "Bo")), put(customers, customer(3, "Cy")))
	w.start()
	w.check() // epoch 1
	shop.Commit(remove(customers, customer(2, "Bo")))
	w.check() // epoch 2
	shop.Commit(put(orders, amount(10, 3, 5)))
	w.check() // epoch 3
	since := func(epoch uint64) (keys []int64, ok bool) {
		t.Helper()
		all := map[int64]bool{}
		ok, err := w.task.Since(context.Background(), epoch, func(key schema.Row) error { all[key[0].Int()] = true; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(all)), ok
	}
	asked := func() {
		t.Helper()
		for epoch, want := range map[uint64][]int64{1: {2, 3}, 2: {3}, 3: nil} {
			if keys, ok := since(epoch); !ok || !slices.Equal(keys, want) {
				t.Errorf("behind epoch %d %v changed: %v; want %v", epoch, keys, ok, want)
			}
		}
		for _, epoch := range []uint64{0, 4} {
			if _, ok := since(epoch); ok {
				t.Errorf("it knows what changed behind epoch %d, which never was", epoch)
			}
		}
	}
	asked()
	w.stop()
	w.start()
	w.caughtUp()
	asked()
}
