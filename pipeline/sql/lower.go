package sql

import (
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// A lowering makes the nodes of a plan.
type lowering struct {
	q      *query
	inputs []dataflow.Input
	place  map[int]int            // of a query's input among the plan's
	scans  map[int]*dataflow.Scan // by the plan's input: all readings share one
}

// A placed is a node with the columns of its rows, in order.
type placed struct {
	node dataflow.Node
	ids  []colID
}

func (p placed) layout() layout {
	at := layout{}
	for i, id := range p.ids {
		if _, twice := at[id]; !twice {
			at[id] = i
		}
	}
	return at
}

// positions are where columns lie; ok is false if one is not there.
func (p placed) positions(ids []colID) (list []int, ok bool) {
	at := p.layout()
	for _, id := range ids {
		i, found := at[id]
		if !found {
			return nil, false
		}
		list = append(list, i)
	}
	return list, true
}

// sets are keys as positions, as far as all their columns are there.
func (p placed) sets(keys [][]colID) (sets [][]int) {
	for _, key := range keys {
		if list, ok := p.positions(key); ok {
			sets = append(sets, append([]int{}, list...))
		}
	}
	return sets
}

func (l *lowering) column(id colID) schema.Column {
	c := &l.q.columns[id]
	return columnOf(c.name, c.typ, c.coll, c.nullable)
}

func (l *lowering) columns(ids []colID) []schema.Column {
	list := make([]schema.Column, len(ids))
	for i, id := range ids {
		list[i] = l.column(id)
	}
	return list
}

// lower makes the node of a relation; n are the columns that are used above.
func (l *lowering) lower(r rel, n need) placed {
	switch r := r.(type) {
	case *scanRel:
		return l.scan(r)
	case *mapRel:
		in := l.lower(r.in, needed(columnsOf(r.terms...)))
		return l.mapped(in, r.ids, r.terms, r.keys(l.q))
	case *filterRel:
		in := l.lower(r.in, n.with(columnsOf(r.preds...)))
		return placed{&dataflow.Filter{In: in.node, Pred: all(r.preds).expression(in.layout())}, in.ids}
	case *joinRel:
		return l.join(r, n)
	case *aggRel:
		return l.aggregate(r)
	}
	return l.union(r.(*unionRel))
}

func (l *lowering) mapped(in placed, ids []colID, terms []*term, keys [][]colID) placed {
	out := placed{ids: ids}
	at := in.layout()
	node := &dataflow.Map{In: in.node, Cols: l.columns(ids), Exprs: make([]dataflow.Expr, len(terms)), Keys: out.sets(keys)}
	for i, t := range terms {
		node.Exprs[i] = t.expression(at)
	}
	out.node = node
	return out
}

// scan is the one node of an input, whose columns are those that any reading of it
// uses, and the key.
func (l *lowering) scan(r *scanRel) placed {
	in := l.q.inputs[r.input]
	at, ok := l.place[r.input]
	if !ok {
		at = len(l.inputs)
		l.place[r.input] = at
		l.inputs = append(l.inputs, carried(in))
		p := &l.inputs[at]
		cols := make([]schema.Column, len(p.Carry))
		for i, c := range p.Carry {
			cols[i] = in.table.Columns[c]
		}
		l.scans[at] = &dataflow.Scan{Input: at, Cols: cols, Keys: [][]int{p.Key}}
	}
	out := placed{node: l.scans[at]}
	for _, c := range l.inputs[at].Carry {
		out.ids = append(out.ids, r.columns[c])
	}
	return out
}

func carried(in *input) dataflow.Input {
	p := dataflow.Input{Source: in.source, Table: in.table}
	for i := range in.table.Columns {
		if in.used[i] || in.table.IsKey(i) {
			p.Carry = append(p.Carry, i)
		}
	}
	for _, k := range in.table.Key {
		p.Key = append(p.Key, slices.Index(p.Carry, k))
	}
	return p
}

// join makes the key of a join from its equalities. Where a side has one row at
// most and there is none, all rows share a constant key.
func (l *lowering) join(r *joinRel, n need) placed {
	keys, residual := r.split()
	if len(keys) == 0 {
		l.single(r)
		one := constant(scalar.Int4.Type(), schema.Int(1), r.at)
		one.sql = "1"
		keys = pairs{{one, one}}
	}
	n = n.with(columnsOf(residual...))
	left, lk := l.side(r.left, n, keys, func(p pair) *term { return p.left })
	right, rk := l.side(r.right, n, keys, func(p pair) *term { return p.right })
	out := placed{ids: slices.Concat(left.ids, right.ids)}
	node := &dataflow.Join{Left: left.node, Right: right.node, LeftKey: lk, RightKey: rk, Outer: r.outer}
	node.Cols = slices.Concat(left.node.Columns(), right.node.Columns())
	if r.outer {
		for i := len(left.ids); i < len(node.Cols); i++ {
			node.Cols[i].Nullable = true
		}
	}
	node.Keys = out.sets(r.keys(l.q))
	if len(residual) > 0 {
		node.Residual = all(residual).expression(out.layout())
	}
	out.node = node
	return out
}

// single refuses a join without an equality, unless a side has one row at most.
func (l *lowering) single(r *joinRel) {
	one := func(side rel) bool { set, ok := smallest(side.keys(l.q)); return ok && len(set) == 0 }
	if one(r.left) || one(r.right) {
		return
	}
	r.text.fail(r.at, codeJoin, "this join has no equality between its two sides, and would keep every pair of rows",
		"write JOIN … ON a.x = b.y, with further conditions behind AND")
}

// side is one side of a join: the columns that are used above, and the key.
func (l *lowering) side(r rel, n need, keys pairs, of func(pair) *term) (placed, []int) {
	var terms []*term
	for _, p := range keys {
		terms = append(terms, of(p))
	}
	in := l.lower(r, n.with(columnsOf(terms...)))
	if at, ok := in.positions(l.plainColumns(terms)); ok && len(at) == len(terms) && (isScan(in.node) || len(n.with(columnsOf(terms...)).only(in.ids)) == len(in.ids)) {
		return in, at
	}
	ids := n.only(in.ids)
	ids = slices.Compact(ids)
	exprs := make([]*term, len(ids))
	for i, id := range ids {
		exprs[i] = l.q.ref(id, 0, l.q.columns[id].name)
	}
	var at []int
	for _, t := range terms {
		i := slices.IndexFunc(exprs, func(have *term) bool { return same(have, t) })
		if i < 0 {
			i = len(exprs)
			exprs = append(exprs, t)
			ids = append(ids, l.keyColumn(t))
		}
		at = append(at, i)
	}
	return l.mapped(in, ids, exprs, r.keys(l.q)), at
}

// keyColumn numbers a key's term: a plain column keeps its number.
func (l *lowering) keyColumn(t *term) colID {
	if l.q.plain(t) {
		return t.col
	}
	return l.q.newTerm(t.sql, t)
}

// plain reports whether a term is a column as it is. One under COLLATE whose own
// collation does not tell texts apart is not: there the same values are other keys.
func (q *query) plain(t *term) bool {
	if t.op != opColumn {
		return false
	}
	own := q.columns[t.col].coll
	return own.strength == none || own.Deterministic || !t.coll.Deterministic
}

func (l *lowering) plainColumns(terms []*term) []colID {
	var ids []colID
	for _, t := range terms {
		if l.q.plain(t) {
			ids = append(ids, t.col)
		}
	}
	return ids
}

func (l *lowering) union(r *unionRel) placed {
	node := &dataflow.Union{Cols: l.columns(r.ids)}
	for i, in := range r.ins {
		p := l.lower(in, needed(r.parts[i]))
		if !slices.Equal(p.ids, r.parts[i]) {
			terms := make([]*term, len(r.parts[i]))
			for j, id := range r.parts[i] {
				terms[j] = l.q.ref(id, 0, l.q.columns[id].name)
			}
			p = l.mapped(p, r.parts[i], terms, in.keys(l.q))
		}
		node.In = append(node.In, p.node)
	}
	return placed{node, r.ids}
}
