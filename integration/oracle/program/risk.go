package program

import "fmt"

// risky is a query with one expression that has no value for some rows. It stands
// in the outermost list, where the database and the view have to work it out for
// the same rows: what a condition below a join fails on depends on the plan.
func (g *generator) risky() query {
	f := g.from(0)
	var l list
	if len(f.key()) > 0 && g.chance(60) {
		for _, c := range f.key() {
			l.add(c.name, c.kind, true)
		}
		e, k := g.risk(f.columns)
		l.add(e, k, false)
		other := g.any(f.columns)
		l.add(g.expr(other, f.columns, 2), other, false)
		return query{sql: l.sql("", f, g.filter(f), ""), columns: l.columns, loose: f.loose}
	}
	tail, loose := "", f.loose
	if k := g.some(f.columns); g.chance(70) {
		l.add(g.operand(k, f.columns, 0), k, true)
		tail, loose = " GROUP BY 1", loose || isLoose(k)
	} else {
		l.add("1", integer, true)
	}
	e, k := g.risk(f.columns)
	filter := ""
	if g.chance(30) {
		filter = " FILTER (WHERE " + g.expr(boolean, f.columns, 1) + ")"
	}
	fn := "max"
	if k == integer || k == numeric {
		fn = g.pick("sum", "count", "max")
	}
	l.add(fmt.Sprintf("%s(%s)%s", fn, e, filter), k, false)
	return query{sql: l.sql("", f, g.filter(f), tail), columns: l.columns, loose: loose || isLoose(k)}
}

// risk is an expression that fails on some values: few, or most.
func (g *generator) risk(s scope) (string, kind) {
	i, n := g.expr(integer, s, 1), g.column(integer, s)
	switch g.r.IntN(10) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", i, g.pick("/", "%"), n), integer
	case 2:
		return fmt.Sprintf("(%s / %s)", g.expr(numeric, s, 1), g.column(numeric, s)), numeric
	case 3:
		return fmt.Sprintf("(%s / %s)", g.expr(double, s, 0), g.column(double, s)), double
	case 4:
		return fmt.Sprintf("(%s * %d)", n, 250_000_000), integer // from 9 on
	case 5:
		return fmt.Sprintf("(%s * 1100000000000000000)", g.column(bigint, s)), bigint // from 9 on
	case 6:
		return fmt.Sprintf("(CASE WHEN %s IN ('ß', 'x y') THEN %s ELSE '7' END)::integer", g.column(text, s), g.column(text, s)), integer
	case 7:
		return fmt.Sprintf("(%s * 120)::numeric(3,0)", g.column(numeric, s)), numeric // from 8.33 on
	case 8:
		return fmt.Sprintf("(%s + (%s) * 3000000)", g.expr(date, s, 0), n), date // below 0
	default:
		return fmt.Sprintf("((%s) * 4000)::smallint::integer", n), integer // from 9 on
	}
}

// column is one of kind k, or made of one: what depends on no column the database
// works out before there are rows, and fails on without any.
func (g *generator) column(k kind, s scope) string {
	var name string
	for name == "" {
		if c := s[g.r.IntN(len(s))]; c.kind != timestamptz && c.kind != double { // which the database prints as it is set to
			name = c.name
		}
	}
	if cols := s.of(k); len(cols) > 0 {
		name = cols[g.r.IntN(len(cols))].name
		if k != text {
			return name
		}
	}
	if k == text {
		return fmt.Sprintf(`((%s)::text COLLATE "C")`, name)
	}
	return fmt.Sprintf("length((%s)::text)::%s", name, k)
}

// mend takes away what a query fails on, and fills the tables again.
func (g *generator) mend() [][]string {
	var empty, fill []string
	for _, t := range g.tables {
		empty = append(empty, "DELETE FROM "+t.Name)
		for range g.between(1, 3) {
			fill = append(fill, g.insert(t))
		}
	}
	return [][]string{empty, fill}
}
