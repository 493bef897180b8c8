package dataflow

import (
	"encoding/binary"
	"fmt"

	"github.com/evertdb/evert/pipeline/scalar/aggregate"
	"github.com/evertdb/evert/schema"
)

// An accumulator is the state of an aggregate that values can be taken out of
// again, exactly. It never sees a NULL.
type accumulator interface {
	// reset is the state over no values.
	reset()
	// add takes a value weight times, or takes it back if that is negative.
	add(v schema.Value, weight int64) error
	// append writes the state behind dst.
	append(dst []byte) []byte
	// load reads what append wrote, and gives what follows.
	load(b []byte) (rest []byte, err error)
	// result is the aggregate's value; it is valid until the next call.
	result() (schema.Value, error)
}

// total is an aggregate of the catalogue: sum, avg and their like.
type total struct {
	state aggregate.State
	empty []byte // the state over no values
	buf   []byte
}

func (c *total) reset() {
	if err := c.state.Read(c.empty); err != nil {
		panic(err) // it is what the state itself wrote
	}
}

func (c *total) add(v schema.Value, weight int64) error { return c.state.Add(v, weight) }
func (c *total) result() (schema.Value, error)          { return c.state.Result() }

// append writes len(state):uvarint state.
func (c *total) append(dst []byte) []byte {
	c.buf = c.state.Append(c.buf[:0])
	dst = binary.AppendUvarint(dst, uint64(len(c.buf)))
	return append(dst, c.buf...)
}

func (c *total) load(b []byte) (rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, errState
	}
	return b[n+int(size):], c.state.Read(b[n : n+int(size)])
}

// counter is count.
// counter is count.
type counter struct{ n int64 }

func (c *counter) reset()                                 { c.n = 0 }
func (c *counter) add(_ schema.Value, weight int64) error { c.n += weight; return nil }
func (c *counter) append(dst []byte) []byte               { return binary.AppendVarint(dst, c.n) }
func (c *counter) result() (schema.Value, error)          { return schema.Int(c.n), nil }

func (c *counter) load(b []byte) (rest []byte, err error) {
	v, n := binary.Varint(b)
	if n <= 0 {
		return nil, errState
	}
	c.n = v
	return b[n:], nil
}

// judge is bool_and and bool_or: it counts both answers.
type judge struct {
	yes, no counter
	or      bool
}

func (j *judge) reset() { j.yes.n, j.no.n = 0, 0 }

func (j *judge) add(v schema.Value, weight int64) error {
	if v.Bool() {
		return j.yes.add(v, weight)
	}
	return j.no.add(v, weight)
}

func (j *judge) append(dst []byte) []byte { return j.no.append(j.yes.append(dst)) }

func (j *judge) load(b []byte) (rest []byte, err error) {
	if b, err = j.yes.load(b); err != nil {
		return nil, err
	}
	return j.no.load(b)
}

func (j *judge) result() (schema.Value, error) {
	switch {
	case j.yes.n == 0 && j.no.n == 0:
		return schema.Null(), nil
	case j.or:
		return schema.Bool(j.yes.n > 0), nil
	}
	return schema.Bool(j.no.n == 0), nil
}

// newAccumulator makes the accumulator of an aggregate over values of a type;
// nil if it needs all values.
func newAccumulator(agg *Agg, arg schema.Type) (accumulator, error) {
	switch agg.Func {
	case Count:
		return &counter{}, nil
	case BoolAnd, BoolOr:
		return &judge{or: agg.Func == BoolOr}, nil
	case Sum, Avg:
		return newTotal(agg.Func, arg)
	case Min, Max, StringAgg, ArrayAgg, JSONAgg, JSONBAgg:
		return nil, nil
	}
	return nil, fmt.Errorf("there is no aggregate function %d", agg.Func)
}

func newTotal(f AggFunc, arg schema.Type) (accumulator, error) {
	name := "sum"
	if f == Avg {
		name = "avg"
	}
	a, err := aggregate.Lookup(name, arg)
	if err != nil {
		return nil, err
	}
	s := a.New()
	return &total{state: s, empty: s.Append(nil)}, nil
}
