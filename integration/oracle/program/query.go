package program

import (
	"fmt"
	"strings"
)

// A query is a SELECT and the columns that it gives.
type query struct {
	sql     string
	columns []column
	loose   bool
}

func (q query) key() scope {
	var out scope
	for _, c := range q.columns {
		if c.key {
			out = append(out, c)
		}
	}
	return out
}

// view is a query whose rows have a key.
func (g *generator) view() query {
	if g.chance(12) {
		return g.withCTE()
	}
	return g.query(2)
}

// withCTE names a query and uses it, perhaps twice.
func (g *generator) withCTE() query {
	inner := g.query(1)
	name := g.alias()
	from := source{sql: name, columns: inner.columns, loose: inner.loose}
	q := g.over(g.aliased(from), 1)
	q.sql = fmt.Sprintf("WITH %s AS (%s) %s", name, inner.sql, q.sql)
	return q
}

// query is a random query over random sources, nested at most depth times.
func (g *generator) query(depth int) query { return g.over(g.from(depth), depth) }

func (g *generator) over(f source, depth int) query {
	switch n := g.r.IntN(100); {
	case n < 30:
		return g.project(f)
	case n < 75:
		return g.group(f)
	case n < 88:
		return g.distinct(f)
	default:
		return g.grand(f)
	}
}

// A select list, while it grows.
type list struct {
	items   []string
	columns []column
}

func (l *list) add(expr string, k kind, key bool) {
	name := fmt.Sprintf("x%d", len(l.items))
	l.items = append(l.items, expr+" AS "+name)
	l.columns = append(l.columns, column{name: name, kind: k, c: true, nullable: true, key: key})
}

// project keeps the keys of what it reads.
func (g *generator) project(f source) query {
	if len(f.key()) == 0 {
		return g.distinct(f)
	}
	var l list
	for _, c := range f.key() {
		l.add(c.name, c.kind, true)
	}
	for range g.between(1, 4) {
		k := g.any(f.columns)
		l.add(g.expr(k, f.columns, 3), k, false)
	}
	return query{sql: l.sql("", f, g.filter(f), ""), columns: l.columns, loose: f.loose}
}

func (g *generator) filter(f source) string {
	if !g.chance(30) {
		return ""
	}
	return " WHERE " + g.expr(boolean, f.columns, 3)
}

func (l *list) sql(distinct string, f source, where, tail string) string {
	return "SELECT " + distinct + strings.Join(l.items, ", ") + " FROM " + f.sql + where + tail
}

func (g *generator) distinct(f source) query {
	var l list
	loose := f.loose
	for range g.between(1, 3) {
		k := g.some(f.columns)
		loose = loose || isLoose(k)
		l.add(g.operand(k, f.columns, 2), k, true)
	}
	return query{sql: l.sql("DISTINCT ", f, g.filter(f), ""), columns: l.columns, loose: loose}
}

// isLoose reports whether equal values of a kind may look different.
func isLoose(k kind) bool { return k == numeric || k == double }

// group groups by bare columns or expressions.
func (g *generator) group(f source) query {
	var l list
	var by []string
	loose := f.loose
	for range g.between(1, 2) {
		k := g.some(f.columns)
		loose = loose || isLoose(k)
		e := g.operand(k, f.columns, g.r.IntN(3))
		if cols := f.columns.of(k); len(cols) > 0 && g.chance(70) {
			e = cols[g.r.IntN(len(cols))].name
		}
		l.add(e, k, true)
		by = append(by, fmt.Sprint(len(l.items)))
	}
	loose = g.aggregates(&l, f) || loose
	tail := " GROUP BY " + strings.Join(by, ", ")
	if g.chance(20) {
		tail += fmt.Sprintf(" HAVING count(*) %s %d", g.pick(">", "<", "="), g.between(1, 3))
	}
	return query{sql: l.sql("", f, g.filter(f), tail), columns: l.columns, loose: loose}
}

// grand aggregates everything; its key is a constant.
func (g *generator) grand(f source) query {
	var l list
	l.add("1", integer, true)
	loose := g.aggregates(&l, f)
	return query{sql: l.sql("", f, g.filter(f), ""), columns: l.columns, loose: loose || f.loose}
}

func (g *generator) aggregates(l *list, f source) (loose bool) {
	for range g.between(1, 4) {
		loose = g.aggregate(l, f) || loose
	}
	return loose
}

// aggregate adds one aggregate; it reports whether its answer may choose among
// equal values that print differently.
func (g *generator) aggregate(l *list, f source) (loose bool) {
	filter := ""
	if g.chance(25) {
		filter = " FILTER (WHERE " + g.expr(boolean, f.columns, 1) + ")"
	}
	distinct := ""
	if g.chance(20) {
		distinct = "DISTINCT "
	}
	switch g.r.IntN(12) {
	case 0, 1:
		l.add("count(*)"+filter, bigint, false)
	case 2:
		k := g.some(f.columns)
		l.add(fmt.Sprintf("count(%s%s)%s", distinct, g.operand(k, f.columns, 1), filter), bigint, false)
	case 3, 4:
		k := []kind{integer, numeric, double, bigint, interval}[g.r.IntN(5)]
		out := map[kind]kind{integer: bigint, numeric: numeric, double: double, bigint: numeric, interval: interval}[k]
		if k == interval {
			distinct = ""
		}
		l.add(fmt.Sprintf("sum(%s%s)%s", distinct, g.expr(k, f.columns, 1), filter), out, false)
		return distinct != "" && isLoose(k)
	case 5:
		l.add(fmt.Sprintf("avg(%s%s)%s", distinct, g.expr(g.counted(), f.columns, 1), filter), numeric, false)
		return distinct != ""
	case 6, 7:
		k := []kind{integer, bigint, numeric, double, text, date, timestamp, timestamptz}[g.r.IntN(8)]
		l.add(fmt.Sprintf("%s(%s)%s", g.pick("min", "max"), g.operand(k, f.columns, 1), filter), k, false)
		return isLoose(k)
	case 8:
		l.add(fmt.Sprintf("%s(%s)%s", g.pick("bool_and", "bool_or"), g.expr(boolean, f.columns, 1), filter), boolean, false)
	case 9:
		e := g.inC(f.columns, 1)
		l.add(fmt.Sprintf("string_agg(%s, %s ORDER BY %s%s)%s", e, g.pick("','", "''", "' / '"), e, g.pick("", " DESC", " NULLS FIRST"), filter), text, false)
	case 10:
		e := g.expr(integer, f.columns, 1)
		l.add(fmt.Sprintf("(array_agg(%s%s ORDER BY %s%s)%s)::text", distinct, e, e, g.pick("", " DESC", " DESC NULLS LAST"), filter), text, false)
	default:
		a, b := g.expr(integer, f.columns, 1), g.inC(f.columns, 1)
		l.add(fmt.Sprintf("(jsonb_agg(jsonb_build_object('a', %s, 'b', %s) ORDER BY %s, %s)%s)::text", a, b, a, b, filter), text, false)
	}
	return false
}

func (g *generator) counted() kind { return []kind{integer, bigint, numeric}[g.r.IntN(3)] }
