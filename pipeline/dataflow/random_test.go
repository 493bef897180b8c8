package dataflow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/evertdb/evert/schema"
)

// chance makes plans and transactions.
type chance struct {
	*rand.Rand
	plan  *Plan
	nodes []Node // made so far: any may be used again
}

func tablesOfChance() []*schema.Table {
	return []*schema.Table{
		tableOf("a", 1, column("id", integer), column("x", integer), column("s", text), column("n", numeric)),
		tableOf("b", 2, column("p", integer), column("q", text), column("x", integer), column("y", boolean)),
		tableOf("c", 1, column("s", text), column("x", integer), column("d", double)),
	}
}

func (c *chance) value(t schema.Type) schema.Value {
	if c.IntN(5) == 0 {
		return schema.Null()
	}
	return c.some(t)
}

func (c *chance) some(t schema.Type) schema.Value {
	switch t.Kind {
	case schema.KindInt:
		return schema.Int(int64(c.IntN(5)))
	case schema.KindText:
		return schema.Text([]byte(string(rune('a' + c.IntN(4)))))
	case schema.KindDecimal:
		return schema.Decimal([]byte([]string{"1", "1.0", "1.00", "2", "-0.5", "0"}[c.IntN(6)]))
	case schema.KindFloat:
		return schema.Float([]float64{1, 0.1, 0.2, -3, 1e9}[c.IntN(5)])
	}
	return schema.Bool(c.IntN(2) == 0)
}

func (c *chance) row(t *schema.Table) schema.Row {
	row := make(schema.Row, len(t.Columns))
	for i := range row {
		if row[i] = c.value(t.Columns[i].Type); t.IsKey(i) {
			row[i] = c.some(t.Columns[i].Type)
		}
	}
	return row
}

// node makes a node, or takes one that there is.
func (c *chance) node(depth int) Node {
	if len(c.nodes) > 0 && c.IntN(6) == 0 {
		return c.nodes[c.IntN(len(c.nodes))]
	}
	var n Node
	switch kind := c.IntN(10); {
	case depth == 0 || kind == 0:
		n = scanOf(c.plan, c.IntN(len(c.plan.Inputs)))
	case kind < 6:
		n = c.join(depth)
	case kind < 8:
		n = c.aggregate(c.node(depth - 1))
	case kind < 9:
		n = c.union(c.node(depth - 1))
	default:
		n = c.filter(c.node(depth - 1))
	}
	if len(n.Columns()) > 8 {
		n = c.narrow(n)
	}
	c.nodes = append(c.nodes, n)
	return n
}

// narrow keeps a few columns, and those of a unique set.
func (c *chance) narrow(n Node) Node {
	var at []int
	if sets := n.Unique(); len(sets) > 0 && c.IntN(4) > 0 {
		at = slices.Clone(sets[c.IntN(len(sets))])
	}
	for len(at) < 4 {
		at = append(at, c.IntN(len(n.Columns())))
	}
	slices.Sort(at)
	return project(n, slices.Compact(at)...)
}

func (c *chance) columns(n Node, kinds ...schema.Kind) (at []int) {
	for i, col := range n.Columns() {
		if len(kinds) == 0 || slices.Contains(kinds, col.Type.Kind) {
			at = append(at, i)
		}
	}
	return at
}

func (c *chance) join(depth int) Node {
	l, r := c.node(depth-1), c.node(depth-1)
	var lk, rk []int
	for i, a := range l.Columns() {
		for j, b := range r.Columns() {
			if a.Type.Kind == b.Type.Kind && a.Type.Kind != schema.KindArray {
				lk, rk = append(lk, i), append(rk, j)
			}
		}
	}
	if len(lk) == 0 {
		return l
	}
	var lkey, rkey []int
	for range 1 + c.IntN(2) {
		i := c.IntN(len(lk))
		lkey, rkey = append(lkey, lk[i]), append(rkey, rk[i])
	}
	// Often by a unique set of the right, as foreign keys are.
	if sets := r.Unique(); len(sets) > 0 && c.IntN(2) == 0 {
		lkey, rkey = c.foreign(l, r, sets[c.IntN(len(sets))], lkey, rkey)
	}
	var residual Expr
	if c.IntN(3) == 0 {
		residual = c.across(l, r)
	}
	return joinOf(l, r, lkey, rkey, c.IntN(2) == 0, residual)
}

