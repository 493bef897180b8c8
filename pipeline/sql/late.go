package sql

import "github.com/evertdb/evert/pipeline/sql/syntax"

// A lateRel is a table that is read once more, behind a GROUP BY of its key, for
// columns that cannot be grouped by: JSON, and texts whose equality is not that of
// their bytes. The key settles the row, so that nothing needs to be kept for it.
//
//	SELECT o.id, o.note, count(*) … GROUP BY o.id
//	  →  (SELECT o.id, count(*) … GROUP BY o.id) LEFT JOIN orders ON its key
type lateRel struct {
	origin, again *scanRel
}

// fetched gives the column behind the GROUP BY that x is in front of it.
func (b *binder) fetched(g *aggRel, x *term) *term {
	origin := b.scanOf(g.in, b.q.columns[x.col].table)
	l := g.lateOf(origin)
	if l == nil {
		l = &lateRel{origin: origin, again: b.scanAgain(origin)}
		g.late = append(g.late, l)
	}
	for i, id := range origin.columns {
		if id == x.col {
			return b.q.ref(l.again.columns[i], x.at, x.sql)
		}
	}
	return x
}

func (r *aggRel) lateOf(origin *scanRel) *lateRel {
	for _, l := range r.late {
		if l.origin == origin {
			return l
		}
	}
	return nil
}

// scanAgain reads a table under new numbers.
func (b *binder) scanAgain(r *scanRel) *scanRel {
	b.q.scans++
	next := &scanRel{input: r.input}
	for _, id := range r.columns {
		c := b.q.columns[id]
		c.table, c.nullable = b.q.scans, true
		next.columns = append(next.columns, b.q.newColumn(c))
	}
	return next
}

// fetch joins what is read once more.
func (b *binder) fetch(g *aggRel) rel {
	var r rel = g
	for _, l := range g.late {
		j := &joinRel{left: r, right: l.again, outer: true, text: b}
		origin, again := l.origin.keys(b.q)[0], l.again.keys(b.q)[0]
		for i, id := range origin {
			name := syntax.Quote(b.q.columns[id].name)
			t := *b.apply(0, "=", b.q.ref(g.groupOf(id), 0, name), b.q.ref(again[i], 0, name))
			t.sql = name + " = " + name
			j.preds = append(j.preds, &t)
		}
		r = j
	}
	return r
}

// groupOf is the column of a group that a column of the input is.
func (r *aggRel) groupOf(id colID) colID {
	for i, t := range r.terms {
		if t.op == opColumn && t.col == id {
			return r.group[i]
		}
	}
	panic("sql: the key of a table that is read once more is not grouped by")
}
