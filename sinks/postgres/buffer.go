package postgres

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A buffer holds rows as text, in memory of its own:
//
//	row   = key value*         the values in the order of the layout
//	value = length:int32 text  length -1: NULL
//
// A row that is gone has a key and no values. A row that was written before the
// layout grew has fewer values; those that it lacks are NULL.
type buffer struct {
	data []byte
	rows []entry
	gone int // of them
	next int // the number of the next row, over all that a step holds
}

// An entry is one row of a buffer.
type entry struct {
	key, row, end int // where key and values begin, and where they end
	number        int // in the order of arrival
	partition     int32
	offset        uint64
	gone          bool
}

const null = ^uint32(0)

// add takes a row; values of from are the columns that the layout's come from, -1
// for none.
func (b *buffer) add(c *pipeline.Change, row schema.Row, p *plan, gone bool) {
	e := entry{key: len(b.data), number: b.next, partition: c.Partition, offset: c.Offset, gone: gone}
	for _, i := range p.key {
		b.value(&p.table.Columns[i].Type, row[i])
	}
	e.row = len(b.data)
	if !gone {
		for _, i := range p.from {
			if i < 0 {
				b.value(nil, schema.Null())
				continue
			}
			b.value(&p.table.Columns[i].Type, row[i])
		}
	} else {
		b.gone++
	}
	e.end = len(b.data)
	b.next++
	b.rows = append(b.rows, e)
}

// addGone takes a key that is packed already.
func (b *buffer) addGone(key []byte) {
	e := entry{key: len(b.data), number: b.next, gone: true}
	b.data = append(b.data, key...)
	e.row, e.end = len(b.data), len(b.data)
	b.next++
	b.gone++
	b.rows = append(b.rows, e)
}

func (b *buffer) value(t *schema.Type, v schema.Value) {
	if v.IsNull() {
		b.data = binary.BigEndian.AppendUint32(b.data, null)
		return
	}
	at := len(b.data)
	b.data = append(b.data, 0, 0, 0, 0)
	b.data = t.AppendText(b.data, v)
	binary.BigEndian.PutUint32(b.data[at:], uint32(len(b.data)-at-4))
}

// size is what the buffer occupies, in bytes.
func (b *buffer) size() int { return len(b.data) + len(b.rows)*entryBytes }

const entryBytes = 64

// reset drops all rows; their numbers go on.
func (b *buffer) reset() { b.data, b.rows, b.gone = b.data[:0], b.rows[:0], 0 }

func (b *buffer) keyOf(e *entry) []byte { return b.data[e.key:e.row] }

// consolidate sorts the rows by key and keeps the last of each: two transactions
// that touch the same rows of ours lock them in one order (S11).
func (b *buffer) consolidate() {
	byKey := func(x, y entry) int {
		if c := bytes.Compare(b.keyOf(&x), b.keyOf(&y)); c != 0 {
			return c
		}
		return x.number - y.number
	}
	if !slices.IsSortedFunc(b.rows, byKey) {
		slices.SortFunc(b.rows, byKey)
	}
	kept := b.rows[:0]
	b.gone = 0
	for i := range b.rows {
		e := b.rows[i]
		if i+1 < len(b.rows) && bytes.Equal(b.keyOf(&e), b.keyOf(&b.rows[i+1])) {
			continue
		}
		if e.gone {
			b.gone++
		}
		kept = append(kept, e)
	}
	b.rows = kept
}

// next takes one value off the front of b; ok is false at its end.
func nextValue(b []byte) (text []byte, isNull bool, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, true, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if n == null {
		return nil, true, b[4:], true
	}
	return b[4 : 4+n], false, b[4+n:], true
}

// hash shows which key a message is about, without showing it.
func hash(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}
