package deliver_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/sinks/sinktest"
)

// told keeps what a sink that tells of changes would tell.
type told struct {
	mu    sync.Mutex
	lines []string
}

// Apply implements pipeline.Transform. The system in memory behind it holds rows, and
// is not shown what it could not hold.
func (c *told) Apply(_ context.Context, b pipeline.Batch) (pipeline.Batch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := b.Changes[:0]
	for _, change := range b.Changes {
		line := change.Op.String()
		if row := change.After; row != nil {
			line += fmt.Sprintf(" %d=%s", row[0].Int(), row[1].Ref())
		} else if change.Before != nil {
			line += fmt.Sprint(" ", change.Before[0].Int())
		}
		if c.lines = append(c.lines, line); change.Op != pipeline.Truncate {
			kept = append(kept, change)
		}
	}
	b.Changes = kept
	return b, nil
}

func (c *told) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := strings.Join(c.lines, ", ")
	c.lines = nil
	return lines
}

// newAging makes a world whose topic is append-only and keeps its records for an hour.
// age takes what was written by then, and one more record comes.
func newAging(t *testing.T) (w *world, age func()) {
	t.Helper()
	var passed atomic.Int64 // of the log's clock
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem(), Now: func() time.Time { return time.Unix(1_000_000, passed.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w = newWorldOn(t, l)
	w.source.Appends(time.Hour)
	return w, func() {
		t.Helper()
		passed.Add(int64(2 * time.Hour))
		w.source.Commit(put(5, "a"))
		if err := l.Admin().Compact(t.Context(), itemsTopic); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAppendOnly tells that a sink of an append-only topic is given every record of it,
// a TRUNCATE too, from the beginning and behind a copy; and begins anew, and says so,
// where records went by age before it read them (I8, K17).
func TestAppendOnly(t *testing.T) {
	w, age := newAging(t)
	heard := &told{}
	w.config.Transforms = func(deliver.Rejects) ([]pipeline.Transform, error) { return []pipeline.Transform{heard}, nil }
	w.source.Begin()
	w.source.Commit(put(1, "a"), put(1, "b"), remove(1))
	w.source.Commit(put(2, "a"), truncate(), put(2, "b"))
	again := w.source.Copy(sinktest.Items, "again")
	again.Chunk(1)
	again.Done()
	w.start()
	w.caughtUp()
	if got, want := heard.take(), "u 1=a, u 1=b, d 1, u 2=a, t, u 2=b, u 2=b"; got != want {
		t.Errorf("a fill gave %q, want %q", got, want)
	}
	w.source.Commit(put(3, "a"), truncate())
	w.caughtUp()
	if got, want := heard.take(), "u 3=a, t"; got != want {
		t.Errorf("it went on with %q, want %q", got, want)
	}
	w.stop()
	w.said.Take()
	w.source.Commit(put(4, "a"))
	age()
	w.start()
	w.said.Await(t, "anew: it is older than what its topic keeps", "fills", "whole at 6")
	w.caughtUp()
	if got, want := heard.take(), "u 5=a"; got != want {
		t.Errorf("behind what is gone it went on with %q, want %q", got, want)
	}
}

// TestAppendOnlyReplay tells that of an append-only topic each dead letter is delivered
// once more, whatever became of its row since, and that one which age took stays (I8).
func TestAppendOnlyReplay(t *testing.T) {
	w, age := newAging(t)
	p := w.pick(deadletter.Config{Keep: true})
	p.puts = map[int64]bool{1: true}
	w.source.Begin()
	w.source.Commit(put(1, "a"), put(1, "b"), put(2, "a"))
	w.start()
	w.caughtUp()
	p.mend()
	w.source.Commit(put(1, "c"))
	w.caughtUp()
	w.stop()
	heard := &told{}
	w.config.Transforms = func(deliver.Rejects) ([]pipeline.Transform, error) { return []pipeline.Transform{heard}, nil }
	d := deliver.New(w.config)
	replay := func(want deliver.Outcome) {
		t.Helper()
		letters := w.letters()
		if len(letters) != 2 {
			t.Fatalf("letters %+v", letters)
		}
		got, err := d.Replay(t.Context(), []deliver.Place{letters[0].Place, letters[1].Place}, false)
		if err != nil || got[letters[0].Place] != want || got[letters[1].Place] != want {
			t.Errorf("a replay gives %v, %v, want %s for each", got, err, want)
		}
	}
	replay(deliver.Delivered)
	if got, want := heard.take(), "u 1=a, u 1=b"; got != want {
		t.Errorf("a replay told %q, want %q", got, want)
	}
	age()
	replay(deliver.Unreadable)
}
