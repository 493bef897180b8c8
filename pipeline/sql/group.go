package sql

import (
	"slices"
	"strconv"

	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// grouped binds GROUP BY and HAVING, and puts what the SELECT list says in terms
// of groups and aggregates. Without either there is nothing to do.
func (b *binder) grouped(names *scope, s *syntax.Select, in rel, items []*item) rel {
	g := &aggRel{in: in}
	var having *term
	if s.Having != nil {
		b.where = "HAVING"
		b.aggs.inside = false
		b.attempt(func() { having = b.condition(names, s.Having, "HAVING") })
	}
	aggs := b.aggs
	b.aggs = nil
	b.giveUp()
	if !s.Grouped && having == nil && len(aggs.list) == 0 {
		return in
	}
	g.aggs, g.grand = aggs.list, !s.Grouped
	b.where = "GROUP BY"
	for _, x := range s.GroupBy {
		b.attempt(func() { b.group(g, b.groupTerm(names, items, x)) })
	}
	b.giveUp()
	for _, it := range items {
		b.attempt(func() { it.term = b.overGroups(g, it.term) })
	}
	var preds []*term
	if having != nil {
		b.attempt(func() { preds = b.overGroups(g, having).conjuncts(nil) })
	}
	b.settle(g)
	r := b.fetch(g)
	if having == nil {
		return r
	}
	return &filterRel{in: r, preds: preds}
}

// groupTerm is what GROUP BY x means: an output column by its number; a column of
// FROM; an output column by its name; or an expression.
func (b *binder) groupTerm(names *scope, items []*item, x syntax.Expr) *term {
	switch x := x.(type) {
	case *syntax.Literal:
		if x.Kind == syntax.IntegerLiteral {
			n, err := strconv.Atoi(x.Text)
			if err != nil || n < 1 || n > len(items) {
				b.fail(x.At(), codeName, "GROUP BY position "+x.Text+" is not in the SELECT list", "")
			}
			return b.noAggregate(items[n-1].term, x.At())
		}
		b.fail(x.At(), codeGroup, "a constant in GROUP BY that is no position", "leave it out")
	case *syntax.Column:
		if len(x.Parts) == 1 && !slices.ContainsFunc(names.columns, func(c visible) bool { return c.name == x.Parts[0].Text }) {
			return b.outputNamed(names, items, x)
		}
	}
	return b.expr(names, x)
}

func (b *binder) outputNamed(names *scope, items []*item, x *syntax.Column) *term {
	var found *term
	for _, it := range items {
		switch {
		case it.name != x.Parts[0].Text:
		case found != nil && !same(found, it.term):
			b.fail(x.At(), codeName, "GROUP BY "+path(x.Parts)+" is ambiguous", "write the expression itself")
		default:
			found = it.term
		}
	}
	if found == nil {
		return b.expr(names, x)
	}
	return b.noAggregate(found, x.At())
}

func (b *binder) noAggregate(t *term, at int) *term {
	for _, c := range t.columns(nil) {
		if b.q.columns[c].table == aggregated {
			b.fail(at, codeGroup, "aggregates are not allowed in GROUP BY", "group by a column")
		}
	}
	return t
}

// group adds a term to what is grouped by, once.
func (b *binder) group(g *aggRel, t *term) {
	if slices.ContainsFunc(g.terms, func(have *term) bool { return same(have, t) }) {
		return
	}
	b.comparable(t, t.at, "GROUP BY")
	g.terms = append(g.terms, t)
	id := b.q.newTerm(t.sql, t)
	if t.op == opColumn {
		b.q.columns[id].name = b.q.columns[t.col].name
	}
	g.group = append(g.group, id)
}

// overGroups rewrites a term over rows into one over groups.
func (b *binder) overGroups(g *aggRel, t *term) *term {
	return t.replace(func(x *term) *term {
		for i, grouped := range g.terms {
			if same(grouped, x) && x.op != opConst {
				ref := *b.q.ref(g.group[i], x.at, x.sql)
				ref.coll = x.coll
				return &ref
			}
		}
		if x.op != opColumn {
			return nil
		}
		if slices.ContainsFunc(g.aggs, func(a *agg) bool { return a.id == x.col }) {
			return x
		}
		if !b.depends(g, x) {
			b.fail(x.at, codeGroup, "column "+quoteName(x.sql)+" must stand in GROUP BY or inside an aggregate", "add it to GROUP BY, or write min("+x.sql+")")
		}
		if !x.coll.Deterministic && x.coll.strength != none || !canKey(x.column("", true)) {
			return b.fetched(g, x)
		}
		b.group(g, x)
		return b.q.ref(g.group[len(g.group)-1], x.at, x.sql)
	})
}

// depends reports whether a column is settled by the group: its table's key is
// grouped by.
func (b *binder) depends(g *aggRel, x *term) bool {
	table := b.q.columns[x.col].table
	if table <= 0 {
		return false
	}
	found := 0
	key := b.keyOf(g.in, table)
	for _, t := range g.terms {
		if t.op == opColumn && slices.Contains(key, t.col) {
			found++
		}
	}
	return len(key) > 0 && found == len(key)
}

// keyOf gives the key of a scan.
func (b *binder) keyOf(r rel, table int) []colID {
	if scan := b.scanOf(r, table); scan != nil {
		return scan.keys(b.q)[0]
	}
	return nil
}

// scanOf finds the reading of a table by its number.
func (b *binder) scanOf(r rel, table int) *scanRel {
	switch r := r.(type) {
	case *scanRel:
		if b.q.columns[r.columns[0]].table == table {
			return r
		}
	case *filterRel:
		return b.scanOf(r.in, table)
	case *joinRel:
		if scan := b.scanOf(r.left, table); scan != nil {
			return scan
		}
		return b.scanOf(r.right, table)
	}
	return nil
}

// settle finds what is grouped by and settled by other columns of the group.
func (b *binder) settle(g *aggRel) {
	for i, t := range g.terms {
		if t.op == opColumn && b.depends(g, t) && !slices.Contains(b.keyOf(g.in, b.q.columns[t.col].table), t.col) {
			g.fixed = append(g.fixed, g.group[i])
		}
	}
}
