package postgres

import (
	"time"
	"unsafe"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A batch is what goes through the queue: changes and the memory that their
// values lie in. It has one owner at a time: whoever fills it, the queue, the
// caller of Next; then it is emptied and filled again.
//
//	changes   [ whole transactions … | part of one ]
//	                                 ▲            ▲
//	                            whole, wholeEnd   partEnd
type batch struct {
	tables   []*schema.Table
	changes  []pipeline.Change
	whole    int              // changes[:whole] are whole transactions
	wholeEnd *pipeline.Resume // nil: nothing ends in this batch
	wholeAt  time.Time
	partEnd  *pipeline.Resume // set if changes[whole:] are handed over inside their transaction
	snapshot bool             // changes are rows of the snapshot, numbered by Next

	rows   arena.Rows
	arena  arena.Bytes
	reader pgvalue.Reader
	memory int64 // as counted by the queue
	ends   [2]pipeline.Resume
}

func newBatch() *batch {
	b := &batch{}
	b.reader.Arena = &b.arena
	return b
}

// row gives a row of n values in the batch's memory. They hold what was there
// before; the caller sets every one.
func (b *batch) row(n int) schema.Row { return b.rows.Row(n) }

// add appends an empty change and gives it.
func (b *batch) add() *pipeline.Change {
	if n := len(b.changes); n < cap(b.changes) {
		b.changes = b.changes[:n+1]
		b.changes[n] = pipeline.Change{}
	} else {
		b.changes = append(b.changes, pipeline.Change{})
	}
	return &b.changes[len(b.changes)-1]
}

func (b *batch) empty() bool { return len(b.changes) == 0 && len(b.tables) == 0 && b.wholeEnd == nil }

// endWhole marks the end of a transaction.
func (b *batch) endWhole(r pipeline.Resume, at time.Time) {
	b.ends[0] = r
	b.whole, b.wholeEnd, b.wholeAt = len(b.changes), &b.ends[0], at
}

// endPart marks that the changes behind the last whole transaction are a part of one.
func (b *batch) endPart(r pipeline.Resume) {
	b.ends[1] = r
	b.partEnd = &b.ends[1]
}

// dropPart forgets the changes behind the last whole transaction.
func (b *batch) dropPart() { b.changes, b.partEnd = b.changes[:b.whole], nil }

// size is roughly what the batch occupies.
func (b *batch) size() int {
	return b.arena.Used() + b.rows.Used()*int(unsafe.Sizeof(schema.Value{})) + len(b.changes)*int(unsafe.Sizeof(pipeline.Change{}))
}

// bytes is roughly what its rows hold.
func (b *batch) bytes() int { return b.arena.Used() + 8*b.rows.Used() }

func (b *batch) full(c *Config) bool {
	return len(b.changes) >= c.BatchRows || b.size() >= c.BatchBytes
}

func (b *batch) reset() {
	b.tables, b.changes = nil, b.changes[:0]
	b.whole, b.wholeEnd, b.wholeAt, b.partEnd, b.snapshot = 0, nil, time.Time{}, nil, false
	b.rows.Reset()
	b.arena.Reset()
}