func (c *chance) foreign(l, r Node, set, lkey, rkey []int) ([]int, []int) {
	var from []int
	for _, col := range set {
		fit := c.columns(l, r.Columns()[col].Type.Kind)
		if len(fit) == 0 || r.Columns()[col].Type.Kind == schema.KindArray {
			return lkey, rkey
		}
		from = append(from, fit[c.IntN(len(fit))])
	}
	if len(from) == 0 {
		return lkey, rkey
	}
	return from, slices.Clone(set)
}

// across compares a column of each side of a join.
func (c *chance) across(l, r Node) Expr {
	left, right := c.columns(l, schema.KindInt), c.columns(r, schema.KindInt)
	if len(left) == 0 || len(right) == 0 || c.IntN(3) == 0 {
		return c.predicate(slices.Concat(l.Columns(), r.Columns()))
	}
	i, j := left[c.IntN(len(left))], right[c.IntN(len(right))]
	return expr{l.Columns()[i].Name + " < " + r.Columns()[j].Name, func(row schema.Row) (schema.Value, error) {
		a, b := row[i], row[len(l.Columns())+j]
		if a.IsNull() || b.IsNull() {
			return schema.Null(), nil
		}
		return schema.Bool(a.Int() < b.Int()), nil
	}}
}

func (c *chance) predicate(cols []schema.Column) Expr {
	i, v := c.IntN(len(cols)), int64(c.IntN(4))
	return expr{fmt.Sprintf("%s <> %d", cols[i].Name, v), func(r schema.Row) (schema.Value, error) {
		switch r[i].Kind() {
		case schema.KindNull:
			return schema.Null(), nil
		case schema.KindInt:
			return schema.Bool(r[i].Int() != v), nil
		}
		return schema.Bool(len(r[i].Ref())%2 == int(v)%2), nil
	}}
}

func (c *chance) filter(n Node) Node { return &Filter{In: n, Pred: c.predicate(n.Columns())} }

// union makes a union of two filters of a node, which overlap.
func (c *chance) union(n Node) Node {
	if c.IntN(2) == 0 {
		return unionOf(c.filter(n), c.filter(n))
	}
	return unionOf(n, c.filter(n), n)
}

func (c *chance) aggregate(n Node) Node {
	var group []int
	if c.IntN(8) > 0 {
		fit := c.columns(n, schema.KindInt, schema.KindText, schema.KindDecimal, schema.KindBool)
		for range min(len(fit), 1+c.IntN(2)) {
			group = append(group, fit[c.IntN(len(fit))])
		}
	}
	slices.Sort(group)
	group = slices.Compact(group)
	var aggs []Agg
	for range c.IntN(5) {
		aggs = append(aggs, c.agg(n))
	}
	if len(group) == 0 && len(aggs) == 0 {
		aggs = append(aggs, agg(Count, -1, integer))
	}
	return aggregateOf(n, group, aggs...)
}

func (c *chance) agg(n Node) Agg {
	cols := n.Columns()
	a := c.ofColumn(n, c.IntN(len(cols)))
	if fit := c.columns(n, schema.KindBool); len(fit) > 0 && c.IntN(3) == 0 {
		a.Filter = fit[c.IntN(len(fit))]
	}
	a.Distinct = a.Arg >= 0 && c.IntN(3) == 0
	if a.Func != StringAgg && a.Func != ArrayAgg {
		return a
	}
	if a.Distinct {
		a.Delim = -1 // what is distinct is the pair
	}
	if !a.Distinct {
		for range c.IntN(3) {
			at := c.IntN(len(cols))
			if cols[at].Type.Kind != schema.KindArray {
				a.Order = append(a.Order, Order{Col: at, Desc: c.IntN(2) == 0, NullsFirst: c.IntN(2) == 0})
			}
		}
	}
	return a
}

