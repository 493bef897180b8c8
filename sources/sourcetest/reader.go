package sourcetest

import (
	"context"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// patience bounds everything that a clause waits for: machines are slow when all tests run.
const patience = 3 * time.Minute

// A reader is an open source, and what was seen of it.
type reader struct {
	t      *testing.T
	source pipeline.Source
	ack    bool // acknowledge each end at once
	place  pipeline.Resume
	table  *schema.Table
	seen   int   // changes since the snapshot, or since Open
	ends   []end // of the stream
	txs    map[uint64]map[*pipeline.Tx]bool
}

// An end is a place at which a source may be opened again, and how many changes
// lie before it.
type end struct {
	resume pipeline.Resume
	seen   int
}

func opened(t *testing.T, b Backend, from pipeline.Resume) *reader {
	t.Helper()
	r := &reader{t: t, source: b.New(t), ack: true, place: from, txs: map[uint64]map[*pipeline.Tx]bool{}}
	t.Cleanup(func() { _ = r.source.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.source.Open(ctx, from); err != nil {
		t.Fatalf("open at %s: %v", from.At, err)
	}
	return r
}

func (r *reader) close() {
	r.t.Helper()
	if err := r.source.Close(); err != nil {
		r.t.Fatalf("close: %v", err)
	}
}

// next gives the next batch and notes its end.
func (r *reader) next() pipeline.Batch {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	b, err := r.source.Next(ctx)
	if err != nil {
		r.t.Fatalf("next after %s: %v", r.place.At, err)
	}
	r.note(b)
	return b
}

func (r *reader) note(b pipeline.Batch) {
	r.t.Helper()
	if len(b.Tables) > 0 {
		r.table = b.Tables[0]
	}
	for _, c := range b.Changes {
		if c.Op == pipeline.Read {
			continue
		}
		r.seen++
		if seq := c.Tx.Position.Seq; r.txs[seq] == nil {
			r.txs[seq] = map[*pipeline.Tx]bool{}
		}
		r.txs[c.Tx.Position.Seq][c.Tx] = true
	}
	if b.End == nil {
		return
	}
	r.place = *b.End
	r.place.State = append([]byte(nil), b.End.State...)
	if !r.place.At.IsZero() {
		r.ends = append(r.ends, end{r.place, r.seen})
	}
	// The intent of a snapshot is acknowledged always: it is no place.
	if r.ack || r.place.At.IsZero() {
		if err := r.source.Ack(r.t.Context(), r.place.At); err != nil {
			r.t.Fatalf("ack %s: %v", r.place.At, err)
		}
	}
}

// take notes a batch and prints its changes.
func (r *reader) take(b pipeline.Batch) []string {
	r.note(b)
	return printAll(b)
}

func printAll(b pipeline.Batch) []string {
	var out []string
	for i := range b.Changes {
		out = append(out, print(&b.Changes[i]))
	}
	return out
}

// copied reads until the snapshot is complete.
func (r *reader) copied() {
	r.t.Helper()
	for r.place.At.IsZero() {
		r.next()
	}
}

// to reads until a native position is reached between transactions.
func (r *reader) to(place string) []string {
	r.t.Helper()
	var out []string
	for !r.reached(place) {
		out = append(out, printAll(r.next())...)
	}
	return out
}

func (r *reader) reached(place string) bool {
	r.t.Helper()
	if !r.place.Whole() {
		return false
	}
	ok, err := r.source.Reached(r.place.At.Native, place)
	if err != nil {
		r.t.Fatal(err)
	}
	return ok
}
