package program

import "fmt"

// A scope is the columns that an expression may use, their names qualified.
type scope []column

// some is a kind that can be compared and that s mostly has a column of.
func (g *generator) some(s scope) kind {
	if k := s[g.r.IntN(len(s))].kind; k < comparable && !g.chance(10) {
		return k
	}
	return g.kind()
}

// any is a kind that a result has a column of.
func (g *generator) any(s scope) kind {
	if g.chance(12) {
		return []kind{jsonb, interval}[g.r.IntN(2)]
	}
	return g.some(s)
}

// of gives the columns of kind k.
func (s scope) of(k kind) scope {
	var out scope
	for _, c := range s {
		if c.kind == k {
			out = append(out, c)
		}
	}
	return out
}

// expr is a random expression of kind k. Text that is not a bare column or a
// constant is of the C collation, by name.
func (g *generator) expr(k kind, s scope, depth int) string {
	if cols := s.of(k); len(cols) > 0 && (depth <= 0 || g.chance(45)) {
		return cols[g.r.IntN(len(cols))].name
	}
	if depth <= 0 || g.chance(8) {
		return g.literal(k)
	}
	if g.chance(22) {
		return g.general(k, s, depth-1)
	}
	return g.special(k, s, depth-1)
}

// general is what every type has.
func (g *generator) general(k kind, s scope, depth int) string {
	a, b := g.operand(k, s, depth), g.operand(k, s, depth)
	switch g.r.IntN(5) {
	case 0:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.expr(boolean, s, depth), a, b)
	case 1:
		return fmt.Sprintf("coalesce(%s, %s)", a, b)
	case 2:
		return fmt.Sprintf("CASE %s WHEN %s THEN %s WHEN 1 THEN %s END", g.expr(integer, s, depth), g.literal(integer), a, b)
	case 3:
		if k == text || k == boolean || k >= uuid {
			return fmt.Sprintf("coalesce(%s, %s)", a, b)
		}
		return fmt.Sprintf("%s(%s, %s)", g.pick("greatest", "least"), a, b)
	default:
		if k >= comparable {
			return fmt.Sprintf("coalesce(%s, %s)", a, b)
		}
		return fmt.Sprintf("nullif(%s, %s)", a, b)
	}
}

// operand is an expression whose collation meets no other.
func (g *generator) operand(k kind, s scope, depth int) string {
	if k == text {
		return g.inC(s, depth)
	}
	return g.expr(k, s, depth)
}

func (g *generator) inC(s scope, depth int) string {
	return fmt.Sprintf(`(%s) COLLATE "C"`, g.expr(text, s, depth))
}

func (g *generator) special(k kind, s scope, depth int) string {
	switch k {
	case integer:
		return g.integer(s, depth)
	case bigint:
		return fmt.Sprintf("(%s + %s)", g.expr(bigint, s, depth), g.expr(integer, s, depth))
	case numeric:
		return g.numeric(s, depth)
	case double:
		return fmt.Sprintf("(%s %s %s)", g.expr(double, s, depth), g.pick("+", "-", "*"), g.expr(double, s, 0))
	case text:
		return "(" + g.text(s, depth) + `) COLLATE "C"`
	case boolean:
		return g.boolean(s, depth)
	case date:
		return g.date(s, depth)
	case interval:
		return g.between2(s, depth)
	case jsonb:
		return g.json(s, depth)
	case uuid:
		return g.literal(uuid)
	default:
		return g.instant(k, s, depth)
	}
}

func (g *generator) integer(s scope, depth int) string {
	a, b := g.expr(integer, s, depth), g.expr(integer, s, 0)
	switch g.r.IntN(9) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", a, g.pick("+", "-", "*"), b)
	case 2:
		return fmt.Sprintf("(%s %s nullif(%s, 0))", a, g.pick("/", "%"), b)
	case 3:
		return fmt.Sprintf("abs(%s)", a)
	case 4:
		return fmt.Sprintf("length(%s)", g.expr(text, s, depth))
	case 5:
		return fmt.Sprintf("(- %s)", a)
	case 6:
		return fmt.Sprintf("(%s)::integer", g.expr(boolean, s, depth))
	case 7:
		return fmt.Sprintf("position((%s) in (%s))", g.inC(s, 0), g.inC(s, depth))
	default:
		return fmt.Sprintf("extract(%s from %s)::integer", g.pick("year", "month", "day", "dow", "doy", "quarter", "week"), g.finite(s))
	}
}

