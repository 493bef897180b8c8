package dataflow

import (
	"encoding/binary"
	"errors"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// An output keeps the result by its key, and its rows' places in the indexes,
// and tells what changes.
type output struct {
	*vertex
	plan    *Plan
	key     keyer
	deltas  run
	indexes []*index
	tied    []byte // key at hand, with its collection
	oldRow  []byte
	newRow  []byte
	old     schema.Row
	new     schema.Row
	keyRow  schema.Row
	form    form
}

// An index is a further order of the result. Its entries are
//
//	index tuple, key tuple  →  len(index tuple):uvarint
type index struct {
	collection uint16
	key        keyer
	moves      run // group: the entry's key; weight: whether it comes or goes
}

func (o *output) take(row schema.Row, weight int64) error {
	r := &o.deltas
	r.begin()
	r.key = o.key.append(r.key, row)
	r.endOfGroup()
	r.endOfID()
	r.key = tuple.AppendRow(r.key, row)
	return r.add(weight)
}

func (o *output) reset() error {
	errs := []error{o.deltas.reset()}
	for _, x := range o.indexes {
		errs = append(errs, x.moves.reset())
	}
	return errors.Join(errs...)
}

func (o *output) run(t *Epoch) (err error) {
	d, err := o.deltas.read()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(), o.reset()) }()
	for d.ok {
		if err := t.tick(); err != nil {
			return err
		}
		if err := o.one(t, d); err != nil {
			return err
		}
	}
	for _, x := range o.indexes {
		if err := x.write(t); err != nil {
			return err
		}
	}
	return nil
}

// one takes all deltas of a key: at most one row goes and one comes.
func (o *output) one(t *Epoch, d *deltas) error {
	o.tied = append(appendCollection(o.tied[:0], outputCollection), d.group...)
	var went, came bool
	for d.in(o.tied[collectionBytes:]) {
		switch {
		case d.weight == -1 && !went:
			went, o.oldRow = true, append(o.oldRow[:0], d.row...)
		case d.weight == 1 && !came:
			came, o.newRow = true, append(o.newRow[:0], d.row...)
		default:
			return notUnique(o.plan)
		}
		if err := d.next(); err != nil {
			return err
		}
	}
	if err := o.check(t, went); err != nil {
		return err
	}
	return o.turn(t, went, came)
}

// check makes sure that a row that comes alone has its key to itself. One that
// takes another's place does: what went was there, once.
func (o *output) check(t *Epoch, went bool) error {
	if went || t.fresh {
		return nil
	}
	_, taken, err := t.r.Get(o.tied)
	if err == nil && taken {
		err = notUnique(o.plan)
	}
	return err
}

// turn writes what a key's row becomes and tells it.
func (o *output) turn(t *Epoch, went, came bool) (err error) {
	c := Change{}
	if went {
		if err := readRow(o.oldRow, &o.old); err != nil {
			return err
		}
		c.Old = o.old
	}
	if came {
		if err := readRow(o.newRow, &o.new); err != nil {
			return err
		}
		c.New = o.new
		err = t.w.Put(o.tied, o.newRow)
	} else {
		err = t.w.Delete(o.tied)
	}
	if err != nil {
		return err
	}
	for _, x := range o.indexes {
		if err := x.move(o.tied[collectionBytes:], c); err != nil {
			return err
		}
	}
	c.Key = o.keyOf(c)
	t.changes++
	return t.emit(c)
}

func (o *output) keyOf(c Change) schema.Row {
	row := c.New
	if row == nil {
		row = c.Old
	}
	o.keyRow = o.keyRow[:0]
	for _, i := range o.plan.Key {
		o.keyRow = append(o.keyRow, row[i])
	}
	return o.keyRow
}

// move gathers how a row's place in the index changes.
func (x *index) move(key []byte, c Change) error {
	if c.Old != nil {
		if err := x.say(c.Old, key, -1); err != nil {
			return err
		}
	}
	if c.New != nil {
		return x.say(c.New, key, 1)
	}
	return nil
}

func (x *index) say(row schema.Row, key []byte, weight int64) error {
	r := &x.moves
	r.begin()
	r.key = x.key.append(r.key, row)
	r.endOfGroup()
	r.key = append(r.key, key...)
	r.endOfID()
	return r.add(weight)
}

// write writes the moves; a row that stays in its place makes none.
func (x *index) write(t *Epoch) (err error) {
	d, err := x.moves.read()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	var key, value []byte
	for d.ok {
		key = append(appendCollection(key[:0], x.collection), d.key...)
		if d.weight < 0 {
			err = t.w.Delete(key)
		} else {
			value = binary.AppendUvarint(value[:0], uint64(len(d.group)))
			err = t.w.Put(key, value)
		}
		if err != nil {
			return err
		}
		if err := d.next(); err != nil {
			return err
		}
	}
	return nil
}
