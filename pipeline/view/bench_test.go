package view_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/view/local"
	"github.com/evertdb/evert/schema"
)

// BenchmarkHydrate fills a view over 20,000 customers and 200,000 orders from
// their topics, into a state on the disk and an empty topic, and BenchmarkFollow
// carries 1,000 changed orders an epoch into it.
func BenchmarkHydrate(b *testing.B) {
	dir := b.TempDir() // removed when the world has ended
	w := bigWorld(b)
	rows := 0
	for b.Loop() {
		w.realStates(filepath.Join(dir, fmt.Sprint(rows)))
		w.config.Name = fmt.Sprint("totals", rows)
		w.start()
		w.caughtUp()
		rows += bigCustomers + bigOrders
		w.stop()
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkFollow(b *testing.B) {
	dir := b.TempDir()
	w := bigWorld(b)
	w.realStates(dir)
	w.config.Limits.Interval = time.Nanosecond
	w.start()
	w.caughtUp()
	shop, n := w.sources["shop"], 0
	for b.Loop() {
		b.StopTimer()
		var changes []pipeline.Change
		for range 1000 {
			n++
			changes = append(changes, put(orders, amount(n*7919%bigOrders, n*31%bigCustomers, n)))
		}
		b.StartTimer()
		commitOnly(b, shop, changes...)
		w.caughtUp()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "changes/s")
}

const bigCustomers, bigOrders = 20_000, 200_000

func bigWorld(b *testing.B) *world {
	w := newWorld(b)
	w.begin()
	shop := w.sources["shop"]
	var changes []pipeline.Change
	note := schema.Text([]byte("a note of about sixty bytes that the view does not read at all"))
	for id := range bigCustomers {
		changes = append(changes, put(customers, customer(id, "somebody")))
	}
	for id := range bigOrders {
		o := amount(id, id%bigCustomers, id)
		o[1] = note
		changes = append(changes, put(orders, o))
	}
	for len(changes) > 0 {
		n := min(len(changes), 10_000)
		commitOnly(b, shop, changes[:n]...)
		changes = changes[n:]
	}
	return w
}

// commitOnly carries a transaction without remembering what the database holds.
func commitOnly(b *testing.B, s *intaketest.Source, changes ...pipeline.Change) {
	tx := &pipeline.Tx{Position: pipeline.Position{Seq: s.Seq + 1, Native: fmt.Sprint("0/", s.Seq+1)}}
	for i := range changes {
		changes[i].Tx, changes[i].Row = tx, uint32(i)
	}
	if err := s.Sink.Write(context.Background(), pipeline.Batch{Changes: changes}); err != nil {
		b.Fatal(err)
	}
	if err := s.Sink.Commit(context.Background(), pipeline.Resume{At: tx.Position}); err != nil {
		b.Fatal(err)
	}
	s.Seq++
}

// realStates is real with sorters that spill.
func (w *world) realStates(dir string) {
	w.real(dir)
	pool, err := spill.Open(dir+"/spill", spill.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := local.NewEngine(w.config.Plan, dataflow.Env{NewSorter: pool.NewSorter, MaxGroup: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	w.config.Engine = e
	w.config.States = &local.Folder{Dir: dir, NewSorter: pool.NewSorter, Identity: store.Identity{Deployment: "test", View: w.config.Name}}
}
