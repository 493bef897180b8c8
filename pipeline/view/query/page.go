package query

import (
	"bytes"
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// A place is where a page ended: behind a key of one of the plan's ranges. The
// zero place is before the first.
type place struct {
	at  int    // the range
	key []byte // the last key that was read; nil: none of that range
}

// A page is rows as JSON, and where they end.
type page struct {
	rows  [][]byte
	bytes int
	next  place
	more  bool // there is a row behind next
}

// A scanner reads the rows of a plan, one after the other.
type scanner struct {
	snap  Snapshot
	shape *Shape
	plan  *plan
	at    place
	row   schema.Row // memory that is used again
	full  []byte     // likewise: a key of collection 0
}

// readPage reads up to limit rows, or up to maxBytes of JSON if that is less, but
// one row at least.
func (s *scanner) readPage(limit, maxBytes int) (p page, err error) {
	for ; s.at.at < len(s.plan.ranges); s.at = (place{at: s.at.at + 1}) {
		done, err := s.readRange(&p, limit, maxBytes)
		if err != nil || done {
			p.next, p.more = s.at, done
			return p, err
		}
	}
	return p, nil
}

// readRange adds the rows of the present range; done says that the page is full
// and there is one more.
func (s *scanner) readRange(p *page, limit, maxBytes int) (done bool, err error) {
	r := s.rest()
	if bytes.Compare(r.low, r.high) >= 0 {
		return false, nil
	}
	c, err := s.snap.Scan(r.low, r.high, s.plan.backward)
	if err != nil {
		return false, err
	}
	defer c.Close()
	for c.Next() {
		if len(p.rows) >= limit || p.bytes >= maxBytes {
			return true, nil
		}
		text, err := s.rowAt(c)
		if err != nil {
			return false, err
		}
		p.rows, p.bytes = append(p.rows, text), p.bytes+len(text)
		s.at.key = append(s.at.key[:0:0], c.Key()...)
	}
	return false, c.Err()
}

// rest is what of the present range was not read yet.
func (s *scanner) rest() keyRange {
	r := s.plan.ranges[s.at.at]
	switch {
	case s.at.key == nil:
	case s.plan.backward:
		r.high = s.at.key
	default:
		r.low = append(slices.Clone(s.at.key), 0)
	}
	return r
}

// rowAt renders the row that a key of the plan's order stands for.
func (s *scanner) rowAt(c dataflow.Cursor) ([]byte, error) {
	value := c.Value()
	if s.plan.order.collection != 0 {
		_, key, err := s.plan.order.key.Split(c.Key()[2:], s.plan.order.own)
		if err != nil {
			return nil, damaged("a key of an index of the view cannot be read")
		}
		s.full = append(append(s.full[:0], 0, 0), key...)
		ok := false
		if value, ok, err = s.snap.Get(s.full); err != nil {
			return nil, err
		} else if !ok {
			return nil, damaged("an index of the view names a row that is not there")
		}
	}
	return s.render(value)
}

func (s *scanner) render(value []byte) (text []byte, err error) {
	if s.row, err = tuple.ReadRow(value, s.row); err != nil || len(s.row) != len(s.shape.Columns) {
		return nil, damaged("a row of the view cannot be read")
	}
	return s.shape.AppendRow(nil, s.row), nil
}

// readRow renders the row with a key; nil if there is none.
func readRow(snap Snapshot, key []schema.Value) ([]byte, error) {
	shape := snap.Shape()
	at := make([]int, len(key))
	for i := range at {
		at[i] = i
	}
	value, ok, err := snap.Get(shape.orders[0].key.Append([]byte{0, 0}, key, at))
	if err != nil || !ok {
		return nil, err
	}
	s := scanner{snap: snap, shape: shape}
	return s.render(value)
}
