package deliver

import (
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// A load is a batch with the memory that its rows lie in. It goes from the pump to
// the stage and back, and belongs to who has it.
type load struct {
	batch  pipeline.Batch
	table  *schema.Table // the shape of its rows
	half   half          // of a step with old rows
	bytes  []byte        // of records
	values []schema.Value
	arena  avro.Arena
	record log.Record // that is decoded
}

// reset takes back what lay in l; its memory is used again.
func (l *load) reset() {
	l.batch = pipeline.Batch{Changes: l.batch.Changes[:0]}
	l.bytes, l.values, l.table = l.bytes[:0], l.values[:0], nil
	l.half = both
	l.arena.Reset()
}

// hold takes a change of a feed.
func (l *load) hold(f *feed, c pipeline.Change) {
	l.table, l.batch.Topic = f.table, f.number
	l.batch.Changes = append(l.batch.Changes, c)
}

// isFull reports whether l has as much as it may have.
func (l *load) isFull(bytes, rows int) bool {
	return l.batch.Bytes >= bytes || len(l.batch.Changes) >= rows
}

// Where a slab is full a larger one is begun; what lies in the old one stays where
// it is until nothing refers to it.
const (
	loadBytes  = 64 << 10
	loadValues = 1024
)

// own gives the record with a key and value that lie in l; it is valid until the
// next call.
func (l *load) own(r *log.Record) *log.Record {
	l.record = *r
	l.record.Key = l.keep(r.Key)
	if r.Value != nil {
		l.record.Value = l.keep(r.Value)
	}
	return &l.record
}

func (l *load) keep(b []byte) []byte {
	if cap(l.bytes)-len(l.bytes) < len(b) {
		l.bytes = make([]byte, 0, max(loadBytes, 2*cap(l.bytes), len(b)))
	}
	from := len(l.bytes)
	l.bytes = append(l.bytes, b...)
	return l.bytes[from:len(l.bytes):len(l.bytes)]
}

// row gives a row of n values.
func (l *load) row(n int) schema.Row {
	if cap(l.values)-len(l.values) < n {
		l.values = make([]schema.Value, 0, max(loadValues, 2*cap(l.values), n))
	}
	from := len(l.values)
	l.values = l.values[:from+n]
	return schema.Row(l.values[from : from+n : from+n])
}
