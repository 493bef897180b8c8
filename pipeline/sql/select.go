package sql

import (
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// bind reads a text and settles it; canonical is its canonical text.
func (q *query) bind(text string) (r rel, columns []visible, canonical string, err error) {
	parsed, err := syntax.Parse(text)
	if err != nil {
		return nil, nil, "", err
	}
	b := &binder{q: q, text: text}
	b.attempt(func() { r, columns = b.nested(parsed) })
	if len(b.faults) > 0 {
		return nil, nil, "", b.faults
	}
	return r, columns, parsed.String(), nil
}

// nested binds a query and gives its columns by their names.
func (b *binder) nested(query *syntax.Query) (rel, []visible) {
	aggs, where := b.aggs, b.where
	b.aggs, b.where = nil, ""
	outer := b.ctes
	for i := range query.With {
		b.with(&query.With[i], len(outer))
	}
	r, columns := b.body(query.Body, true)
	b.ctes, b.aggs, b.where = outer, aggs, where
	return r, columns
}

// with brings a query of WITH into scope. It is bound here as well, so that it is
// refused even if nothing names it.
func (b *binder) with(def *syntax.CTE, outer int) {
	for _, c := range b.ctes[outer:] {
		if c.name == def.Name.Text {
			b.fail(def.Name.Pos, codeName, "two queries of WITH have the name "+quoteName(c.name), "rename one")
		}
	}
	c := cte{name: def.Name.Text, def: def, outer: len(b.ctes)}
	b.expandCTE(&c)
	b.ctes = append(b.ctes[:len(b.ctes):len(b.ctes)], c)
}

// body binds a query. Unless settle is set, a column that is a literal without a
// type keeps none: the other side of a UNION may give it one.
func (b *binder) body(body syntax.Body, settle bool) (rel, []visible) {
	switch x := body.(type) {
	case *syntax.Query:
		return b.nested(x)
	case *syntax.Union:
		return b.union(x)
	}
	return b.selection(body.(*syntax.Select), settle)
}

func (b *binder) union(u *syntax.Union) (rel, []visible) {
	left, lc := b.body(u.Left, false)
	right, rc := b.body(u.Right, false)
	if len(lc) != len(rc) {
		b.fail(u.Pos, codeType, "the queries of UNION have different numbers of columns: "+strconv.Itoa(len(lc))+" and "+strconv.Itoa(len(rc)), "")
	}
	r := &unionRel{}
	lt, rt := literals(left, b.refs(lc, u.Pos)), literals(right, b.refs(rc, u.Pos))
	var columns []visible
	for i := range lt {
		both := b.common(u.Pos, []*term{lt[i], rt[i]})
		lt[i], rt[i] = both[0], both[1]
		coll := b.mergeAll(both)
		if collatable(&both[0].typ) && !u.All {
			b.need(scalar.BytesCollation, coll, u.Pos, "UNION")
		}
		id := b.q.newColumn(column{name: lc[i].name, typ: both[0].typ, coll: coll, nullable: b.q.nullable(both[0]) || b.q.nullable(both[1])})
		r.ids, columns = append(r.ids, id), append(columns, visible{lc[i].name, id})
	}
	b.branch(r, left, lc, lt)
	b.branch(r, right, rc, rt)
	if u.All {
		return r, columns
	}
	return b.distinct(r, columns, u.Pos)
}

func (b *binder) refs(columns []visible, at int) []*term {
	out := make([]*term, len(columns))
	for i, c := range columns {
		out[i] = b.q.ref(c.id, at, syntax.Quote(c.name))
	}
	return out
}

// literals puts the literals without a type themselves in place of the columns
// that hold them.
func literals(r rel, refs []*term) []*term {
	m, ok := r.(*mapRel)
	for i, t := range refs {
		if ok && t.unknown() {
			refs[i] = t.substitute(m.by())
		}
	}
	return refs
}

// branch adds an input to a union, with its columns cast.
func (b *binder) branch(r *unionRel, in rel, columns []visible, terms []*term) {
	m := &mapRel{in: in, terms: terms}
	for i, t := range terms {
		m.ids = append(m.ids, b.q.newTerm(columns[i].name, t))
	}
	r.ins, r.parts = append(r.ins, m), append(r.parts, m.ids)
}

// distinct keeps one of equal rows.
func (b *binder) distinct(in rel, columns []visible, at int) (rel, []visible) {
	r := &aggRel{in: in}
	out := make([]visible, len(columns))
	for i, c := range columns {
		t := b.q.ref(c.id, at, syntax.Quote(c.name))
		b.comparable(t, at, "DISTINCT")
		id := b.q.newTerm(c.name, t)
		r.group, r.terms = append(r.group, id), append(r.terms, t)
		out[i] = visible{c.name, id}
	}
	return r, out
}

// selection binds one SELECT.
func (b *binder) selection(s *syntax.Select, settle bool) (rel, []visible) {
	if len(s.From) == 0 {
		b.fail(s.Pos, syntax.CodeUnsupported, withoutFrom, mendFrom)
	}
	r, names := b.from(s.From)
	if s.Where != nil {
		b.where = "WHERE"
		b.attempt(func() { r = &filterRel{in: r, preds: b.condition(&names, s.Where, "WHERE").conjuncts(nil)} })
	}
	items := b.items(&names, s, settle || s.Distinct)
	b.giveUp()
	r = b.grouped(&names, s, r, items)
	b.giveUp()
	r, columns := b.project(r, items)
	if s.Distinct {
		return b.distinct(r, columns, s.Pos)
	}
	return r, columns
}

// An item is one column of a SELECT list.
type item struct {
	name string
	term *term
	x    syntax.Expr // nil: it came from *
}

// items binds the SELECT list, and gathers its aggregates.
func (b *binder) items(names *scope, s *syntax.Select, settle bool) []*item {
	b.aggs = &aggregation{}
	b.where = "the SELECT list"
	var list []*item
	for i := range s.Items {
		b.attempt(func() { list = append(list, b.item(names, &s.Items[i])...) })
	}
	for _, it := range list {
		if settle {
			it.term = b.settled(it.term)
		}
	}
	return list
}

func (b *binder) item(names *scope, it *syntax.Item) []*item {
	if star, ok := it.X.(*syntax.Star); ok {
		return b.star(names, star)
	}
	name := it.Alias.Text
	if name == "" {
		name = figure(it.X)
	}
	b.aggs.inside = false
	return []*item{{name: name, term: b.expr(names, it.X), x: it.X}}
}

func (b *binder) star(names *scope, star *syntax.Star) (list []*item) {
	columns := names.columns
	if len(star.Table) > 0 {
		columns = b.table(names, star.Table).columns
	}
	for _, c := range columns {
		list = append(list, &item{name: c.name, term: b.q.ref(c.id, star.At(), syntax.Quote(c.name))})
	}
	return list
}

// figure is the name that Postgres gives a column without an alias.
func figure(x syntax.Expr) string {
	if name, strong := figured(x); strong || name != "" {
		return name
	}
	return "?column?"
}

func figured(x syntax.Expr) (name string, strong bool) {
	switch x := x.(type) {
	case *syntax.Column:
		return x.Parts[len(x.Parts)-1].Text, true
	case *syntax.Index:
		return figured(x.X)
	case *syntax.Call:
		return x.Name[len(x.Name)-1].Text, true
	case *syntax.Cast:
		if name, strong := figured(x.X); strong {
			return name, true
		}
		return typeFigure(&x.Type), false
	case *syntax.Case:
		if x.Else != nil {
			if name, strong := figured(x.Else); strong {
				return name, true
			}
		}
		return "case", false
	case *syntax.Array:
		return "array", true
	case *syntax.Collate:
		return figured(x.X)
	}
	return "", false
}

// typeFigure is the system's own name of a type: int4 for integer.
func typeFigure(t *syntax.TypeName) string {
	name := t.Name[len(t.Name)-1].Text
	if !t.Keyword {
		return name
	}
	for word, own := range map[string]string{
		"integer": "int4", "smallint": "int2", "bigint": "int8", "real": "float4", "double precision": "float8", "boolean": "bool",
		"character varying": "varchar", "character": "bpchar", "timestamp without time zone": "timestamp",
		"timestamp with time zone": "timestamptz", "time without time zone": "time", "time with time zone": "timetz",
	} {
		if word == name {
			return own
		}
	}
	return name
}

// project gives the items their numbers.
func (b *binder) project(in rel, items []*item) (rel, []visible) {
	m := &mapRel{in: in}
	columns := make([]visible, len(items))
	for i, it := range items {
		id := b.q.newTerm(it.name, it.term)
		m.ids, m.terms = append(m.ids, id), append(m.terms, it.term)
		columns[i] = visible{it.name, id}
	}
	return m, columns
}
