package engine

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// model is the tables as the changes leave them.
type model [3]map[string]schema.Row

func newModel() *model {
	return &model{map[string]schema.Row{}, map[string]schema.Row{}, map[string]schema.Row{}}
}

func (m *model) apply(t *testing.T, c Change) {
	t.Helper()
	k := string(tuple.AppendRow(nil, c.Key))
	if _, was := m[c.Table][k]; was == c.New {
		t.Fatalf("a change of %s says that the row was there: %v", Tables()[c.Table].Name, !c.New)
	}
	if c.Row == nil {
		delete(m[c.Table], k)
		return
	}
	m[c.Table][k] = c.Row
}

// The rows that a shop says it has are those that its changes made, and the same
// seed makes the same.
func TestShop(t *testing.T) {
	for _, zipf := range []bool{false, true} {
		o := Options{Seed: 3, Parts: 0.002, Zipf: zipf}
		s, twin, m := New(o), New(o), newModel()
		for c := range s.Load {
			m.apply(t, c)
		}
		if n := len(m[Lines]); n < 3*len(m[Orders]) || n > 5*len(m[Orders]) {
			t.Errorf("%d lines of %d orders", n, len(m[Orders]))
		}
		for range 3000 {
			tx, same := s.Next(nil), twin.Next(nil)
			for i, c := range tx {
				m.apply(t, c)
				if !c.Row.Identical(same[i].Row) || !c.Key.Identical(same[i].Key) {
					t.Fatal("the same seed makes other changes")
				}
			}
		}
		rows := 0
		for c := range s.Load {
			rows++
			if !m[c.Table][string(tuple.AppendRow(nil, c.Key))].Identical(c.Row) {
				t.Fatalf("zipf %v: a row of %s is not as its changes left it", zipf, Tables()[c.Table].Name)
			}
		}
		if want := len(m[0]) + len(m[1]) + len(m[2]); rows != want {
			t.Errorf("zipf %v: %d rows, want %d", zipf, rows, want)
		}
	}
}

// A view's state after many epochs is byte for byte that of a view filled from
// the rows as they are then (R14), on disk, with sorters that spill.
func TestChangedIsFilled(t *testing.T) {
	for _, v := range Views() {
		t.Run("R14 "+v.Name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{Seed: 5, Parts: 0.002})
			changed := open(t, v, 64<<10, 4<<20)
			must(t, changed.Epoch(t.Context(), s.Load))
			for range 30 {
				var tx []Change
				for range 40 {
					tx = s.Next(tx)
				}
				must(t, changed.Epoch(t.Context(), slices.Values(tx)))
			}
			filled := open(t, v, 64<<20, 4<<20)
			must(t, filled.Epoch(t.Context(), s.Load))
			if a, b := dump(t, changed), dump(t, filled); !bytes.Equal(a, b) || len(a) == 0 {
				t.Errorf("changed: %d bytes of state, filled: %d", len(a), len(b))
			}
			if changed.Changed <= filled.Changed {
				t.Errorf("%d rows changed, %d when filled", changed.Changed, filled.Changed)
			}
		})
	}
}

func open(t testing.TB, v View, memory, cache int64) *Runner {
	t.Helper()
	r, err := Open(v, Config{Dir: t.TempDir(), Memory: memory, Cache: cache})
	must(t, err)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// dump gives all keys and values but the progress.
func dump(t *testing.T, r *Runner) (all []byte) {
	t.Helper()
	snap, err := r.store.Snapshot()
	must(t, err)
	defer snap.Release()
	c, err := snap.Scan(nil, []byte{0xff, 0xff}, false)
	must(t, err)
	defer c.Close()
	for c.Next() {
		all = fmt.Appendf(all, "%x=%x\n", c.Key(), c.Value())
	}
	must(t, c.Err())
	return all
}
