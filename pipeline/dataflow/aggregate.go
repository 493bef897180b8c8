package dataflow

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// An aggregation keeps an entry per group
//
//	group tuple  →  len(row):uvarint row rows:uvarint accumulators
//
// with the result row as it was given last, so that taking it back is one get,
// and the values of those aggregates that need more than sums (see values).
//
// The deltas of a group come with all columns that any aggregate looks at, in
// the order of the first values, if there are any; further values sort their own.
type aggregation struct {
	*vertex
	node       *Aggregate
	max        int64
	collection uint16
	group      keyer
	need       []int // columns of In that deltas carry: the group's first
	slots      []slot
	reps       []*values // of group columns whose equal values may look different; by place, or nil
	sets       []*values
	lowest     bool // one of sets is for the least value
	deltas     run

	picked schema.Row // scratch of take
	row    schema.Row // the delta at hand
	at     groupAt
	result schema.Row
	form   form // of the result
	now    []byte
	value  []byte
}

// groupAt is the group at hand.
type groupAt struct {
	key    []byte // with its collection
	prior  []byte // the entry's value before the epoch
	old    []byte // the result row before the epoch; nil: none
	rows   int64
	sample []byte // a row of the group's deltas
}

// A slot works out one aggregate: by an accumulator, by values, or by an
// accumulator over distinct values.
type slot struct {
	agg    *Agg
	arg    int // places in what deltas carry; -1: none
	filter int
	acc    accumulator
	set    *values
}

func (a *aggregation) take(row schema.Row, weight int64) error {
	a.in++
	a.picked = a.picked[:0]
	for _, c := range a.need {
		a.picked = append(a.picked, row[c])
	}
	r := &a.deltas
	r.begin()
	r.key = a.group.append(r.key, row)
	r.endOfGroup()
	if len(a.sets) > 0 {
		r.key = a.sets[0].appendOrder(r.key, row)
	}
	r.endOfID()
	r.key = tuple.AppendRow(r.key, a.picked)
	if err := r.add(weight); err != nil {
		return err
	}
	for _, s := range a.sets[min(1, len(a.sets)):] {
		if err := s.take(r.key[:r.group], row, weight); err != nil {
			return err
		}
	}
	return nil
}

func (a *aggregation) reset() error {
	errs := []error{a.deltas.reset()}
	for _, s := range a.sets {
		errs = append(errs, s.reset())
	}
	return errors.Join(errs...)
}

func (a *aggregation) run(t *Epoch) (err error) {
	d, err := a.deltas.read()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(), a.reset()) }()
	for _, s := range a.sets[min(1, len(a.sets)):] {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if !d.ok && a.node.Grand && t.fresh {
		return a.one(t, d, nil)
	}
	for d.ok {
		if err := a.one(t, d, d.group); err != nil {
			return err
		}
	}
	return nil
}

// one takes all deltas of a group.
func (a *aggregation) one(t *Epoch, d *deltas, group []byte) error {
	if err := a.load(t, group); err != nil {
		return err
	}
	if err := a.absorb(t, d); err != nil {
		return err
	}
	if a.at.rows < 0 {
		return stateError("a group", errRetract)
	}
	now, err := a.work(t)
	if err != nil {
		return err
	}
	if err := a.store(t, now); err != nil {
		return err
	}
	return a.pass(now)
}

// load reads the group's entry.
func (a *aggregation) load(t *Epoch, group []byte) error {
	at := &a.at
	at.key = append(appendCollection(at.key[:0], a.collection), group...)
	at.prior, at.sample, at.old, at.rows = at.prior[:0], at.sample[:0], nil, 0
	for i := range a.slots {
		if acc := a.slots[i].acc; acc != nil {
			acc.reset()
		}
	}
	if !t.fresh {
		v, ok, err := t.r.Get(at.key)
		if err != nil {
			return err
		}
		if ok {
			at.prior = append(at.prior, v...)
			if err := a.parse(at.prior); err != nil {
				return stateError("a group", err)
			}
		}
	}
	return a.start(t)
}

// start goes to the group with all values.
func (a *aggregation) start(t *Epoch) error {
	var old schema.Row
	if a.at.old != nil && a.lowest {
		if err := a.form.read(a.at.old, &a.row); err != nil {
			return err
		}
		old = a.row
	}
	for _, s := range a.sets {
		s.start(t, a.at.key[collectionBytes:], a.at.old != nil)
		if s.mode == least {
			s.recall(old)
		}
	}
	return nil
}

