package deliver_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// BenchmarkFill carries rows of a topic into a target that drops them: what
// reading and decoding cost.
func BenchmarkFill(b *testing.B) {
	const rows = 100_000
	w := newWorld(b)
	w.source.Begin()
	for n := 0; n < rows; n += 1000 {
		var all []pipeline.Change
		for id := n; id < n+1000; id++ {
			all = append(all, put(id, fmt.Sprint("a value of no great length ", id)))
		}
		w.source.Commit(all...)
	}
	w.config.Limits = deliver.Limits{Interval: 100 * time.Millisecond}
	w.config.Target = func() (deliver.Target, error) { return dropping{}, nil }
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		w.start()
		w.caughtUp()
		w.stop()
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// dropping is a target that keeps nothing.
type dropping struct{}

func (dropping) Open(context.Context) (pipeline.Resume, error) { return pipeline.Resume{}, nil }
func (dropping) Write(context.Context, pipeline.Batch) error   { return nil }
func (dropping) Commit(context.Context, pipeline.Resume) error { return nil }
func (dropping) Renew(context.Context) error                   { return nil }
func (dropping) Close() error                                  { return nil }
