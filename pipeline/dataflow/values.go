package dataflow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// values are an ordered multiset per group, for the aggregates that have to know
// every value: the least one, all in order, or which are there at all. An entry
// is
//
//	group tuple, order tuple  →  lot*
//	lot                       =  weight:uvarint len:uvarint payload
//
// with the lots in the order of their bytes. There is one, unless equal values
// look different, as 1.0 and 1.00 do. The payload is the row of the aggregate's
// arguments.
type values struct {
	mode       mode
	agg        *Agg
	collection uint16
	what       string
	max        int64
	order      *tuple.Key // nil: by the payload's bytes
	orderAt    []int      // columns of In
	args       []int      // columns of In: the payload
	form       form       // of the payload
	filter     int        // column of In; -1: none
	skipNull   bool       // a NULL argument does not count
	carried    []int      // places of args in what the aggregation's deltas carry
	carriedIf  int        // place of the filter there; -1: none
	acc        accumulator
	build      builder

	own    run
	deltas *deltas

	t       *Epoch
	key     []byte // collection, group, then an order
	group   int    // length of key without an order
	existed bool   // the group may have entries
	touched bool
	c       Cursor // over the entries as the epoch found them
	ahead   bool
	low     lowest
	done    bool // least: it is known
	found   []byte
	id      []byte // of the lots being gathered
	lots    []lot
	bytes   arena
	payload schema.Row
	scratch []byte // the payload at hand
	before  []byte // the entry at hand as the epoch found it
	after   []byte // and as it becomes
	scan    []byte
}

// A mode is what the values are kept for.
type mode uint8

const (
	least    mode = iota + 1 // min, max
	all                      // string_agg and its like
	distinct                 // count(DISTINCT) and its like
)

type lot struct {
	payload []byte
	weight  int64
}

func (s *values) appendOrder(dst []byte, row schema.Row) []byte {
	if s.order == nil {
		return s.appendPayload(dst, row)
	}
	return s.order.Append(dst, row, s.orderAt)
}

func (s *values) appendPayload(dst []byte, row schema.Row) []byte {
	s.payload = s.payload[:0]
	for _, c := range s.args {
		s.payload = append(s.payload, row[c])
	}
	return tuple.AppendRow(dst, s.payload)
}

// take gathers a delta of values that sort their own.
func (s *values) take(group []byte, row schema.Row, weight int64) error {
	if s.filter >= 0 && !isTrue(row[s.filter]) || s.skipNull && row[s.args[0]].IsNull() {
		return nil
	}
	r := &s.own
	r.begin()
	r.key = append(r.key, group...)
	r.endOfGroup()
	r.key = s.appendOrder(r.key, row)
	r.endOfID()
	r.key = s.appendPayload(r.key, row)
	return r.add(weight)
}

func (s *values) begin() (err error) {
	s.deltas, err = s.own.read()
	return err
}

func (s *values) reset() error {
	err := errors.Join(s.deltas.close(), s.own.reset(), s.closeCursor())
	s.deltas = nil
	return err
}

func (s *values) closeCursor() error {
	if s.c == nil {
		return nil
	}
	c := s.c
	s.c, s.ahead = nil, false
	return c.Close()
}

// start goes to a group.
func (s *values) start(t *Epoch, group []byte, existed bool) {
	s.t, s.existed = t, existed
	s.key = append(appendCollection(s.key[:0], s.collection), group...)
	s.group = len(s.key)
	s.touched, s.done, s.found = false, false, s.found[:0]
	s.lots = s.lots[:0]
	s.bytes.reset()
	if s.build != nil {
		s.build.reset()
	}
}

// addCarried takes a delta from what the aggregation's deltas carry.
func (s *values) addCarried(id []byte, row schema.Row, weight int64) error {
	if s.carriedIf >= 0 && !isTrue(row[s.carriedIf]) || s.skipNull && row[s.carried[0]].IsNull() {
		return nil
	}
	s.payload = s.payload[:0]
	for _, c := range s.carried {
		s.payload = append(s.payload, row[c])
	}
	s.scratch = tuple.AppendRow(s.scratch[:0], s.payload)
	return s.add(id, s.scratch, weight)
}

