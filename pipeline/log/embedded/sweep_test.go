package embedded_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// TestBackgroundSweep writes the same hundred keys over and over while the
// sweep runs by itself, at a low rate, and readers with and without limits
// read: nobody waits for it, nobody misses the newest, and the topic becomes
// small.
func TestBackgroundSweep(t *testing.T) {
	swept := make(chan embedded.Swept, 1000)
	l := open(t, embedded.Config{
		Dir: "log", FS: vfs.NewMem(), MemTable: 1 << 20, SweepEvery: time.Millisecond, SweepRate: 64 << 20,
		Events: embedded.Events{
			Swept:   func(s embedded.Swept) { swept <- s },
			Trouble: func(text string) { t.Error(text) },
		},
	})
	ctx := context.Background()
	if _, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: "t", Compact: true, MinLag: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	tp := log.TopicPartition{Topic: "t"}
	w, err := l.Writer(ctx, "w")
	if err != nil {
		t.Fatal(err)
	}
	const rounds, keys = 300, 100
	for i := range rounds {
		for k := range keys {
			if err := w.Append(ctx, log.Record{TopicPartition: tp, Key: fmt.Append(nil, k), Value: fmt.Append(nil, i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Commit(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 {
			wantState(t, l, tp, keys, i, int64((i+1)*keys))
		}
	}
	for removed := int64(0); removed < rounds*keys/2; {
		s := <-swept
		removed += s.Removed
	}
	wantState(t, l, tp, keys, rounds-1, rounds*keys)
}

// wantState reads up to a limit, pinned, and wants the newest value of each key.
func wantState(t *testing.T, l *embedded.Log, tp log.TopicPartition, keys, value int, to int64) {
	t.Helper()
	r, err := l.Reader(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Assign(log.Offsets{tp: 0}); err != nil {
		t.Fatal(err)
	}
	r.Limit(log.Offsets{tp: to})
	newest := map[string]string{}
	for at := int64(0); at < to; {
		f, err := r.Next(context.Background(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range f.Records {
			newest[string(rec.Key)] = string(rec.Value)
		}
		at = f.Next
	}
	for k := range keys {
		if got := newest[fmt.Sprint(k)]; got != fmt.Sprint(value) {
			t.Fatalf("key %d is %q, want %d", k, got, value)
		}
	}
	if len(newest) != keys {
		t.Fatalf("%d keys", len(newest))
	}
}
