package sql

import (
	"errors"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// from binds the list of FROM: the relation of all pairs, which WHERE narrows.
func (b *binder) from(list []syntax.From) (rel, scope) {
	var r rel
	var s scope
	for i, f := range list {
		next, names := b.fromItem(f)
		if i == 0 {
			r, s = next, names
			continue
		}
		r, s = &joinRel{left: r, right: next, at: f.At(), text: b}, s.join(names)
	}
	b.distinctNames(&s)
	return r, s
}

func (b *binder) fromItem(f syntax.From) (rel, scope) {
	switch f := f.(type) {
	case *syntax.Derived:
		r, columns := b.nested(f.Query)
		return r, b.aliased(f.Pos, f.Alias, "", columns)
	case *syntax.Join:
		return b.join(f)
	}
	return b.tableNamed(f.(*syntax.Table))
}

// aliased is the scope of a relation under its name.
func (b *binder) aliased(at int, a syntax.Alias, name string, columns []visible) scope {
	if a.Name.Text != "" {
		name = a.Name.Text
	}
	columns = b.renamed(columns, a.Columns)
	return scope{tables: []*named{{name: name, columns: columns, at: at}}, columns: columns}
}

// renamed gives the first columns other names.
func (b *binder) renamed(columns []visible, to []syntax.Name) []visible {
	if len(to) > len(columns) {
		b.fail(to[len(columns)].Pos, codeName, "more names than columns", "there are "+strings.Join(names(columns), ", "))
	}
	columns = slices.Clone(columns)
	for i, n := range to {
		columns[i].name = n.Text
	}
	return columns
}

// tableNamed binds a name of FROM: a query of WITH, a view, or a table.
func (b *binder) tableNamed(t *syntax.Table) (rel, scope) {
	if len(t.Name) == 3 {
		return b.scan(t)
	}
	name := t.Name[0].Text
	for i := len(b.ctes) - 1; i >= 0; i-- {
		if b.ctes[i].name == name {
			r, columns := b.expandCTE(&b.ctes[i])
			return r, b.aliased(t.At(), t.Alias, name, columns)
		}
	}
	text, ok := b.q.catalog.View(name)
	if !ok {
		b.fail(t.At(), codeName, noView(name), mendView)
	}
	r, columns := b.expandView(t.At(), name, text)
	return r, b.aliased(t.At(), t.Alias, name, columns)
}

// expandCTE binds a query of WITH where it is named.
func (b *binder) expandCTE(c *cte) (rel, []visible) {
	outer := b.ctes
	b.ctes = b.ctes[:c.outer]
	r, columns := b.nested(c.def.Query)
	b.ctes = outer
	return r, b.renamed(columns, c.def.Columns)
}

// deepestViews bounds views on views.
const deepestViews = 50

// expandView binds a view's text where it is named.
func (b *binder) expandView(at int, name, text string) (rel, []visible) {
	switch {
	case slices.Contains(b.q.views, name):
		b.fail(at, codeName, readsItself(name, append(b.q.views, name)), mendLoop)
	case len(b.q.views) > deepestViews:
		b.fail(at, syntax.CodeUnsupported, "more than 50 views on views", "join the tables directly")
	}
	b.q.views = append(b.q.views, name)
	r, columns, canonical, err := b.q.bind(text)
	if err != nil {
		b.fail(at, codeName, "view "+quoteName(name)+" is refused itself", innermost(err))
	}
	b.q.views = b.q.views[:len(b.q.views)-1]
	b.q.depends = append(b.q.depends, name, canonical)
	return r, columns
}

const mendFirst = "mend it first: "

// innermost gives the cause of a view's refusal, through views on views.
func innermost(err error) string {
	var list syntax.Errors
	if !errors.As(err, &list) || len(list) == 0 {
		return mendFirst + err.Error()
	}
	if strings.HasPrefix(list[0].Mend, mendFirst) {
		return list[0].Mend
	}
	return mendFirst + list[0].What
}

// mostScans bounds what views on views may come to.
const mostScans = 1000

// scan binds a table.
func (b *binder) scan(t *syntax.Table) (rel, scope) {
	source, space, name := t.Name[0].Text, t.Name[1].Text, t.Name[2].Text
	table, err := b.q.catalog.Table(source, space, name)
	if err != nil {
		what, mend := noTable(err)
		b.fail(t.At(), codeName, what, mend)
	}
	if len(table.Key) == 0 {
		b.fail(t.At(), codeName, "table "+path(t.Name)+" has no key", "give it a primary key, or name its `key` in the file")
	}
	if b.q.scans++; b.q.scans > mostScans {
		b.fail(t.At(), syntax.CodeUnsupported, "the query reads tables more than 1000 times, each view and each query of WITH counted where it is named", "name each less often")
	}
	r := &scanRel{input: b.q.input(source, table)}
	var columns []visible
	for i := range table.Columns {
		c := &table.Columns[i]
		b.q.noteEnum(&c.Type)
		id := b.q.newColumn(column{name: c.Name, typ: c.Type, coll: stored(c), nullable: c.Nullable, table: b.q.scans})
		r.columns = append(r.columns, id)
		columns = append(columns, visible{c.Name, id})
	}
	s := b.aliased(t.At(), t.Alias, name, columns)
	if t.Alias.Name.Text == "" {
		s.tables[0].path = []string{source, space, name}
	}
	return r, s
}

// stored is the collation of a table's column.
func stored(c *schema.Column) collation {
	switch {
	case c.Collation.Name != "":
		return collation{c.Collation, implicit}
	case collatable(&c.Type):
		return byDefault()
	}
	return collation{}
}

// noteEnum keeps the enums of tables, which casts may name.
func (q *query) noteEnum(t *schema.Type) {
	if t.Elem != nil {
		t = t.Elem
	}
	if scalar.Identify(t) != scalar.Enum {
		return
	}
	name := t.Name[strings.LastIndexByte(t.Name, '.')+1:]
	q.enums[strings.Trim(name, `"`)] = *t
}

// input gives the place of a table among the inputs.
func (q *query) input(source string, t *schema.Table) int {
	for i, in := range q.inputs {
		if in.source == source && in.table.Schema == t.Schema && in.table.Name == t.Name {
			return i
		}
	}
	q.inputs = append(q.inputs, &input{source: source, table: t, used: make([]bool, len(t.Columns))})
	return len(q.inputs) - 1
}

func (b *binder) join(j *syntax.Join) (rel, scope) {
	left, ls := b.fromItem(j.Left)
	right, rs := b.fromItem(j.Right)
	s := ls.join(rs)
	b.distinctNames(&s)
	var preds []*term
	if j.On != nil {
		b.where = "JOIN … ON"
		preds = b.condition(&s, j.On, "ON").conjuncts(nil)
	} else {
		preds, s.columns = b.using(j, &ls, &rs)
	}
	r := &joinRel{left: left, right: right, outer: j.Kind != syntax.Inner, preds: preds, at: j.Pos, text: b}
	if j.Kind == syntax.Right {
		r.left, r.right = right, left
	}
	b.afterOuter(r)
	return r, s
}

// afterOuter notes that the right side's columns may be NULL behind a left join.
func (b *binder) afterOuter(r *joinRel) {
	if !r.outer {
		return
	}
	for _, c := range r.right.out() {
		b.q.columns[c].nullable = true
	}
}

// using joins on columns of the same name, of which one is seen afterwards.
func (b *binder) using(j *syntax.Join, left, right *scope) ([]*term, []visible) {
	var preds []*term
	var merged []visible
	drop := map[string]bool{}
	for _, n := range j.Using {
		ref := &syntax.Column{Parts: []syntax.Name{n}}
		l, r := b.column(left, ref), b.column(right, ref)
		if x, y := &b.q.columns[l], &b.q.columns[r]; !scalar.IsSame(x.typ, y.typ) || !scalar.IsSame(y.typ, x.typ) {
			b.fail(n.Pos, syntax.CodeUnsupported, "USING joins columns of two types here: "+x.typ.Name+" and "+y.typ.Name, "write ON and a cast")
		}
		kept := l
		if j.Kind == syntax.Right {
			kept = r
		}
		preds = append(preds, b.equals(n, l, r))
		merged = append(merged, visible{n.Text, kept})
		drop[n.Text] = true
	}
	for _, c := range append(slices.Clone(left.columns), right.columns...) {
		if !drop[c.name] {
			merged = append(merged, c)
		}
	}
	return preds, merged
}

func (b *binder) equals(n syntax.Name, l, r colID) *term {
	name := syntax.Quote(n.Text)
	t := *b.apply(n.Pos, "=", b.q.ref(l, n.Pos, name), b.q.ref(r, n.Pos, name))
	t.sql = name + " = " + name
	return &t
}
