package embedded_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// O05 the log's clock jumps by up to an hour, forward and back, before every commit and
// every pass of the sweep: each key keeps its newest record, offsets grow without a
// gap, and what is compacted is no more than is dead.
func TestClockJumps(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 5))
	var clock atomic.Int64
	jump := func() { clock.Add(int64(time.Duration(random.Int64N(int64(2*time.Hour))) - time.Hour)) }
	clock.Store(time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	l := open(t, embedded.Config{Dir: "log", FS: vfs.NewMem(), Now: func() time.Time { return time.Unix(0, clock.Load()) }})
	ctx := context.Background()
	if _, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: "t", Compact: true}); err != nil {
		t.Fatal(err)
	}
	w := writerOf(t, l)
	const keys = 50
	want := map[int]string{}
	written := int64(0)
	for range 200 {
		jump()
		n, word := random.IntN(keys)+1, string(rune('a'+random.IntN(23)))
		w.append(n, word)
		w.commit()
		written += int64(n)
		for i := range n {
			want[i] = word
		}
		if random.IntN(4) == 0 {
			jump()
			if err := l.Admin().Compact(ctx, "t"); err != nil {
				t.Fatal(err)
			}
		}
		infos, err := l.Admin().Topics(ctx, "t")
		if err != nil || infos[0].Ends[0].Stable != written {
			t.Fatalf("O05 seed %d: the end is %v after %d records, %v", seed, infos, written, err)
		}
		for i, word := range want {
			if got := w.latest(i); got != word {
				t.Fatalf("O05 seed %d: key %d is %q, want %q", seed, i, got, word)
			}
		}
	}
}
