package embedded_test

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// TestRetentionFollows tells that a topic without compaction keeps its records for as
// long as was asked for last, over restarts, and records that are gone stay gone.
func TestRetentionFollows(t *testing.T) {
	fs, now, ctx := vfs.NewMem(), time.Unix(1_000_000, 0), context.Background()
	config := embedded.Config{Dir: "log", FS: fs, SweepRate: -1, Now: func() time.Time { return now }}
	l := open(t, config)
	tp := log.TopicPartition{Topic: "t"}
	start := func(asked time.Duration) int64 {
		t.Helper()
		if _, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: "t", Retention: asked}); err != nil {
			t.Fatal(err)
		}
		if err := l.Admin().Compact(ctx, "t"); err != nil {
			t.Fatal(err)
		}
		infos, err := l.Admin().Topics(ctx, "t")
		if err != nil || asked != 0 && infos[0].Retention != asked {
			t.Fatalf("asked for %s, it is %+v: %v", asked, infos, err)
		}
		return infos[0].Ends[0].Start
	}
	start(time.Hour)
	w := writerOf(t, l)
	for range 3 { // at hours 0, 1 and 2
		if err := w.Append(ctx, log.Record{TopicPartition: tp, Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		w.commit()
		now = now.Add(time.Hour)
	}
	if got := start(-1); got != 0 {
		t.Errorf("records that are kept for ever begin at %d", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, config)
	for _, c := range []struct {
		asked time.Duration
		start int64
	}{{0, 0}, {150 * time.Minute, 1}, {100 * time.Hour, 1}, {time.Minute, 2}} {
		if got := start(c.asked); got != c.start {
			t.Errorf("with a retention of %s it begins at %d, want %d", c.asked, got, c.start)
		}
	}
}
