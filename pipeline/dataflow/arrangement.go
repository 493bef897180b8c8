package dataflow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// An arrangement is a node's rows by the key of a join, and their deltas. Joins
// over the same node by the same key share it. Its entries are
//
//	by columns that are unique   key id  →  row                 id is empty if the key is unique by itself
//	by the row, if nothing is    key row →  weight:uvarint
//	an input's or a group's own  key     →  see scan.go, aggregate.go; nothing is written here
type arrangement struct {
	v          *vertex
	form       form
	key        keyer
	id         keyer // columns that tell rows of one key apart; unused if byRow
	byRow      bool
	borrowed   bool // the collection is that of an input or of an aggregate
	grouped    bool // it is an aggregate's
	single     bool // a key has one row at most
	collection uint16
	deltas     run
	users      int  // joins that read it
	left       int  // of these, in this epoch, those that have not
	written    bool // somebody writes this epoch's deltas
	buf, value []byte
}

// take gathers a delta. A row with a NULL in its key joins with nothing.
func (a *arrangement) take(row schema.Row, weight int64) error {
	if a.key.hasNull(row) {
		return nil
	}
	r := &a.deltas
	r.begin()
	r.key = a.key.append(r.key, row)
	r.endOfGroup()
	if !a.byRow {
		r.key = a.id.append(r.key, row)
	}
	r.endOfID()
	r.key = tuple.AppendRow(r.key, row)
	return r.add(weight)
}

// An item is a row of one key, with its weight before and after the epoch.
type item struct {
	id       []byte // what tells it from other rows of the key
	row      schema.Row
	old, new int64
}

// collect moves the deltas of one key into b, and writes what becomes of their
// entries if it is to.
func (a *arrangement) collect(t *Epoch, d *deltas, group []byte, b *bag, write bool) error {
	for d.in(group) {
		a.buf = append(appendCollection(a.buf[:0], a.collection), group...)
		take := a.identified
		if a.byRow {
			take = a.weighted
		}
		if err := take(t, d, b, write); err != nil {
			return err
		}
	}
	return nil
}

// identified takes the deltas of one identity: the row that went, the one that
// came.
func (a *arrangement) identified(t *Epoch, d *deltas, b *bag, write bool) error {
	a.buf = append(a.buf, d.id...)
	group, id := a.buf[collectionBytes:collectionBytes+len(d.group)], a.buf[collectionBytes+len(d.group):]
	var went, came bool
	for d.in(group) && bytes.Equal(d.id, id) {
		switch {
		case d.weight == -1 && !went:
			went = true
		case d.weight == 1 && !came:
			came = true
			a.value = append(a.value[:0], d.row...)
		default:
			return a.broken()
		}
		if err := b.add(id, d.row, max(-d.weight, 0), max(d.weight, 0)); err != nil {
			return err
		}
		if err := d.next(); err != nil {
			return err
		}
	}
	switch {
	case !write:
		return nil
	case came:
		return t.w.Put(a.buf, a.value)
	}
	return t.w.Delete(a.buf)
}

func (a *arrangement) broken() error {
	return fmt.Errorf("dataflow: node %d gives rows twice that its plan calls unique (%s)", a.v.id, names(a.v.node.Columns(), append(a.key.at, a.id.at...)))
}

// begin is called by each join before it reads; write says whether it is the one
// that writes.
func (a *arrangement) begin() (d *deltas, write bool, err error) {
	write = !a.borrowed && !a.written
	a.written = true
	d, err = a.deltas.read()
	return d, write, err
}

// end is called by each join that has read; the last one drops the deltas.
func (a *arrangement) end() error {
	if a.left--; a.left > 0 {
		return nil
	}
	return a.reset()
}

func (a *arrangement) reset() error {
	a.left, a.written = a.users, false
	return a.deltas.reset()
}