// absorb takes the group's own deltas.
func (s *values) absorb(group []byte) error {
	for s.deltas.in(group) {
		if err := s.t.tick(); err != nil {
			return err
		}
		if err := s.add(s.deltas.id, s.deltas.row, s.deltas.weight); err != nil {
			return err
		}
		if err := s.deltas.next(); err != nil {
			return err
		}
	}
	return nil
}

// add gathers the lots of one order key; they come in its order.
func (s *values) add(id, payload []byte, weight int64) error {
	if len(s.lots) > 0 && !bytes.Equal(id, s.id) {
		if err := s.change(); err != nil {
			return err
		}
	}
	if len(s.lots) == 0 {
		s.id = append(s.id[:0], id...)
	}
	s.put(payload, weight)
	return nil
}

func (s *values) put(payload []byte, weight int64) {
	for i := range s.lots {
		if bytes.Equal(s.lots[i].payload, payload) {
			s.lots[i].weight += weight
			return
		}
	}
	s.lots = append(s.lots, lot{payload: s.bytes.copy(payload), weight: weight})
}

// change takes the gathered lots to the entry of their order key.
func (s *values) change() error {
	if err := s.touch(); err != nil {
		return err
	}
	s.key = append(s.key[:s.group], s.id...)
	if err := s.upTo(s.key); err != nil {
		return err
	}
	if s.mode == least && s.toLowest() > 0 {
		s.keepLowest()
	}
	prior, err := s.prior()
	if err != nil {
		return err
	}
	first, err := s.merge(prior)
	if err != nil {
		return err
	}
	if err := s.write(prior); err != nil {
		return err
	}
	if err := s.turn(first); err != nil {
		return err
	}
	if s.mode == least && !s.done && s.toLowest() == 0 {
		if err := s.seek(); err != nil {
			return err
		}
	}
	s.lots = s.lots[:0]
	s.bytes.reset()
	return nil
}

// touch begins to read the group's entries, if that is needed.
func (s *values) touch() error {
	if s.touched {
		return nil
	}
	s.touched = true
	if !s.existed || s.mode != all {
		return nil
	}
	c, err := s.t.r.Scan(s.key[:s.group], tuple.PrefixEnd(nil, s.key[:s.group]))
	if err != nil {
		return err
	}
	s.c = c
	return s.advance()
}

func (s *values) advance() error {
	s.ahead = s.c.Next()
	if !s.ahead {
		return s.c.Err()
	}
	return nil
}

// upTo passes entries that stay as they are, below key; nil means all.
func (s *values) upTo(key []byte) error {
	for s.ahead && !s.done && (key == nil || bytes.Compare(s.c.Key(), key) < 0) {
		if err := s.t.tick(); err != nil {
			return err
		}
		if err := s.pass(s.c.Value()); err != nil {
			return err
		}
		if err := s.advance(); err != nil {
			return err
		}
	}
	return nil
}

// prior gives the entry of s.key as the epoch found it, and goes past it.
func (s *values) prior() ([]byte, error) {
	s.before = s.before[:0]
	switch {
	case !s.existed, s.mode == least && s.toLowest() < 0:
		return nil, nil
	case s.mode == distinct, s.mode == least && (s.c == nil || s.done):
		v, ok, err := s.t.r.Get(s.key)
		if ok {
			s.before = append(s.before, v...)
		}
		return s.before, err
	case s.ahead && bytes.Equal(s.c.Key(), s.key):
		s.before = append(s.before, s.c.Value()...)
		return s.before, s.advance()
	}
	return nil, nil
}

// merge adds the lots of an entry to the gathered ones, and gives the first of
// the entry's payloads.
func (s *values) merge(prior []byte) (first []byte, err error) {
	for b := prior; len(b) > 0; {
		var l lot
		if l, b, err = cutLot(b); err != nil {
			return nil, stateError("an aggregate", err)
		}
		if first == nil {
			first = l.payload
		}
		s.put(l.payload, l.weight)
	}
	s.lots = slices.DeleteFunc(s.lots, func(l lot) bool { return l.weight == 0 })
	slices.SortFunc(s.lots, func(a, b lot) int { return bytes.Compare(a.payload, b.payload) })
	for _, l := range s.lots {
		if l.weight < 0 {
			return nil, stateError(s.what, errRetract)
		}
	}
	return first, nil
}

