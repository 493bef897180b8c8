package mysql

import (
	"time"
	"unsafe"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// A batch is what goes through the queue: changes, and the memory that their values lie
// in; texts and byte strings of the log lie in the events themselves. It has one owner
// at a time: whoever fills it, the queue, the caller of Next.
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
	snapshot bool             // changes are of the snapshot, numbered by Next

	rows   arena.Rows
	arena  arena.Bytes
	events int   // bytes of the log that the changes came from
	memory int64 // as counted by the queue
}

// row gives a row of n values; the caller sets every one.
func (b *batch) row(n int) schema.Row { return b.rows.Row(n) }

// add appends an empty change and gives it.
func (b *batch) add() *pipeline.Change {
	b.changes = append(b.changes, pipeline.Change{})
	return &b.changes[len(b.changes)-1]
}

func (b *batch) empty() bool { return len(b.changes) == 0 && len(b.tables) == 0 && b.wholeEnd == nil }

// endWhole marks the end of a transaction.
func (b *batch) endWhole(r pipeline.Resume, at time.Time) {
	b.whole, b.wholeEnd, b.wholeAt = len(b.changes), &r, at
}

// size is roughly what the batch occupies.
func (b *batch) size() int {
	return b.arena.Used() + b.events + b.rows.Used()*int(unsafe.Sizeof(schema.Value{})) + len(b.changes)*int(unsafe.Sizeof(pipeline.Change{}))
}

func (b *batch) full(c *Config) bool {
	return len(b.changes) >= c.BatchRows || b.size() >= c.BatchBytes
}

func (b *batch) reset() {
	clear(b.changes)
	b.rows.Clear() // values keep events alive
	b.arena.Reset()
	*b = batch{changes: b.changes[:0], rows: b.rows, arena: b.arena}
}