func (c *chance) ofColumn(n Node, i int) Agg {
	t := n.Columns()[i].Type
	if t.Kind == schema.KindArray {
		return agg(Count, -1, integer)
	}
	switch c.IntN(8) {
	case 4, 5:
		if t.Kind == schema.KindFloat {
			return agg([]AggFunc{Sum, Avg}[c.IntN(2)], i, t)
		}
		if t.Kind == schema.KindInt || t.Kind == schema.KindDecimal {
			return agg([]AggFunc{Sum, Avg}[c.IntN(2)], i, numeric)
		}
	case 0:
		return agg(Min, i, t)
	case 1:
		return agg(Max, i, t)
	case 2:
		if t.Kind != schema.KindBool {
			return agg(Count, i, integer)
		}
		return agg([]AggFunc{BoolAnd, BoolOr}[c.IntN(2)], i, boolean)
	case 3:
		if t.Kind == schema.KindText {
			a := agg(StringAgg, i, text)
			a.Delim = i
			return a
		}
	}
	return agg(ArrayAgg, i, schema.Type{Kind: schema.KindArray, Name: t.Name + "[]", Elem: &t})
}

// view makes a plan: its root has a key.
func (c *chance) view() *Plan {
	c.plan = planOf(nil, nil, tablesOfChance()...)
	root := c.node(1 + c.IntN(4))
	if len(root.Unique()) == 0 || c.IntN(5) == 0 {
		fit := c.columns(root, schema.KindInt, schema.KindText, schema.KindDecimal, schema.KindBool, schema.KindFloat)
		root = aggregateOf(root, fit, agg(Count, -1, integer))
	}
	sets := root.Unique()
	c.plan.Root, c.plan.Key = root, sets[c.IntN(len(sets))]
	for range c.IntN(3) {
		fit := c.columns(root, schema.KindInt, schema.KindText, schema.KindDecimal)
		if len(fit) > 0 {
			c.plan.Indexes = append(c.plan.Indexes, []int{fit[c.IntN(len(fit))]})
		}
	}
	return c.plan
}

// transaction changes a few rows.
func (c *chance) transaction(w *world, size int) {
	for range 1 + c.IntN(size) {
		i := c.IntN(len(w.tables))
		table := w.plan.Inputs[i].Table
		keys := sortedKeys(w.tables[i])
		switch kind := c.IntN(20); {
		case kind == 0 && c.IntN(4) == 0:
			w.clear(i)
		case kind < 6 && len(keys) > 0:
			w.delete(i, w.tables[i][keys[c.IntN(len(keys))]])
		case kind < 8:
			w.delete(i, c.row(table)) // which may not be there
		case kind < 10 && len(keys) > 0:
			w.upsert(i, w.tables[i][keys[c.IntN(len(keys))]]) // said again (R10)
		case kind < 13 && len(keys) > 0:
			c.move(w, i, w.tables[i][keys[c.IntN(len(keys))]])
		default:
			w.upsert(i, c.row(table))
		}
	}
}

// move gives a row another key.
func (c *chance) move(w *world, i int, row schema.Row) {
	moved := slices.Clone(row)
	table := w.plan.Inputs[i].Table
	k := table.Key[c.IntN(len(table.Key))]
	moved[k] = c.some(table.Columns[k].Type)
	w.delete(i, row)
	w.upsert(i, moved)
}

// Random plans and random transactions: after each epoch the result, what the
// changes add up to, the output, the indexes and the whole state are what they
// would be if the view were made anew.
func TestRandomPlans(t *testing.T) {
	t.Parallel()
	plans := 300
	if os.Getenv("EVERT_FULL") != "" {
		plans = 20_000
	}
	first := uint64(1)
	if s := os.Getenv("EVERT_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		plans = 1
	}
	for seed := first; seed < first+uint64(plans); seed++ {
		runSeed(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d: EVERT_SEED=%d runs it again", seed, seed)
		}
	}
}

func runSeed(t *testing.T, seed uint64) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("seed %d: %v", seed, r)
			panic(r)
		}
	}()
	c := &chance{Rand: rand.New(rand.NewPCG(seed, 0))}
	w := newWorld(t, c.view())
	if c.IntN(3) == 0 {
		w.squeeze()
	}
	for epoch := range 6 {
		c.transaction(w, []int{30, 3, 10}[c.IntN(3)])
		w.finish()
		if epoch%2 == 1 && !t.Failed() {
			if err := same(w.state, w.refilled()); err != nil {
				t.Errorf("R14: the state of epochs is not that of one, by several workers: %v", err)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// squeeze leaves joins no memory, so that every group spills.
func (w *world) squeeze() {
	for _, s := range w.engine.steps {
		if j, ok := s.(*join); ok {
			for _, side := range []*side{&j.left, &j.right} {
				side.changed.limit, side.stayed.limit = 1, 1
			}
		}
	}
}