func cutLot(b []byte) (l lot, rest []byte, err error) {
	w, n := binary.Uvarint(b)
	size, m := binary.Uvarint(b[max(n, 0):])
	if n <= 0 || m <= 0 || w == 0 || w > 1<<62 || size > uint64(len(b)-n-m) {
		return l, nil, errState
	}
	b = b[n+m:]
	return lot{payload: b[:size], weight: int64(w)}, b[size:], nil
}

// write puts the lots where the entry was.
func (s *values) write(prior []byte) error {
	if len(s.lots) == 0 {
		if len(prior) == 0 {
			return nil
		}
		return s.t.w.Delete(s.key)
	}
	s.after = s.after[:0]
	for _, l := range s.lots {
		s.after = binary.AppendUvarint(s.after, uint64(l.weight))
		s.after = binary.AppendUvarint(s.after, uint64(len(l.payload)))
		s.after = append(s.after, l.payload...)
	}
	if bytes.Equal(s.after, prior) {
		return nil
	}
	return s.t.w.Put(s.key, s.after)
}

// turn takes an order key's lots after the epoch; was is the first payload
// before it.
func (s *values) turn(was []byte) error {
	if s.mode == distinct {
		return s.turnDistinct(was)
	}
	for i, l := range s.lots {
		if err := s.use(l, i == 0); err != nil {
			return err
		}
	}
	return nil
}

// pass takes an entry that stays.
func (s *values) pass(b []byte) error {
	for first := true; len(b) > 0; first = false {
		l, rest, err := cutLot(b)
		if err != nil {
			return stateError("an aggregate", err)
		}
		if err := s.use(l, first); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// use takes a lot of the group in order; first says that its order key has none
// before it.
func (s *values) use(l lot, first bool) error {
	if s.mode == least {
		if !s.done {
			s.found, s.done = append(s.found[:0], l.payload...), true
		}
		return nil
	}
	times := l.weight
	if s.agg.Distinct {
		times = one(first)
	}
	if times == 0 {
		return nil
	}
	if err := s.form.read(l.payload, &s.payload); err != nil {
		return err
	}
	for range times {
		if err := s.build.add(s.payload); err != nil {
			return err
		}
		if s.build.size() > s.max {
			return tooLarge(s.what, s.max)
		}
	}
	return nil
}

// turnDistinct tells the accumulator which value stands for the order key now.
func (s *values) turnDistinct(was []byte) error {
	var now []byte
	if len(s.lots) > 0 {
		now = s.lots[0].payload
	}
	if bytes.Equal(was, now) {
		return nil
	}
	if err := s.tell(was, -1); err != nil {
		return err
	}
	return s.tell(now, 1)
}

func (s *values) tell(payload []byte, weight int64) error {
	if payload == nil {
		return nil
	}
	if err := s.form.read(payload, &s.payload); err != nil {
		return err
	}
	if err := s.acc.add(s.payload[0], weight); err != nil {
		return groupError(s.agg, err)
	}
	return nil
}

// end takes what is left of a group.
func (s *values) end() error {
	if len(s.lots) > 0 {
		if err := s.change(); err != nil {
			return err
		}
	}
	if s.touched {
		s.keepLowest()
	}
	if err := s.upTo(nil); err != nil {
		return err
	}
	return s.closeCursor()
}

// result is the aggregate's value; old is what it was, which it still is if
// nothing touched the values.
func (s *values) result(old schema.Value) (schema.Value, error) {
	switch {
	case !s.touched:
		return old, nil
	case s.mode == all:
		return s.build.value(), nil
	case !s.done:
		return schema.Null(), nil
	}
	if err := s.form.read(s.found, &s.payload); err != nil {
		return schema.Null(), err
	}
	return s.payload[0], nil
}
