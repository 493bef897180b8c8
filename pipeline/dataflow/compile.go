package dataflow

import (
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// A compiler turns a plan into steps and what lies between them.
type compiler struct {
	e     *Engine
	made  map[Node]*vertex
	sides map[string]*arrangement // by node and key
	aggs  map[*vertex]*aggregation
}

func (c *compiler) compile() error {
	p := c.e.plan
	if p.Root == nil {
		return errors.New("the plan has no root")
	}
	c.aggs = map[*vertex]*aggregation{}
	c.e.out = &output{plan: p, keyRow: make(schema.Row, 0, len(p.Key)), deltas: run{make: c.e.env.NewSorter}}
	c.e.collection(OutputRows, 0, nil, p.Key)
	for i, x := range p.Indexes {
		c.e.collection(OutputIndex, i, nil, x)
	}
	for i := range p.Inputs {
		if err := c.input(i); err != nil {
			return fmt.Errorf("input %s: %w", p.Inputs[i].Table, err)
		}
	}
	root, err := c.node(p.Root)
	if err != nil {
		return err
	}
	for _, a := range c.sides {
		a.left = a.users
	}
	return c.output(root)
}

func (c *compiler) input(i int) error {
	in := &c.e.plan.Inputs[i]
	cols := make([]schema.Column, len(in.Carry))
	for j, col := range in.Carry {
		cols[j] = in.Table.Columns[col]
	}
	key, err := newKeyer(cols, in.Key, nil)
	if err != nil {
		return err
	}
	s := &input{table: in, make: c.e.env.NewSorter, key: key, given: places(len(in.Key))}
	s.vertex, s.form = &vertex{id: -1}, formOf(cols)
	s.collection = c.e.collection(InputRows, i, nil, in.Key)
	c.e.inputs = append(c.e.inputs, s)
	c.e.steps = append(c.e.steps, s)
	return nil
}

// output ends the plan.
func (c *compiler) output(root *vertex) (err error) {
	o, cols := c.e.out, root.node.Columns()
	o.vertex, o.form = root, formOf(cols)
	if o.key, err = newKeyer(cols, o.plan.Key, nil); err != nil {
		return fmt.Errorf("the view's key: %w", err)
	}
	c.e.layout[outputCollection].Node = root.id
	for i, at := range o.plan.Indexes {
		x := &index{collection: uint16(1 + i), moves: run{make: c.e.env.NewSorter}}
		if x.key, err = newKeyer(cols, at, nil); err != nil {
			return fmt.Errorf("index %d: %w", i+1, err)
		}
		c.e.layout[x.collection].Node = root.id
		o.indexes = append(o.indexes, x)
	}
	root.outs = append(root.outs, o)
	c.e.steps = append(c.e.steps, o)
	if len(c.e.layout) > maxCollections {
		return errManyCollections
	}
	return nil
}

// node makes the vertex of a node, and of all below it, once.
func (c *compiler) node(n Node) (*vertex, error) {
	if v := c.made[n]; v != nil {
		return v, nil
	}
	if s, ok := n.(*Scan); ok {
		return c.scan(s)
	}
	ins := make([]*vertex, len(n.Inputs()))
	for i, in := range n.Inputs() {
		v, err := c.node(in)
		if err != nil {
			return nil, err
		}
		ins[i] = v
	}
	v := c.vertex(n)
	err := c.operator(n, v, ins)
	return v, err
}

func (c *compiler) vertex(n Node) *vertex {
	v := &vertex{id: len(c.e.nodes), node: n, trace: c.e.env.Trace}
	c.e.nodes = append(c.e.nodes, v)
	c.made[n] = v
	return v
}

// scan gives the vertex of an input, which all scans of it share.
func (c *compiler) scan(n *Scan) (*vertex, error) {
	if n.Input < 0 || n.Input >= len(c.e.inputs) {
		return nil, fmt.Errorf("there is no input %d", n.Input)
	}
	in := c.e.inputs[n.Input]
	if in.vertex.node == nil {
		in.vertex.id, in.vertex.node, in.vertex.trace = len(c.e.nodes), n, c.e.env.Trace
		c.e.nodes = append(c.e.nodes, in.vertex)
		c.e.layout[in.collection].Node = in.vertex.id
	}
	c.made[n] = in.vertex
	return in.vertex, nil
}

func (c *compiler) operator(n Node, v *vertex, ins []*vertex) error {
	switch n := n.(type) {
	case *Map:
		ins[0].outs = append(ins[0].outs, &mapping{vertex: v, exprs: n.Exprs, row: make(schema.Row, len(n.Exprs))})
	case *Filter:
		ins[0].outs = append(ins[0].outs, &filter{vertex: v, pred: n.Pred})
	case *Union:
		for _, in := range ins {
			in.outs = append(in.outs, &union{vertex: v})
		}
	case *Join:
		return c.join(n, v, ins[0], ins[1])
	case *Aggregate:
		return c.aggregate(n, v, ins[0])
	default:
		return fmt.Errorf("there is no operator for a node %T", n)
	}
	return nil
}

func (c *compiler) join(n *Join, v, left, right *vertex) error {
	if len(n.LeftKey) == 0 || len(n.LeftKey) != len(n.RightKey) {
		return errors.New("a join needs a key of as many columns on both sides")
	}
	lk, rk := c.pairs(left, right, n.LeftKey, n.RightKey)
	j := &join{vertex: v, node: n, nulls: make(schema.Row, len(right.node.Columns()))}
	if n.Outer {
		left.outs = append(left.outs, lonely{j})
	}
	for _, s := range []struct {
		side *side
		v    *vertex
		key  []int
	}{{&j.left, left, lk}, {&j.right, right, rk}} {
		a, err := c.arrange(s.v, s.key)
		if err != nil {
			return fmt.Errorf("join: %w", err)
		}
		*s.side = side{a: a, changed: c.bag(), stayed: c.bag()}
	}
	c.e.steps = append(c.e.steps, j)
	return nil
}

func (c *compiler) bag() bag { return bag{limit: c.e.env.MaxGroup / 4, make: c.e.env.NewSorter} }

// pairs orders the pairs of a join's key so that one side's collection can be
// that of its input or group, if that is possible.
func (c *compiler) pairs(left, right *vertex, lk, rk []int) (l, r []int) {
	for _, side := range []struct {
		v   *vertex
		key []int
	}{{right, rk}, {left, lk}} {
		own := c.ownKey(side.v)
		order := make([]int, 0, len(own))
		for _, col := range own {
			order = append(order, slices.Index(side.key, col))
		}
		if own == nil || len(own) != len(side.key) || slices.Contains(order, -1) {
			continue
		}
		for _, i := range order {
			l, r = append(l, lk[i]), append(r, rk[i])
		}
		return l, r
	}
	return lk, rk
}

// ownKey is the key of the collection that holds a node's rows anyway, nil if
// there is none.
func (c *compiler) ownKey(v *vertex) []int {
	switch n := v.node.(type) {
	case *Scan:
		return c.e.plan.Inputs[n.Input].Key
	case *Aggregate:
		return places(len(n.Group))
	}
	return nil
}

// borrow lets an arrangement use the collection that holds the node's rows
// anyway.
func (c *compiler) borrow(a *arrangement, key []int) bool {
	if own := c.ownKey(a.v); own == nil || !slices.Equal(own, key) {
		return false
	}
	a.borrowed = true
	switch n := a.v.node.(type) {
	case *Scan:
		a.collection = c.e.inputs[n.Input].collection
	case *Aggregate:
		a.grouped, a.collection = true, c.aggs[a.v].collection
	}
	return true
}

func (c *compiler) aggregate(n *Aggregate, v, in *vertex) error {
	cols := in.node.Columns()
	key, err := newKeyer(cols, n.Group, nil)
	if err != nil {
		return fmt.Errorf("group: %w", err)
	}
	a := &aggregation{vertex: v, node: n, max: c.e.env.MaxGroup, group: key, result: make(schema.Row, len(n.Group)+len(n.Aggs))}
	a.deltas.make, a.form = c.e.env.NewSorter, formOf(n.Cols)
	a.need = slices.Clone(n.Group)
	a.collection = c.e.collection(GroupRows, 0, v, places(len(n.Group)))
	a.reps = make([]*values, len(n.Group))
	for i := range n.Aggs {
		if err := c.slot(a, i, cols); err != nil {
			return aggError(&n.Aggs[i], err)
		}
	}
	for i, col := range n.Group {
		if looksDifferent(cols[col]) {
			a.reps[i] = &values{mode: least, args: []int{col}, form: formOf(cols[col : col+1]), filter: -1, what: "group"}
			a.reps[i].low.column = i
			c.keep(a, a.reps[i], -1)
		}
	}
	c.carry(a)
	in.outs = append(in.outs, a)
	c.aggs[v] = a
	c.e.steps = append(c.e.steps, a)
	return nil
}

func aggError(agg *Agg, err error) error { return fmt.Errorf("%s: %w", agg.Text, err) }

// slot makes what works out one aggregate.
func (c *compiler) slot(a *aggregation, i int, cols []schema.Column) (err error) {
	agg := &a.node.Aggs[i]
	s := slot{agg: agg, arg: a.place(agg.Arg), filter: a.place(agg.Filter)}
	var arg schema.Column
	if agg.Arg >= 0 {
		arg = cols[agg.Arg]
	}
	if s.acc, err = newAccumulator(agg, arg.Type); err != nil {
		return err
	}
	if s.acc == nil || agg.Distinct && agg.Func != BoolAnd && agg.Func != BoolOr {
		if s.set, err = newValues(agg, cols, s.acc, a.max); err != nil {
			return err
		}
		s.set.low.column = len(a.node.Group) + i
		c.keep(a, s.set, i)
	}
	a.slots = append(a.slots, s)
	return nil
}

// keep gives values a collection and a place.
func (c *compiler) keep(a *aggregation, s *values, place int) {
	s.collection = c.e.collection(GroupValues, place, a.vertex, places(len(a.node.Group)))
	s.own.make = c.e.env.NewSorter
	a.sets = append(a.sets, s)
	a.lowest = a.lowest || s.mode == least
}

// place gives the place of a column in what deltas carry.
func (a *aggregation) place(col int) int {
	if col < 0 {
		return -1
	}
	i := slices.Index(a.need, col)
	if i < 0 {
		i = len(a.need)
		a.need = append(a.need, col)
	}
	return i
}

// carry makes the deltas carry all that any values look at: then those of two
// equal deltas cancel out wherever the deltas do.
func (c *compiler) carry(a *aggregation) {
	for _, s := range a.sets {
		for _, col := range s.args {
			s.carried = append(s.carried, a.place(col))
		}
		s.carriedIf = a.place(s.filter)
		for _, col := range s.orderAt {
			a.place(col)
		}
	}
}

// newValues makes the values of an aggregate.
func newValues(agg *Agg, cols []schema.Column, acc accumulator, max int64) (*values, error) {
	s := &values{mode: all, agg: agg, what: agg.Text, max: max, acc: acc, filter: agg.Filter, args: []int{agg.Arg}}
	if agg.Delim >= 0 && agg.Func == StringAgg {
		s.args = append(s.args, agg.Delim)
	}
	for _, col := range s.args {
		s.form = append(s.form, cols[col].Type.Kind)
	}
	order := agg.Order
	switch agg.Func {
	case Min, Max:
		s.mode, s.skipNull, order = least, true, []Order{{Col: agg.Arg, Desc: agg.Func == Max}}
	case StringAgg:
		s.skipNull, s.build = true, &texts{}
	case ArrayAgg:
		s.build = &elements{}
	case JSONAgg, JSONBAgg:
		if cols[agg.Arg].Type.Kind != schema.KindJSON {
			return nil, errors.New("the argument is not JSON")
		}
		s.build = &document{}
	default:
		s.mode, s.skipNull, order = distinct, true, nil
	}
	if agg.Distinct && s.mode != least {
		order = s.everyArg(order)
	}
	var by []tuple.Order
	for _, o := range order {
		s.orderAt = append(s.orderAt, o.Col)
		by = append(by, tuple.Order{Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	k, err := newKeyer(cols, s.orderAt, by)
	s.order, s.orderAt = k.key, k.at
	return s, err
}

// everyArg appends the arguments that an order does not have: of distinct ones
// each has an order of its own.
func (s *values) everyArg(order []Order) []Order {
	order = slices.Clone(order)
	for _, col := range s.args {
		if !slices.ContainsFunc(order, func(o Order) bool { return o.Col == col }) {
			order = append(order, Order{Col: col})
		}
	}
	return order
}

// looksDifferent reports whether equal values of a column may have different
// bytes, as 1.0 and 1.00, 0 and −0, a month and 30 days have.
func looksDifferent(c schema.Column) bool {
	switch c.Type.Kind {
	case schema.KindBool, schema.KindInt, schema.KindBytes, schema.KindDate, schema.KindTime, schema.KindTimestamp, schema.KindUUID:
		return false
	case schema.KindDecimal:
		return c.Type.Scale < 0
	case schema.KindText:
		return c.Collation.Pad
	}
	return true
}
