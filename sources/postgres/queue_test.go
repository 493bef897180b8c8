package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// tight is a queue for one batch that is full.
func tight(t *testing.T, c Config) *queue {
	t.Helper()
	c.QueueBatches = 1
	c = c.withDefaults()
	q := newQueue(&c)
	if err := q.put(t.Context(), rowsOf(3), heart{}); err != nil {
		t.Fatal(err)
	}
	return q
}

func rowsOf(n int) *batch {
	b := newBatch()
	for range n {
		b.add()
	}
	return b
}

func TestRecycledBatchIsAsNew(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	b := s.queue.get()
	b.add()
	b.endWhole(pipeline.Resume{}, time.Unix(1, 0))
	b.reset()
	b.add()
	b.endPart(pipeline.Resume{Rows: 1})
	if out := s.take(b); !out.At.IsZero() || out.End.Rows != 1 {
		t.Errorf("a part of a transaction carries the clock of an earlier batch: %s", out.At)
	}
}

func TestQueueGivesBackWhatItDidNotTake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{"batches": {}, "bytes": {QueueBytes: 1}} {
		t.Run("P31 the connection dies while the queue is full of "+name, func(t *testing.T) {
			q := tight(t, c)
			died := errors.New("connection died")
			due := make(chan time.Time, 1)
			due <- time.Time{}
			h := heart{due: func() <-chan time.Time { return due }, beat: func() error { return died }}
			second := rowsOf(5)
			if err := q.put(t.Context(), second, h); !errors.Is(err, died) {
				t.Fatalf("got %v", err)
			}
			if len(second.changes) != 5 {
				t.Fatal("the batch was emptied, and is the caller's")
			}
			q.recycle(<-q.ready)
			if err := q.put(t.Context(), second, heart{}); err != nil {
				t.Fatal(err)
			}
			q.recycle(<-q.ready)
			if _, bytes := q.fill(); bytes != 0 {
				t.Errorf("%d bytes are still counted", bytes)
			}
		})
		t.Run("the source ends while the queue is full of "+name, func(t *testing.T) {
			q := tight(t, c)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := q.put(ctx, rowsOf(5), heart{}); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			q.recycle(<-q.ready)
			if _, bytes := q.fill(); bytes != 0 {
				t.Errorf("%d bytes are still counted", bytes)
			}
		})
	}
}
