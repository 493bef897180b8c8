package handover

import (
	"io"
	"time"
	"unsafe"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// A Batch is what goes through a Queue: changes, and the memory that their values
// lie in. It has one owner at a time: whoever fills it, the queue, the caller of
// Next; then it is emptied and filled again. The zero Batch is empty.
//
//	Changes   [ whole transactions … | part of one ]
//	                                 ▲            ▲
//	                            Whole, WholeEnd   PartEnd
type Batch struct {
	Tables   []*schema.Table
	Stopped  []pipeline.TableStop
	Copies   []pipeline.TableCopy // a batch that has any has no changes
	Changes  []pipeline.Change
	Whole    int              // Changes[:Whole] are whole transactions
	WholeEnd *pipeline.Resume // nil: nothing ends in this batch
	WholeAt  time.Time
	PartEnd  *pipeline.Resume // set if Changes[Whole:] are handed over inside their transaction
	Snapshot bool             // Changes are rows of the snapshot, numbered by Next

	Rows     arena.Rows
	Bytes    arena.Bytes
	Borrowed int         // bytes besides these that the values refer to
	Aside    []io.Closer // what lies elsewhere for the changes, closed when the batch is taken back

	borrows bool  // see Config
	memory  int64 // as counted by the queue
	ends    [2]pipeline.Resume
}

// Add appends an empty change and gives it, until the next one is added.
func (b *Batch) Add() *pipeline.Change {
	if n := len(b.Changes); n < cap(b.Changes) {
		b.Changes = b.Changes[:n+1]
		b.Changes[n] = pipeline.Change{}
	} else {
		b.Changes = append(b.Changes, pipeline.Change{})
	}
	return &b.Changes[len(b.Changes)-1]
}

// Empty reports whether there is nothing to hand over.
func (b *Batch) Empty() bool {
	return len(b.Changes) == 0 && len(b.Tables) == 0 && len(b.Stopped) == 0 && len(b.Copies) == 0 && b.WholeEnd == nil
}

// EndWhole marks the end of a transaction.
func (b *Batch) EndWhole(r pipeline.Resume, at time.Time) {
	b.ends[0] = r
	b.Whole, b.WholeEnd, b.WholeAt = len(b.Changes), &b.ends[0], at
}

// EndPart marks that the changes behind the last whole transaction are a part of one.
func (b *Batch) EndPart(r pipeline.Resume) {
	b.ends[1] = r
	b.PartEnd = &b.ends[1]
}

// DropPart forgets the changes behind the last whole transaction. What they held is let
// go if nothing else is in the batch: where connections end again and again in the midst
// of a transaction, that would add up.
func (b *Batch) DropPart() {
	b.Changes, b.PartEnd = b.Changes[:b.Whole], nil
	if b.Empty() {
		b.Reset()
	}
}

// Forget takes out the changes that is tells, wherever they lie.
func (b *Batch) Forget(is func(*pipeline.Change) bool) {
	whole, kept := 0, 0
	for i := range b.Changes {
		if is(&b.Changes[i]) {
			continue
		}
		b.Changes[kept] = b.Changes[i]
		kept++
		if i < b.Whole {
			whole = kept
		}
	}
	b.Changes, b.Whole = b.Changes[:kept], whole
}

// Size is roughly what the batch occupies, in bytes.
func (b *Batch) Size() int {
	return b.Bytes.Used() + b.Borrowed + b.Rows.Size() + len(b.Changes)*int(unsafe.Sizeof(pipeline.Change{}))
}

// Held is roughly what the rows of the batch hold, in bytes.
func (b *Batch) Held() int { return b.Bytes.Used() + 8*b.Rows.Used() }

// Full reports whether a batch of at most so many rows and bytes is to be handed over.
func (b *Batch) Full(rows, bytes int) bool { return len(b.Changes) >= rows || b.Size() >= bytes }

// Reset empties the batch and takes its memory back.
func (b *Batch) Reset() {
	if b.borrows {
		clear(b.Changes)
		b.Rows.Clear()
	} else {
		b.Rows.Reset()
	}
	b.Bytes.Reset()
	b.closeAside()
	b.Tables, b.Stopped, b.Copies, b.Changes = nil, nil, nil, b.Changes[:0]
	b.Whole, b.WholeEnd, b.WholeAt, b.PartEnd, b.Snapshot = 0, nil, time.Time{}, nil, false
	b.Borrowed, b.memory = 0, 0
}

// closeAside lets go what lies elsewhere. What cannot be let go is taken away by
// whoever next owns the place.
func (b *Batch) closeAside() {
	for _, c := range b.Aside {
		_ = c.Close()
	}
	clear(b.Aside)
	b.Aside = b.Aside[:0]
}
