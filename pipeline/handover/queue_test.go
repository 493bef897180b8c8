package handover

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// tight is a queue for one batch that is full.
func tight(t *testing.T, bytes int64) *Queue {
	t.Helper()
	q := New(Config{Batches: 1, Bytes: bytes, Weigh: (*Batch).Size})
	if err := q.Put(t.Context(), rowsOf(3)); err != nil {
		t.Fatal(err)
	}
	return q
}

func rowsOf(n int) *Batch {
	b := &Batch{}
	for range n {
		b.Add()
	}
	return b
}

func TestRecycledBatchIsAsNew(t *testing.T) {
	t.Parallel()
	q := New(Config{Batches: 8, Bytes: 16 << 20, Weigh: (*Batch).Size})
	b := q.Get()
	b.Add()
	b.EndWhole(pipeline.Resume{}, time.Unix(1, 0))
	b.Reset()
	b.Add()
	b.EndPart(pipeline.Resume{Rows: 1})
	if out := q.give(b); !out.At.IsZero() || out.End.Rows != 1 {
		t.Errorf("a part of a transaction carries the clock of an earlier batch: %s", out.At)
	}
}

func TestQueueGivesBackWhatItDidNotTake(t *testing.T) {
	t.Parallel()
	for name, bytes := range map[string]int64{"batches": 16 << 20, "bytes": 1} {
		t.Run("P31 the connection dies while the queue is full of "+name, func(t *testing.T) {
			q := tight(t, bytes)
			died := errors.New("connection died")
			due := make(chan time.Time, 1)
			due <- time.Time{}
			h := Heartbeat{Due: func() <-chan time.Time { return due }, Beat: func() error { return died }}
			second := rowsOf(5)
			if err := q.PutBeating(t.Context(), second, h); !errors.Is(err, died) {
				t.Fatalf("got %v", err)
			}
			if len(second.Changes) != 5 {
				t.Fatal("the batch was emptied, and is the caller's")
			}
			q.recycle(<-q.ready)
			if err := q.Put(t.Context(), second); err != nil {
				t.Fatal(err)
			}
			q.recycle(<-q.ready)
			if _, bytes := q.Fill(); bytes != 0 {
				t.Errorf("%d bytes are still counted", bytes)
			}
		})
		t.Run("the source ends while the queue is full of "+name, func(t *testing.T) {
			q := tight(t, bytes)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := q.Put(ctx, rowsOf(5)); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			q.recycle(<-q.ready)
			if _, bytes := q.Fill(); bytes != 0 {
				t.Errorf("%d bytes are still counted", bytes)
			}
		})
	}
}

func TestBatchThatBorrowsLetsGo(t *testing.T) {
	t.Parallel()
	b := New(Config{Borrows: true}).Get()
	row := b.Rows.Row(1)
	row[0] = schema.Text([]byte("of an event"))
	b.Add().After = row
	b.Reset()
	if row[0].Ref() != nil || b.Changes[:1][0].After != nil {
		t.Error("an empty batch keeps alive what its rows referred to")
	}
}

func TestNextGivesAPartBehindWholeTransactions(t *testing.T) {
	t.Parallel()
	q := New(Config{Batches: 2, Bytes: 1 << 20, Weigh: func(*Batch) int { return 7 }})
	b := rowsOf(2)
	b.EndWhole(pipeline.Resume{Rows: 0}, time.Unix(1, 0))
	b.Add()
	b.EndPart(pipeline.Resume{Rows: 1})
	if err := q.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the source has ended")
	ended, end := context.WithCancelCause(t.Context())
	end(gone)
	for _, want := range []struct{ changes, rows, bytes int }{{2, 0, 0}, {1, 1, 7}} {
		got, err := q.Next(t.Context(), ended)
		if err != nil || len(got.Changes) != want.changes || int(got.End.Rows) != want.rows || got.Bytes != want.bytes {
			t.Fatalf("got %d changes, end %v, %d bytes (%v), want %+v", len(got.Changes), got.End, got.Bytes, err, want)
		}
	}
	if _, err := q.Next(t.Context(), ended); !errors.Is(err, gone) {
		t.Errorf("got %v, want why the source ended", err)
	}
	if _, bytes := q.Fill(); bytes != 0 {
		t.Errorf("%d bytes are still counted", bytes)
	}
}
