package dataflow

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// An input turns what is said of a table's rows into deltas. The old row is the
// one that the state has (R18); what was said last of a key in an epoch counts,
// and a row that the state has already is no delta (R10).
//
// An entry of its sorter is the primary key's tuple → the row, or nothing if it
// was deleted.
type input struct {
	*vertex    // of the scan; nobody reads it if the plan does not
	table      *Input
	make       func() (Sorter, error)
	sorter     Sorter // nil: nothing was said
	cleared    bool
	collection uint16
	key        keyer // over the carried columns
	given      []int // places of a key that is given by itself
	buf, row   []byte
	old, new   schema.Row
	form       form
}

func (s *input) upsert(row schema.Row) error {
	if len(row) != len(s.table.Carry) {
		return fmt.Errorf("dataflow: %s: a row of %d columns, %d are carried", s.table.Table, len(row), len(s.table.Carry))
	}
	if err := known(row, s.table); err != nil {
		return err
	}
	s.buf = s.key.append(s.buf[:0], row)
	s.row = tuple.AppendRow(s.row[:0], row)
	return s.add(s.row)
}

func (s *input) delete(key schema.Row) error {
	if len(key) != len(s.given) {
		return fmt.Errorf("dataflow: %s: a key of %d columns, there are %d", s.table.Table, len(key), len(s.given))
	}
	s.buf = s.key.key.Append(s.buf[:0], key, s.given)
	return s.add(nil)
}

func (s *input) add(row []byte) error {
	if s.sorter == nil {
		sorter, err := s.make()
		if err != nil {
			return err
		}
		s.sorter = sorter
	}
	return s.sorter.Add(s.buf, row)
}

func (s *input) clear() error {
	err := s.drop()
	s.cleared = true
	return err
}

func (s *input) drop() error {
	if s.sorter == nil {
		return nil
	}
	sorter := s.sorter
	s.sorter = nil
	return sorter.Close()
}

func (s *input) reset() error {
	s.cleared = false
	return s.drop()
}

func (s *input) run(t *Epoch) (err error) {
	said := &lastWords{}
	if s.sorter != nil {
		c, err := s.sorter.Sort()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close(), s.reset()) }()
		said.c = c
		said.ahead = c.Next()
	}
	if s.cleared && !t.fresh {
		return s.replace(t, said)
	}
	for said.next() {
		if err := s.one(t, said); err != nil {
			return err
		}
	}
	return said.err()
}

// one takes what was said of a key, with what the state has of it.
func (s *input) one(t *Epoch, said *lastWords) error {
	s.buf = append(appendCollection(s.buf[:0], s.collection), said.key...)
	var old []byte
	if !t.fresh {
		v, ok, err := t.r.Get(s.buf)
		if err != nil {
			return err
		}
		if ok {
			old = v
		}
	}
	return s.turn(t, s.buf, old, said.row)
}

// turn passes on how a row changes; nil or nothing means that there is none.
func (s *input) turn(t *Epoch, key, old, now []byte) error {
	if err := t.tick(); err != nil {
		return err
	}
	s.in++
	if bytes.Equal(old, now) {
		return nil
	}
	if len(now) == 0 {
		if err := t.w.Delete(key); err != nil {
			return err
		}
	} else if err := t.w.Put(key, now); err != nil {
		return err
	}
	if err := s.pass(old, &s.old, -1); err != nil {
		return err
	}
	return s.pass(now, &s.new, 1)
}

func (s *input) pass(b []byte, row *schema.Row, weight int64) error {
	if len(b) == 0 {
		return nil
	}
	if err := s.form.read(b, row); err != nil {
		return err
	}
	return s.give(*row, weight)
}

// replace takes what was said as all that there is: rows that the state has
// besides have gone.
func (s *input) replace(t *Epoch, said *lastWords) (err error) {
	low, high := CollectionBounds(s.collection)
	c, err := t.r.Scan(low, high)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	more, has := said.next(), c.Next()
	for more || has {
		order := compareHeads(more, has, said.key, c)
		s.buf = append(appendCollection(s.buf[:0], s.collection), said.key...)
		var now, old []byte
		if order <= 0 {
			now = said.row
		}
		if order >= 0 {
			s.buf = append(s.buf[:0], c.Key()...)
			old = c.Value()
		}
		if err := s.turn(t, s.buf, old, now); err != nil {
			return err
		}
		if order <= 0 {
			more = said.next()
		}
		if order >= 0 {
			has = c.Next()
		}
	}
	return errors.Join(said.err(), c.Err())
}

// compareHeads orders what was said before what the state has; whoever is at its
// end comes last.
func compareHeads(more, has bool, key []byte, c Cursor) int {
	switch {
	case !more:
		return 1
	case !has:
		return -1
	}
	return bytes.Compare(key, c.Key()[collectionBytes:])
}

// lastWords goes over a sorter's keys, with what was added last of each.
type lastWords struct {
	c     Cursor
	ahead bool
	key   []byte
	row   []byte // nothing: deleted
}

func (l *lastWords) next() bool {
	if !l.ahead {
		return false
	}
	l.key = append(l.key[:0], l.c.Key()...)
	for same := true; same; same = l.ahead && bytes.Equal(l.c.Key(), l.key) {
		l.row = append(l.row[:0], l.c.Value()...)
		l.ahead = l.c.Next()
	}
	return true
}

func (l *lastWords) err() error {
	if l.c == nil {
		return nil
	}
	return l.c.Err()
}