func (a *aggregation) parse(b []byte) (err error) {
	if a.at.old, b, err = cutRow(b); err != nil {
		return err
	}
	rows, n := binary.Uvarint(b)
	if n <= 0 || rows > 1<<62 {
		return errState
	}
	a.at.rows, b = int64(rows), b[n:]
	for i := range a.slots {
		if acc := a.slots[i].acc; acc != nil {
			if b, err = acc.load(b); err != nil {
				return err
			}
		}
	}
	if len(b) > 0 {
		return errState
	}
	return nil
}

// cutRow reads len(row):uvarint row.
func cutRow(b []byte) (row, rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size == 0 || size > uint64(len(b)-n) {
		return nil, nil, errState
	}
	return b[n : n+int(size)], b[n+int(size):], nil
}

// absorb adds the deltas of the group to accumulators and values.
func (a *aggregation) absorb(t *Epoch, d *deltas) error {
	group := a.at.key[collectionBytes:]
	for d.in(group) {
		if err := t.tick(); err != nil {
			return err
		}
		if len(a.at.sample) == 0 {
			a.at.sample = append(a.at.sample, d.row...)
		}
		if err := readRow(d.row, &a.row); err != nil {
			return err
		}
		if err := a.add(d); err != nil {
			return err
		}
		if err := d.next(); err != nil {
			return err
		}
	}
	for _, s := range a.sets[min(1, len(a.sets)):] {
		if err := s.absorb(group); err != nil {
			return err
		}
	}
	for _, s := range a.sets {
		if err := s.end(); err != nil {
			return err
		}
	}
	return nil
}

// add adds one delta.
func (a *aggregation) add(d *deltas) error {
	a.at.rows += d.weight
	for i := range a.slots {
		s := &a.slots[i]
		if s.set != nil || s.filter >= 0 && !isTrue(a.row[s.filter]) {
			continue
		}
		v := schema.Bool(true) // count(*)
		if s.arg >= 0 {
			v = a.row[s.arg]
		}
		if v.IsNull() {
			continue
		}
		if err := s.acc.add(v, d.weight); err != nil {
			return groupError(s.agg, err)
		}
	}
	if len(a.sets) == 0 {
		return nil
	}
	return a.sets[0].addCarried(d.id, a.row, d.weight)
}

// work gives the group's result row as bytes, nil if the group is gone.
func (a *aggregation) work(t *Epoch) ([]byte, error) {
	if a.at.rows == 0 && !a.node.Grand {
		return nil, nil
	}
	var old schema.Row
	if a.at.old != nil {
		if err := a.form.read(a.at.old, &a.row); err != nil {
			return nil, err
		}
		old = a.row
	} else if len(a.at.sample) > 0 {
		if err := readRow(a.at.sample, &a.row); err != nil {
			return nil, err
		}
	}
	n := len(a.node.Group)
	copy(a.result, a.row[:n])
	for i, s := range a.reps {
		if s == nil {
			continue
		}
		v, err := s.result(columnOf(old, i))
		if err != nil {
			return nil, err
		}
		a.result[i] = v
	}
	for i := range a.slots {
		v, err := a.slots[i].value(columnOf(old, n+i))
		if err != nil {
			return nil, groupError(a.slots[i].agg, err)
		}
		a.result[n+i] = v
	}
	a.now = tuple.AppendRow(a.now[:0], a.result)
	return a.now, nil
}

func columnOf(row schema.Row, i int) schema.Value {
	if row == nil {
		return schema.Null()
	}
	return row[i]
}

func (s *slot) value(old schema.Value) (schema.Value, error) {
	if s.acc != nil {
		return s.acc.result()
	}
	return s.set.result(old)
}

// store writes the group's entry if it differs.
func (a *aggregation) store(t *Epoch, now []byte) error {
	if now == nil {
		if a.at.old == nil {
			return nil
		}
		return t.w.Delete(a.at.key)
	}
	a.value = binary.AppendUvarint(a.value[:0], uint64(len(now)))
	a.value = append(a.value, now...)
	a.value = binary.AppendUvarint(a.value, uint64(a.at.rows))
	for i := range a.slots {
		if acc := a.slots[i].acc; acc != nil {
			a.value = acc.append(a.value)
		}
	}
	if bytes.Equal(a.value, a.at.prior) {
		return nil
	}
	return t.w.Put(a.at.key, a.value)
}

// pass takes the old result row back and gives the new one.
func (a *aggregation) pass(now []byte) error {
	if bytes.Equal(now, a.at.old) {
		return nil
	}
	if a.at.old != nil {
		if err := a.form.read(a.at.old, &a.row); err != nil {
			return err
		}
		if err := a.give(a.row, -1); err != nil {
			return err
		}
	}
	if now == nil {
		return nil
	}
	return a.give(a.result, 1)
}
