package dataflow

import (
	"bytes"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// The least value of a group is in its result row. So it is known where the
// first entry of the values lies: what comes before it is new, and what comes
// behind it changes nothing while it stays. Only when it goes, the next one has
// to be looked for.
type lowest struct {
	column  int    // of the aggregation's result
	key     []byte // of the first entry before the epoch; none: there was no entry
	payload []byte
}

// firstPlace is where a payload's first value lies.
var firstPlace = [...]int{0}

// recall works out where the first entry of the group is; old is the result row.
func (s *values) recall(old schema.Row) {
	low := &s.low
	low.key = low.key[:0]
	if old == nil || s.skipNull && old[low.column].IsNull() {
		return
	}
	s.payload = append(s.payload[:0], old[low.column])
	low.payload = tuple.AppendRow(low.payload[:0], s.payload)
	low.key = append(low.key, s.key[:s.group]...)
	if s.order == nil {
		low.key = append(low.key, low.payload...)
		return
	}
	low.key = s.order.Append(low.key, s.payload, firstPlace[:])
}

// toLowest says how the entry at hand lies to the first one: before it, which
// means that there was none, at it, or behind it.
func (s *values) toLowest() int {
	if len(s.low.key) == 0 {
		return -1
	}
	return bytes.Compare(s.key, s.low.key)
}

// keepLowest takes the first entry for the least value, if nothing has become of
// it.
func (s *values) keepLowest() {
	if s.mode == least && !s.done && s.c == nil && len(s.low.key) > 0 {
		s.found, s.done = append(s.found[:0], s.low.payload...), true
	}
}

// seek looks behind the first entry, which has gone.
func (s *values) seek() error {
	from := append(s.scan[:0], s.key...)
	from = append(from, 0) // the next key that there can be
	s.scan = from
	c, err := s.t.r.Scan(from, tuple.PrefixEnd(nil, s.key[:s.group]))
	if err != nil {
		return err
	}
	s.c = c
	return s.advance()
}
