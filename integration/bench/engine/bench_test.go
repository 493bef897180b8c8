//go:build unix

package engine

import (
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// parts is the size of the shop: EVERT_PARTS, of 1.3 million rows each.
func parts() float64 {
	if p, err := strconv.ParseFloat(os.Getenv("EVERT_PARTS"), 64); err == nil {
		return p
	}
	return 0.1
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The memory of a view.
const (
	sorterBytes = 128 << 20
	cacheBytes  = 256 << 20
)

// epochChanges is about what a busy source gives in an epoch.
const epochChanges = 2000

// BenchmarkFill fills each view from all rows.
func BenchmarkFill(b *testing.B) {
	var rows []Change
	for c := range New(Options{Seed: 1, Parts: parts()}).Load {
		rows = append(rows, c)
	}
	for _, v := range Views() {
		b.Run(v.Name, func(b *testing.B) {
			used := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				r := open(b, v, sorterBytes, cacheBytes)
				b.StartTimer()
				from := processorTime()
				must(b, r.Epoch(b.Context(), slices.Values(rows)))
				used += processorTime() - from
			}
			report(b, len(rows)*b.N, used)
		})
	}
}

func report(b *testing.B, rows int, used time.Duration) {
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(rows)/1000, "cpu-µs/row")
}

// BenchmarkChange changes each view, an epoch at a time.
func BenchmarkChange(b *testing.B) {
	for _, v := range Views() {
		b.Run(v.Name, func(b *testing.B) {
			s := New(Options{Seed: 1, Parts: parts()})
			r := open(b, v, sorterBytes, cacheBytes)
			must(b, r.Epoch(b.Context(), s.Load))
			rows, used := 0, time.Duration(0)
			var tx []Change
			for b.Loop() {
				b.StopTimer()
				for tx = tx[:0]; len(tx) < epochChanges; {
					tx = s.Next(tx)
				}
				b.StartTimer()
				from := processorTime()
				must(b, r.Epoch(b.Context(), slices.Values(tx)))
				used += processorTime() - from
				rows += len(tx)
			}
			report(b, rows, used)
		})
	}
}
