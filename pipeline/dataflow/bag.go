package dataflow

import (
	"encoding/binary"
	"errors"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// A bag holds the items of one key, in the order in which they were added, and
// goes over them as often as it is asked. What does not fit into memory spills.
type bag struct {
	limit int64
	make  func() (Sorter, error)
	held  int64 // bytes
	items []item
	bytes arena
	vals  []schema.Value // rows lie here; grown by block
	spill Sorter
	count uint64 // spilled
	buf   []byte
}

// empty reports whether there is no item.
func (b *bag) empty() bool { return len(b.items) == 0 && b.spill == nil }

// reset drops all items.
func (b *bag) reset() error {
	b.items, b.vals, b.held, b.count = b.items[:0], b.vals[:0], 0, 0
	b.bytes.reset()
	if b.spill == nil {
		return nil
	}
	s := b.spill
	b.spill = nil
	return s.Close()
}

// What an item costs beside its bytes, and a value of its row.
const (
	itemBytes  = 64
	valueBytes = 24
)

func cost(id, row []byte) int64 { return int64(len(id)+len(row)) + itemBytes }

// add copies.
func (b *bag) add(id, row []byte, old, now int64) error {
	if b.spill != nil {
		return b.toSpill(id, row, old, now)
	}
	cost := cost(id, row)
	if b.held > 0 && b.held+cost > b.limit {
		s, err := b.make()
		if err != nil {
			return err
		}
		b.spill = s
		return b.toSpill(id, row, old, now)
	}
	it := item{id: b.bytes.copy(id), old: old, new: now}
	r, err := b.read(b.bytes.copy(row))
	if err != nil {
		return err
	}
	it.row = r
	b.held += cost + valueBytes*int64(len(r))
	b.items = append(b.items, it)
	return nil
}

// read reads a row into a block of values that lives until reset.
func (b *bag) read(row []byte) (schema.Row, error) {
	r, err := tuple.ReadRow(row, schema.Row(b.vals[len(b.vals):cap(b.vals)]))
	if err != nil {
		return nil, stateError("a join", err)
	}
	if len(b.vals)+len(r) <= cap(b.vals) {
		b.vals = b.vals[:len(b.vals)+len(r)]
		return r[:len(r):len(r)], nil
	}
	b.vals = make([]schema.Value, 0, max(2*cap(b.vals), 16*len(r))) // the rows so far keep the old block
	return r, nil
}

// toSpill writes number → len(id):uvarint id old:uvarint new:uvarint row.
func (b *bag) toSpill(id, row []byte, old, now int64) error {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], b.count)
	b.count++
	b.buf = binary.AppendUvarint(b.buf[:0], uint64(len(id)))
	b.buf = append(b.buf, id...)
	b.buf = binary.AppendUvarint(b.buf, uint64(old))
	b.buf = binary.AppendUvarint(b.buf, uint64(now))
	b.buf = append(b.buf, row...)
	return b.spill.Add(key[:], b.buf)
}

// A walk goes over a bag. It is used by value, so that walks may be nested.
type walk struct {
	b    *bag
	at   int
	c    Cursor
	it   item
	fail error
}

// walk begins at the first item.
func (b *bag) walk() walk { return walk{b: b, at: -1} }

// next goes to the next item, w.item() then is it.
func (w *walk) next() bool {
	if w.at++; w.at < len(w.b.items) {
		return true
	}
	if w.b.spill == nil || w.fail != nil {
		return false
	}
	if w.c == nil {
		if w.c, w.fail = w.b.spill.Sort(); w.fail != nil {
			return false
		}
	}
	if !w.c.Next() {
		w.fail = w.c.Err()
		return false
	}
	w.fail = w.load(w.c.Value())
	return w.fail == nil
}

// item is the item at hand; it is valid until next.
func (w *walk) item() *item {
	if w.at < len(w.b.items) {
		return &w.b.items[w.at]
	}
	return &w.it
}

func (w *walk) load(b []byte) (err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return errRun
	}
	w.it.id, b = b[n:n+int(size)], b[n+int(size):]
	old, n := binary.Uvarint(b)
	now, m := binary.Uvarint(b[max(n, 0):])
	if n <= 0 || m <= 0 {
		return errRun
	}
	w.it.old, w.it.new = int64(old), int64(now)
	w.it.row, err = tuple.ReadRow(b[n+m:], w.it.row)
	return err
}

// close gives back what went wrong.
func (w *walk) close() error {
	if w.c == nil {
		return w.fail
	}
	return errors.Join(w.fail, w.c.Close())
}

// An arena gives bytes that live until it is reset.
type arena struct {
	block []byte
}

const arenaBlock = 64 << 10

func (a *arena) copy(b []byte) []byte {
	if len(b) > cap(a.block)-len(a.block) {
		a.block = make([]byte, 0, max(arenaBlock, len(b)))
	}
	start := len(a.block)
	a.block = append(a.block, b...)
	return a.block[start:len(a.block):len(a.block)]
}

// reset lets the bytes be overwritten.
func (a *arena) reset() { a.block = a.block[:0] }
