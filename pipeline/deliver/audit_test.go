package deliver_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/state/spill"
)

// TestAudit tells that what is missing, left over and different in a system is
// found at one cut, while the topic grows, and put right.
func TestAudit(t *testing.T) {
	t.Run("S14 a system that somebody changed", func(t *testing.T) {
		w := newWorld(t)
		w.source.Begin()
		for id := range 50 {
			w.source.Commit(put(id, "old"), put(id, fmt.Sprint("v", id)))
		}
		w.source.Commit(remove(7), remove(8), put(40, "refused"))
		w.start()
		w.check()
		at, release, err := w.delivery.Rest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		held := w.now()
		w.source.Commit(put(1, "behind the cut"), remove(2))
		if err := w.log.Admin().Compact(t.Context(), itemsTopic); err != nil {
			t.Fatal(err)
		}
		wantAudit(t, w, at, held, false, "47 rows, 47 equal, 0 missing, 0 surplus, 0 differing, 1 refused, 0 repaired []")
		held[7], held[99], held[3] = "came back", "is nobody's", "changed"
		delete(held, 20)
		delete(held, 21)
		wantAudit(t, w, at, held, false, "47 rows, 44 equal, 2 missing, 2 surplus, 1 differing, 1 refused, 0 repaired [missing 20 missing 21 differing 3 surplus 7 surplus 99]")
		wantAudit(t, w, at, held, true, "47 rows, 44 equal, 2 missing, 2 surplus, 1 differing, 1 refused, 5 repaired [missing 20 missing 21 differing 3 surplus 7 surplus 99]")
		wantAudit(t, w, at, held, true, "47 rows, 47 equal, 0 missing, 0 surplus, 0 differing, 1 refused, 0 repaired []")
		release()
		w.check()
	})
}

func wantAudit(t *testing.T, w *world, at deliver.Resting, held rows, repair bool, want string) {
	t.Helper()
	pool, err := spill.Open(t.TempDir(), spill.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sorter := func() (dataflow.Sorter, error) { return pool.NewSorter() }
	f, err := w.delivery.Audit(t.Context(), deliver.Audit{Auditor: &memAuditor{held: held}, Sorter: sorter, Repair: repair, Named: 9, Told: func(string, int64) {}}, at)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, d := range f.Named {
		named = append(named, d.Kind+" "+d.ID)
	}
	got := fmt.Sprintf("%d rows, %d equal, %d missing, %d surplus, %d differing, %d refused, %d repaired %v", f.Rows, f.Equal, f.Missing, f.Surplus, f.Differing, f.Refused, f.Repaired, named)
	if got != want {
		t.Errorf("found %s\n want %s", got, want)
	}
}

// memAuditor looks at rows in memory, which take no row that says so.
type memAuditor struct{ held rows }

func (m *memAuditor) Expect(c *pipeline.Change) (id, form []byte, err error) {
	if c.Op == pipeline.Delete {
		return fmt.Append(nil, c.Before[0].Int()), nil, nil
	}
	if v := string(c.After[1].Ref()); v == "refused" {
		return fmt.Append(nil, c.After[0].Int()), nil, &pipeline.Refusal{Code: "NO", What: "not that"}
	}
	return fmt.Append(nil, c.After[0].Int()), c.After[1].Ref(), nil
}

func (m *memAuditor) Contents(_ context.Context, emit func(id, form []byte) error) error {
	for id, v := range m.held {
		if v == "refused" {
			continue // it was not taken, and the one before is gone
		}
		if err := emit(fmt.Append(nil, id), []byte(v)); err != nil {
			return err
		}
	}
	return nil
}

func (m *memAuditor) Repair(_ context.Context, fixes []deliver.Fix) error {
	for _, f := range fixes {
		var id int64
		if _, err := fmt.Sscan(string(f.ID), &id); err != nil {
			return err
		}
		if f.Change == nil || f.Change.Op == pipeline.Delete {
			delete(m.held, id)
			continue
		}
		m.held[id] = string(f.Change.After[1].Ref())
	}
	return nil
}

func (m *memAuditor) Close() error { return nil }