// weighted takes the delta of one row that has no identity but itself.
func (a *arrangement) weighted(t *Epoch, d *deltas, b *bag, write bool) error {
	a.buf = append(a.buf, d.row...)
	old := int64(0)
	if !t.fresh {
		v, ok, err := t.r.Get(a.buf)
		if err != nil {
			return err
		}
		if ok {
			if old, err = parseWeight(v); err != nil {
				return stateError("a join", err)
			}
		}
	}
	now := old + d.weight
	if now < 0 {
		return stateError("a join", errRetract)
	}
	if err := b.add(d.row, d.row, old, now); err != nil {
		return err
	}
	if write {
		if err := a.putWeight(t, now); err != nil {
			return err
		}
	}
	return d.next()
}

func (a *arrangement) putWeight(t *Epoch, w int64) error {
	if w == 0 {
		return t.w.Delete(a.buf)
	}
	a.value = binary.AppendUvarint(a.value[:0], uint64(w))
	return t.w.Put(a.buf, a.value)
}

func parseWeight(b []byte) (int64, error) {
	w, n := binary.Uvarint(b)
	if n <= 0 || n != len(b) || w == 0 || w > 1<<62 {
		return 0, errState
	}
	return int64(w), nil
}

// entry reads an entry of the state: what tells its row apart, the row as bytes,
// its weight. key has no collection and no group any more.
func (a *arrangement) entry(key, value []byte) (id, row []byte, weight int64, err error) {
	switch {
	case a.byRow:
		weight, err = parseWeight(value)
		return key, key, weight, err
	case a.grouped:
		row, _, err = cutRow(value)
		return key, row, 1, err
	}
	return key, value, 1, nil
}

// each gives all rows that a key had before the epoch, in the order of their
// identities, until do says stop.
func (a *arrangement) each(t *Epoch, group []byte, do func(id, row []byte, weight int64) (more bool, err error)) (err error) {
	if t.fresh {
		return nil
	}
	a.buf = append(appendCollection(a.buf[:0], a.collection), group...)
	if a.single {
		return a.only(t, do)
	}
	c, err := t.r.Scan(a.buf, tuple.PrefixEnd(nil, a.buf))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	prefix := len(a.buf)
	for c.Next() {
		id, row, weight, err := a.entry(c.Key()[prefix:], c.Value())
		if err != nil {
			return stateError("a join", err)
		}
		if more, err := do(id, row, weight); err != nil || !more {
			return err
		}
	}
	return c.Err()
}

func (a *arrangement) only(t *Epoch, do func(id, row []byte, weight int64) (bool, error)) error {
	v, ok, err := t.r.Get(a.buf)
	if err != nil || !ok {
		return err
	}
	id, row, weight, err := a.entry(nil, v)
	if err != nil {
		return stateError("a join", err)
	}
	_, err = do(id, row, weight)
	return err
}

// arrange makes, or finds, the arrangement of a node by a key.
func (c *compiler) arrange(v *vertex, key []int) (*arrangement, error) {
	name := fmt.Sprint(v.id, key)
	if a := c.sides[name]; a != nil {
		a.users++
		return a, nil
	}
	cols := v.node.Columns()
	a := &arrangement{v: v, users: 1, form: formOf(cols)}
	a.deltas.make = c.e.env.NewSorter
	var err error
	if a.key, err = newKeyer(cols, key, nil); err != nil {
		return nil, err
	}
	unique := identity(v.node.Unique(), key)
	a.byRow, a.single = unique == nil, unique != nil && len(unique) == 0
	if a.id, err = newKeyer(cols, unique, nil); err != nil {
		return nil, err
	}
	if !c.borrow(a, key) {
		a.collection = c.e.collection(JoinRows, 0, v, key)
	}
	v.outs = append(v.outs, a)
	c.sides[name] = a
	return a, nil
}

// identity gives the fewest columns that tell the rows of one key apart, nil if
// none do.
func identity(unique [][]int, key []int) []int {
	var best []int
	for _, set := range unique {
		rest := []int{}
		for _, col := range set {
			if !slices.Contains(key, col) {
				rest = append(rest, col)
			}
		}
		if best == nil || len(rest) < len(best) {
			best = rest
		}
	}
	return best
}
