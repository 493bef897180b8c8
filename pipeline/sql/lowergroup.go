package sql

import (
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/schema"
)

// A workbench is the map below an aggregate: each term that it looks at, once.
type workbench struct {
	terms []*term
}

// add gives the place of a term; -1 for none.
func (w *workbench) add(t *term) int {
	if t == nil {
		return -1
	}
	for i, have := range w.terms {
		if same(have, t) {
			return i
		}
	}
	w.terms = append(w.terms, t)
	return len(w.terms) - 1
}

func (l *lowering) aggregate(r *aggRel) placed {
	w := &workbench{}
	node := &dataflow.Aggregate{Grand: r.grand, Cols: l.columns(r.out())}
	for _, t := range r.terms {
		node.Group = append(node.Group, w.add(t))
	}
	for _, a := range r.aggs {
		node.Aggs = append(node.Aggs, l.agg(w, a))
	}
	in := l.lower(r.in, needed(columnsOf(w.terms...)))
	if at, ok := in.positions(l.plainColumns(w.terms)); ok && len(at) == len(w.terms) {
		rename(node, at)
		node.In = in.node
		return placed{node, r.out()}
	}
	ids := make([]colID, len(w.terms))
	for i, t := range w.terms {
		ids[i] = l.q.newTerm(t.sql, t)
	}
	node.In = l.mapped(in, ids, w.terms, (&mapRel{in: r.in, ids: ids, terms: w.terms}).keys(l.q)).node
	return placed{node, r.out()}
}

func (l *lowering) agg(w *workbench, a *agg) dataflow.Agg {
	out := dataflow.Agg{
		Func: a.fn, Arg: w.add(a.where(a.arg)), Filter: w.add(a.filter), Delim: w.add(a.where(a.delim)), Distinct: a.distinct && a.fn != dataflow.Min && a.fn != dataflow.Max,
		Result: l.q.columns[a.id].typ, Text: a.text(),
	}
	for _, k := range a.order {
		out.Order = append(out.Order, dataflow.Order{Col: w.add(a.where(k.term)), Desc: k.desc, NullsFirst: k.nullsFirst})
	}
	return out
}

// where is t for the rows that the aggregate's FILTER passes, and NULL for the others:
// as in Postgres nothing is worked out for these, and nothing fails.
func (a *agg) where(t *term) *term {
	if a.filter == nil || t == nil || t.op == opColumn || t.op == opConst {
		return t
	}
	none := &term{op: opConst, typ: t.typ, coll: t.coll, val: schema.Null(), at: t.at, sql: "NULL"}
	return &term{op: opCase, typ: t.typ, coll: t.coll, args: []*term{a.filter, t, none}, at: t.at,
		sql: "CASE WHEN " + a.filter.text() + " THEN " + t.text() + " END"}
}

// text is the aggregate as it was written, and the order that it really has.
func (a *agg) text() string {
	if a.fn < dataflow.StringAgg {
		return a.sql
	}
	s := a.sql + " {order:"
	for i, k := range a.order {
		if i > 0 {
			s += ","
		}
		s += " " + k.term.sql
		switch {
		case k.desc && k.nullsFirst:
			s += " DESC"
		case k.desc:
			s += " DESC NULLS LAST"
		case k.nullsFirst:
			s += " NULLS FIRST"
		}
	}
	return s + "}"
}

// rename turns places on the workbench into those of the input's own columns.
func rename(node *dataflow.Aggregate, at []int) {
	move := func(p *int) {
		if *p >= 0 {
			*p = at[*p]
		}
	}
	for i := range node.Group {
		move(&node.Group[i])
	}
	for i := range node.Aggs {
		a := &node.Aggs[i]
		a.Order = slices.Clone(a.Order)
		move(&a.Arg)
		move(&a.Filter)
		move(&a.Delim)
		for j := range a.Order {
			move(&a.Order[j].Col)
		}
	}
}
