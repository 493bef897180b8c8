package syntax

import (
	"strconv"
	"strings"
)

// String is the query's canonical text, on one line.
func (q *Query) String() string {
	var p printer
	p.query(q)
	return p.b.String()
}

// Text is the canonical text of an expression.
func Text(x Expr) string {
	var p printer
	p.expr(x, bindOr)
	return p.b.String()
}

// A printer writes canonical text.
type printer struct {
	b      strings.Builder
	narrow bool // where the grammar has no COLLATE and no words as operators
	full   bool // brackets around every operator: the tree as it is, for tests
}

func (p *printer) put(parts ...string) {
	for _, s := range parts {
		p.b.WriteString(s)
	}
}

func (p *printer) query(q *Query) {
	for i := range q.With {
		p.put(comma(i, "WITH "))
		p.cte(&q.With[i])
	}
	if len(q.With) > 0 {
		p.put(" ")
	}
	p.body(q.Body)
}

// comma is what stands before entry i of a list that begins with first.
func comma(i int, first string) string {
	if i == 0 {
		return first
	}
	return ", "
}

func (p *printer) cte(c *CTE) {
	p.put(Quote(c.Name.Text))
	p.columns(c.Columns)
	p.put(" AS ")
	if c.Hint != "" {
		p.put(c.Hint, " ")
	}
	p.put("(")
	p.query(c.Query)
	p.put(")")
}

// columns writes (a, b), or nothing.
func (p *printer) columns(list []Name) {
	for i, n := range list {
		p.put(comma(i, "("), Quote(n.Text))
	}
	if len(list) > 0 {
		p.put(")")
	}
}

func (p *printer) body(b Body) {
	switch b := b.(type) {
	case *Select:
		p.selection(b)
	case *Query:
		p.put("(")
		p.query(b)
		p.put(")")
	case *Union:
		p.union(b)
	}
}

func (p *printer) union(u *Union) {
	p.body(u.Left)
	p.put(" UNION ")
	if u.All {
		p.put("ALL ")
	}
	if _, nested := u.Right.(*Union); nested {
		p.put("(")
		defer p.put(")")
	}
	p.body(u.Right)
}

func (p *printer) selection(s *Select) {
	p.put("SELECT ")
	if s.Distinct {
		p.put("DISTINCT ")
	}
	for i, it := range s.Items {
		p.put(comma(i, ""))
		p.expr(it.X, bindOr)
		if it.Alias.Text != "" {
			p.put(" AS ", Quote(it.Alias.Text))
		}
	}
	for i, f := range s.From {
		p.put(comma(i, " FROM "))
		p.from(f)
	}
	p.clause(" WHERE ", s.Where)
	for i, x := range s.GroupBy {
		p.put(comma(i, " GROUP BY "))
		p.expr(x, bindOr)
	}
	p.clause(" HAVING ", s.Having)
}

func (p *printer) clause(word string, x Expr) {
	if x != nil {
		p.put(word)
		p.expr(x, bindOr)
	}
}

func (p *printer) from(f From) {
	switch f := f.(type) {
	case *Table:
		p.name(f.Name)
		p.alias(f.Alias)
	case *Derived:
		p.put("(")
		p.query(f.Query)
		p.put(")")
		p.alias(f.Alias)
	case *Join:
		p.join(f)
	}
}

func (p *printer) join(j *Join) {
	p.from(j.Left)
	p.put([...]string{Inner: " JOIN ", Left: " LEFT JOIN ", Right: " RIGHT JOIN "}[j.Kind])
	if _, nested := j.Right.(*Join); nested {
		p.put("(")
		p.from(j.Right)
		p.put(")")
	} else {
		p.from(j.Right)
	}
	if j.On == nil {
		p.put(" USING ")
		p.columns(j.Using)
		return
	}
	p.clause(" ON ", j.On)
}

func (p *printer) alias(a Alias) {
	if a.Name.Text != "" {
		p.put(" AS ", Quote(a.Name.Text))
		p.columns(a.Columns)
	}
}

func (p *printer) name(parts []Name) {
	for i, n := range parts {
		if i > 0 {
			p.put(".")
		}
		p.put(Quote(n.Text))
	}
}

// String is the type as SQL writes it.
func (t *TypeName) String() string {
	var p printer
	p.typeName(t)
	return p.b.String()
}

func (p *printer) typeName(t *TypeName) {
	rest := ""
	if t.Keyword {
		word := t.Name[0].Text
		if w, zone, ok := strings.Cut(word, " "); ok && w != "double" && w != "character" {
			word, rest = w, " "+zone
		}
		p.put(word)
	} else {
		p.name(t.Name)
	}
	for i, m := range t.Mods {
		p.put(comma(i, "("), strconv.Itoa(m))
	}
	if len(t.Mods) > 0 {
		p.put(")")
	}
	p.put(rest)
	if t.Array {
		p.put("[]")
	}
}
