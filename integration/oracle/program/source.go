package program

import (
	"fmt"
	"strings"
)

// A source is what stands in a FROM: its columns have qualified names.
type source struct {
	sql     string
	columns scope
	loose   bool
}

func (f source) key() scope {
	var out scope
	for _, c := range f.columns {
		if c.key {
			out = append(out, c)
		}
	}
	return out
}

// from is one to three sources, joined.
func (g *generator) from(depth int) source {
	f := g.single(depth)
	for range g.r.IntN(3) {
		if len(f.columns) < 40 {
			f = g.join(f, g.single(depth))
		}
	}
	return f
}

func (g *generator) single(depth int) source {
	switch {
	case depth > 0 && g.chance(18):
		q := g.query(depth - 1)
		return g.aliased(source{sql: "(" + q.sql + ")", columns: q.columns, loose: q.loose})
	case depth > 0 && g.chance(8):
		return g.union(depth)
	}
	t := g.tables[g.r.IntN(len(g.tables))]
	columns := append(scope(nil), t.columns...)
	for i := range columns {
		columns[i].key = i < t.keys
	}
	return g.aliased(source{sql: "src.public." + t.Name, columns: columns})
}

// aliased gives f a name and qualifies its columns with it.
func (g *generator) aliased(f source) source {
	name := g.alias()
	columns := append(scope(nil), f.columns...)
	for i := range columns {
		columns[i].name = name + "." + columns[i].name
	}
	return source{sql: f.sql + " AS " + name, columns: columns, loose: f.loose}
}

// union is UNION ALL of selections with the same types; it has no key.
func (g *generator) union(depth int) source {
	kinds := []kind{g.kind(), g.kind()}
	var arms []string
	var l list
	for range g.between(2, 3) {
		f := g.from(depth - 1)
		l = list{}
		for _, k := range kinds {
			l.add(g.typed(k, f.columns), k, false)
		}
		arms = append(arms, l.sql("", f, g.filter(f), ""))
	}
	return g.aliased(source{sql: "(" + strings.Join(arms, " UNION ALL ") + ")", columns: l.columns, loose: true})
}

// typed is an expression whose type, and collation, does not depend on the rest.
func (g *generator) typed(k kind, s scope) string {
	e := "(" + g.expr(k, s, 1) + ")::" + k.String()
	if k == text {
		e = "(" + e + `) COLLATE "C"`
	}
	return e
}

// join joins on one or two equalities, and perhaps more.
func (g *generator) join(l, r source) source {
	on := g.equality(l, r)
	if g.chance(25) {
		on += " AND " + g.equality(l, r)
	}
	all := append(append(scope(nil), l.columns...), r.columns...)
	if g.chance(25) {
		on += " AND " + g.expr(boolean, all, 2)
	}
	if len(l.key()) == 0 || len(r.key()) == 0 {
		for i := range all {
			all[i].key = false
		}
	}
	return source{
		sql:     fmt.Sprintf("%s %s %s ON %s", l.sql, g.pick("JOIN", "LEFT JOIN"), r.sql, on),
		columns: all, loose: l.loose || r.loose,
	}
}

// equality compares columns, or expressions, of the two sides.
func (g *generator) equality(l, r source) string {
	k := l.columns[g.r.IntN(len(l.columns))].kind
	if k >= comparable || len(r.columns.of(k)) == 0 || k == boolean && g.chance(80) {
		k = integer
	}
	a, b := g.side(k, l.columns), g.side(k, r.columns)
	if k == text {
		a += ` COLLATE "C"`
	}
	return a + " = " + b
}

func (g *generator) side(k kind, s scope) string {
	cols := s.of(k)
	if len(cols) == 0 || g.chance(10) {
		if k <= numeric {
			for _, other := range []kind{integer, bigint, numeric} {
				if c := s.of(other); len(c) > 0 {
					return c[g.r.IntN(len(c))].name
				}
			}
		}
		return "(" + g.operandOver(k, s) + ")"
	}
	return cols[g.r.IntN(len(cols))].name
}

// operandOver is an expression that uses at least one column of s.
func (g *generator) operandOver(k kind, s scope) string {
	c := s[g.r.IntN(len(s))]
	return fmt.Sprintf("CASE WHEN %s IS NULL THEN %s ELSE %s END", c.name, g.literal(k), g.literal(k))
}
