package dataflow

import (
	"fmt"

	"github.com/evertdb/evert/schema"
)

// A taker takes deltas. The row is valid during the call.
type taker interface {
	take(row schema.Row, weight int64) error
}

// A vertex is a node in the engine: it hands each delta on to all who read it.
type vertex struct {
	id      int
	node    Node
	outs    []taker
	trace   func(node int, row schema.Row, weight int64)
	in, out int64 // deltas of this epoch
}

func (v *vertex) give(row schema.Row, weight int64) error {
	v.out++
	if v.trace != nil {
		v.trace(v.id, row, weight)
	}
	for _, o := range v.outs {
		if err := o.take(row, weight); err != nil {
			return err
		}
	}
	return nil
}

// mapping is a Map.
type mapping struct {
	*vertex
	exprs []Expr
	row   schema.Row
}

func (m *mapping) take(row schema.Row, weight int64) error {
	m.in++
	for i, e := range m.exprs {
		v, err := e.Eval(row)
		if err != nil {
			return exprError(e, err)
		}
		m.row[i] = v
	}
	return m.give(m.row, weight)
}

// filter is a Filter.
type filter struct {
	*vertex
	pred Expr
}

func (f *filter) take(row schema.Row, weight int64) error {
	f.in++
	ok, err := holds(f.pred, row)
	if !ok || err != nil {
		return err
	}
	return f.give(row, weight)
}

// holds reports whether a predicate is true, and neither false nor NULL.
func holds(pred Expr, row schema.Row) (bool, error) {
	v, err := pred.Eval(row)
	if err != nil {
		return false, exprError(pred, err)
	}
	return isTrue(v), nil
}

func isTrue(v schema.Value) bool { return v.Kind() == schema.KindBool && v.Bool() }

// union is a Union.
type union struct{ *vertex }

func (u *union) take(row schema.Row, weight int64) error {
	u.in++
	return u.give(row, weight)
}

// known guards an input: an unknown value never reaches an operator (I5).
func known(row schema.Row, in *Input) error {
	for i, v := range row {
		if !v.IsKnown() {
			return fmt.Errorf("dataflow: %s: column %d of a row is unknown", in.Table, in.Carry[i])
		}
	}
	return nil
}
