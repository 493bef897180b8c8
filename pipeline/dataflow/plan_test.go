package dataflow

import (
	"fmt"
	"slices"

	"github.com/evertdb/evert/schema"
)

// expr is an expression of the tests: a function with a name.
type expr struct {
	text string
	eval func(schema.Row) (schema.Value, error)
}

func (e expr) String() string                            { return e.text }
func (e expr) Eval(row schema.Row) (schema.Value, error) { return e.eval(row) }

// Types of the tests' columns.
var (
	integer = schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}
	text    = schema.Type{Kind: schema.KindText, Name: "text"}
	numeric = schema.Type{Kind: schema.KindDecimal, Name: "numeric", Precision: -1, Scale: -1}
	double  = schema.Type{Kind: schema.KindFloat, Name: "double precision", Bits: 64}
	boolean = schema.Type{Kind: schema.KindBool, Name: "boolean"}
	jsonb   = schema.Type{Kind: schema.KindJSON, Name: "jsonb", Binary: true}
)

func column(name string, t schema.Type) schema.Column {
	return schema.Column{Name: name, Type: t, Nullable: true}
}

// tableOf makes a table whose first columns are its key.
func tableOf(name string, key int, cols ...schema.Column) *schema.Table {
	return &schema.Table{Schema: "public", Name: name, Version: 1, Columns: cols, Key: places(key)}
}

func inputOf(t *schema.Table) Input {
	return Input{Source: "shop", Table: t, Carry: places(len(t.Columns)), Key: t.Key}
}

func scanOf(p *Plan, i int) *Scan {
	in := p.Inputs[i]
	cols := make([]schema.Column, len(in.Carry))
	for j, c := range in.Carry {
		cols[j] = in.Table.Columns[c]
	}
	return &Scan{Input: i, Cols: cols, Keys: [][]int{in.Key}}
}

// col is the expression of a column; project makes a Map of some columns.
func col(cols []schema.Column, i int) expr {
	return expr{cols[i].Name, func(r schema.Row) (schema.Value, error) { return r[i], nil }}
}

func project(in Node, at ...int) *Map {
	m := &Map{In: in}
	for _, i := range at {
		m.Exprs = append(m.Exprs, col(in.Columns(), i))
		m.Cols = append(m.Cols, in.Columns()[i])
	}
	for _, set := range in.Unique() {
		var kept []int
		for _, c := range set {
			kept = append(kept, slices.Index(at, c))
		}
		if !slices.Contains(kept, -1) {
			m.Keys = append(m.Keys, kept)
		}
	}
	return m
}

// joinOf makes a join with the unique sets that follow from its sides'.
func joinOf(l, r Node, lk, rk []int, outer bool, residual Expr) *Join {
	j := &Join{Left: l, Right: r, LeftKey: lk, RightKey: rk, Outer: outer, Residual: residual}
	j.Cols = slices.Concat(l.Columns(), r.Columns())
	width := len(l.Columns())
	if within(r.Unique(), rk) {
		j.Keys = append(j.Keys, l.Unique()...)
	}
	if within(l.Unique(), lk) && !outer {
		for _, set := range r.Unique() {
			j.Keys = append(j.Keys, shift(set, width))
		}
	}
	for _, a := range l.Unique() {
		for _, b := range r.Unique() {
			j.Keys = append(j.Keys, slices.Concat(a, shift(b, width)))
		}
	}
	return j
}

func within(sets [][]int, key []int) bool {
	return slices.ContainsFunc(sets, func(set []int) bool {
		return !slices.ContainsFunc(set, func(c int) bool { return !slices.Contains(key, c) })
	})
}

func shift(set []int, by int) []int {
	moved := slices.Clone(set)
	for i := range moved {
		moved[i] += by
	}
	return moved
}

func aggregateOf(in Node, group []int, aggs ...Agg) *Aggregate {
	a := &Aggregate{In: in, Group: group, Grand: len(group) == 0, Aggs: aggs}
	for _, g := range group {
		a.Cols = append(a.Cols, in.Columns()[g])
	}
	for i := range aggs {
		if aggs[i].Text == "" {
			aggs[i].Text = fmt.Sprintf("agg%d(%d)", aggs[i].Func, aggs[i].Arg)
		}
		a.Cols = append(a.Cols, column(fmt.Sprintf("agg%d", i+1), aggs[i].Result))
	}
	return a
}

// agg is an aggregate of a column without anything else.
func agg(f AggFunc, arg int, result schema.Type) Agg {
	return Agg{Func: f, Arg: arg, Filter: -1, Delim: -1, Result: result}
}

// unionOf makes a union.
func unionOf(in ...Node) *Union { return &Union{In: in, Cols: in[0].Columns()} }

func planOf(root Node, key []int, inputs ...*schema.Table) *Plan {
	p := &Plan{Root: root, Key: key}
	for _, t := range inputs {
		p.Inputs = append(p.Inputs, inputOf(t))
	}
	return p
}