// finite is a date that is not infinite.
func (g *generator) finite(s scope) string {
	return fmt.Sprintf("greatest(least(%s, '2100-01-01'::date), '1900-01-01'::date)", g.expr(date, s, 0))
}

func (g *generator) numeric(s scope, depth int) string {
	a, b := g.expr(numeric, s, depth), g.expr(numeric, s, 0)
	switch g.r.IntN(7) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", a, g.pick("+", "-", "*"), b)
	case 2:
		return fmt.Sprintf("(%s / nullif(%s, 0))", a, b)
	case 3:
		return fmt.Sprintf("round(%s, %d)", a, g.between(0, 3))
	case 4:
		return fmt.Sprintf("(%s)::numeric", g.expr(integer, s, depth))
	case 5:
		return fmt.Sprintf("%s(%s)", g.pick("abs", "ceil", "floor", "trunc", "sign"), a)
	default:
		return fmt.Sprintf("(%s * %s)", a, g.expr(integer, s, 0))
	}
}

func (g *generator) text(s scope, depth int) string {
	a := g.inC(s, depth)
	switch g.r.IntN(17) {
	case 12:
		return fmt.Sprintf("(%s ->> %s)", g.expr(jsonb, s, depth), g.pick("'a'", "'b'", "0"))
	case 13:
		return fmt.Sprintf("(%s)::text", g.expr([]kind{interval, jsonb, uuid}[g.r.IntN(3)], s, depth))
	case 14:
		return fmt.Sprintf("translate(%s, 'abx', 'BA')", a)
	case 15:
		return fmt.Sprintf("concat_ws('-', %s, %s, %s)", a, g.expr(integer, s, 0), g.inC(s, 0))
	case 16:
		return g.pick("md5("+a+")", "jsonb_typeof("+g.expr(jsonb, s, 0)+")", "repeat("+a+", 2)", "overlay("+a+" placing 'Q' from 1)")
	case 0, 1:
		return fmt.Sprintf("%s || %s", a, g.inC(s, 0))
	case 2:
		return fmt.Sprintf("%s(%s)", g.pick("upper", "lower"), a)
	case 3:
		return fmt.Sprintf("substr(%s, %d, %d)", a, g.between(-1, 3), g.between(0, 4))
	case 4:
		return fmt.Sprintf("replace(%s, %s, %s)", a, g.inC(s, 0), g.literal(text))
	case 5:
		return fmt.Sprintf("%s(%s, %d)", g.pick("left", "right"), a, g.between(-2, 3))
	case 6:
		return fmt.Sprintf("%s(%s, %d, %s)", g.pick("lpad", "rpad"), a, g.between(0, 6), g.pick("'x'", "' '", "'é-'"))
	case 7:
		return fmt.Sprintf("(%s)::text", g.expr([]kind{integer, bigint, numeric, boolean, date, timestamp}[g.r.IntN(6)], s, depth))
	case 8:
		return fmt.Sprintf("%s(%s)", g.pick("trim", "ltrim", "rtrim", "reverse"), a)
	case 9:
		return fmt.Sprintf("concat(%s, %s)", g.expr(integer, s, 0), a)
	case 10:
		return fmt.Sprintf("split_part(%s, %s, %d)", a, g.pick("' '", "'-'", "'b'"), g.between(1, 2))
	default:
		return fmt.Sprintf("coalesce(%s, 'none')", a)
	}
}

