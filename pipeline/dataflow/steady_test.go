package dataflow_test

import (
	"context"
	"errors"
	"testing"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/schema"
)

// BenchmarkSteady changes a view of documents over the state on disk, in epochs
// of 2,000 changes. EVERT_ROWS is the number of rows that it begins with.
func BenchmarkSteady(b *testing.B) {
	const perEpoch = 2000
	rows := dataflow.Size(130_000)
	s, err := store.Open(b.TempDir(), store.Identity{}, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	e, err := dataflow.New(dataflow.OrderDocuments(), dataflow.Env{NewSorter: dataflow.NewMemorySorter, MaxGroup: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	c := dataflow.NewCrowd(1, rows)
	fill := func(t *dataflow.Epoch) error {
		return c.Tables(func(input int, row schema.Row) error { return t.Upsert(input, row) })
	}
	if _, err := step(s, e, true, fill); err != nil {
		b.Fatal(err)
	}
	var all dataflow.Stats
	b.ResetTimer()
	for c.Said < b.N {
		stop := min(c.Said+perEpoch, b.N)
		stats, err := step(s, e, false, func(t *dataflow.Epoch) error {
			for c.Said < stop {
				if err := c.Transaction(t); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		all.Reads, all.Writes, all.Changes = all.Reads+stats.Reads, all.Writes+stats.Writes, all.Changes+stats.Changes
	}
	per := func(n int64) float64 { return float64(n) / float64(c.Said) }
	b.ReportMetric(float64(c.Said)/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(per(all.Reads), "reads/change")
	b.ReportMetric(per(all.Writes), "writes/change")
	b.ReportMetric(per(all.Changes), "docs/change")
}

// BenchmarkFillOnDisk fills a view of documents on disk, with sorters that share
// 64 MiB. EVERT_ROWS is the number of rows of all tables.
func BenchmarkFillOnDisk(b *testing.B) {
	rows := dataflow.Size(130_000)
	c := dataflow.NewCrowd(1, rows)
	pool, err := spill.Open(b.TempDir(), spill.Options{})
	if err != nil {
		b.Fatal(err)
	}
	e, err := dataflow.New(dataflow.OrderDocuments(), dataflow.Env{NewSorter: pool.NewSorter, MaxGroup: 64 << 20, Workers: 2})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.Open(b.TempDir(), store.Identity{}, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		_, err = step(s, e, true, func(t *dataflow.Epoch) error {
			return c.Tables(func(input int, row schema.Row) error { return t.Upsert(input, row) })
		})
		if err = errors.Join(err, s.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(pool.Stats().Runs)/float64(b.N), "spilled-runs/op")
}

// step is one epoch over the store.
func step(s *store.Store, e *dataflow.Engine, fresh bool, say func(*dataflow.Epoch) error) (stats dataflow.Stats, err error) {
	at, err := s.Begin()
	if err != nil {
		return stats, err
	}
	var r dataflow.Reader
	if !fresh {
		r = at
	}
	t, err := e.Begin(r, at)
	if err != nil {
		return stats, err
	}
	defer t.Close()
	if err := say(t); err != nil {
		return stats, err
	}
	if stats, err = t.Finish(context.Background(), func(dataflow.Change) error { return nil }); err != nil {
		return stats, err
	}
	return stats, at.Commit(nil)
}