func (g *generator) boolean(s scope, depth int) string {
	switch g.r.IntN(9) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", g.expr(boolean, s, depth), g.pick("AND", "OR"), g.expr(boolean, s, depth))
	case 1:
		return g.pick(fmt.Sprintf("(NOT %s)", g.expr(boolean, s, depth)),
			fmt.Sprintf("(%s ~ %s)", g.inC(s, depth), g.pick("'^a'", "'b$'", "'[ab]+x?'", "'^.$'")),
			fmt.Sprintf("(%s = ANY (ARRAY[%s, %s]))", g.expr(integer, s, depth), g.literal(integer), g.expr(integer, s, 0)),
			fmt.Sprintf("(%s ? 'a')", g.expr(jsonb, s, depth)))
	case 2:
		return fmt.Sprintf("(%s IS %sNULL)", g.expr(g.some(s), s, depth), g.pick("", "NOT ", "NOT "))
	case 3:
		return fmt.Sprintf("(%s %sLIKE %s)", g.inC(s, depth), g.pick("", "NOT ", ""), g.pick("'a%'", "'%b'", "'_'", `'%\_%'`, "'%é%'", "''", "'%'"))
	case 4:
		k := g.some(s)
		return fmt.Sprintf("(%s IN (%s, %s))", g.operand(k, s, depth), g.literal(k), g.operand(k, s, 0))
	case 5:
		k := g.comparable()
		return fmt.Sprintf("(%s BETWEEN %s AND %s)", g.operand(k, s, depth), g.literal(k), g.literal(k))
	case 6:
		k := g.some(s)
		return fmt.Sprintf("(%s IS %sDISTINCT FROM %s)", g.operand(k, s, depth), g.pick("", "NOT "), g.operand(k, s, 0))
	case 7:
		return fmt.Sprintf("(%s IS %s%s)", g.expr(boolean, s, depth), g.pick("", "NOT "), g.pick("TRUE", "FALSE", "UNKNOWN"))
	default:
		k := g.some(s)
		return fmt.Sprintf("(%s %s %s)", g.operand(k, s, depth), g.pick("=", "<>", "<", ">=", ">", "<="), g.operand(k, s, 0))
	}
}

func (g *generator) comparable() kind {
	return []kind{integer, numeric, double, text, date, timestamp}[g.r.IntN(6)]
}

// between2 is an interval: a difference, a sum, or a part of one.
func (g *generator) between2(s scope, depth int) string {
	switch g.r.IntN(4) {
	case 0:
		return fmt.Sprintf("(%s::timestamp - %s::timestamp)", g.finite(s), g.finite(s))
	case 1:
		return fmt.Sprintf("(%s %s %s)", g.expr(interval, s, depth), g.pick("+", "-"), g.literal(interval))
	case 2:
		return fmt.Sprintf("(%s * %d)", g.expr(interval, s, depth), g.between(-2, 3))
	default:
		return fmt.Sprintf("justify_%s(%s)", g.pick("days", "hours", "interval"), g.expr(interval, s, depth))
	}
}

func (g *generator) json(s scope, depth int) string {
	switch g.r.IntN(4) {
	case 0:
		return fmt.Sprintf("(%s -> %s)", g.expr(jsonb, s, depth), g.pick("'a'", "'b'", "0", "-1"))
	case 1:
		return fmt.Sprintf("(%s #> '{b,a}')", g.expr(jsonb, s, depth))
	case 2:
		return fmt.Sprintf("to_jsonb(%s)", g.expr([]kind{integer, numeric, boolean, date, timestamp}[g.r.IntN(5)], s, depth))
	default:
		return fmt.Sprintf("jsonb_build_object('k', %s, 'n', %s)", g.expr([]kind{integer, numeric, boolean, date, jsonb, uuid}[g.r.IntN(6)], s, depth), g.inC(s, 0))
	}
}

func (g *generator) date(s scope, depth int) string {
	switch g.r.IntN(3) {
	case 0:
		return fmt.Sprintf("(%s %s %d)", g.finite(s), g.pick("+", "-"), g.between(0, 400))
	case 1:
		return fmt.Sprintf("date_trunc('%s', %s::timestamp)::date", g.pick("month", "year", "week", "quarter"), g.finite(s))
	default:
		return fmt.Sprintf("(%s)::date", g.expr(timestamp, s, depth))
	}
}

func (g *generator) instant(k kind, s scope, depth int) string {
	x := g.expr(k, s, depth)
	if k == timestamptz {
		return fmt.Sprintf("(%s + interval '%s')", x, g.pick("90 minutes", "-1 hour", "3.5 seconds"))
	}
	switch g.r.IntN(3) {
	case 0:
		return fmt.Sprintf("(%s + interval '%s')", x, g.pick("1 month", "-1 day", "90 minutes", "1 year 2 mons -3 days 04:05:06.7"))
	case 1:
		return fmt.Sprintf("date_trunc('%s', %s)", g.pick("hour", "day", "month", "minute", "second"), x)
	default:
		return fmt.Sprintf("(%s)::timestamp", g.expr(date, s, depth))
	}
}
