package program

import (
	"fmt"
	"strings"
)

// A kind is a type that random columns and expressions have.
type kind int

const (
	integer kind = iota
	bigint
	numeric
	double
	text
	boolean
	date
	timestamp
	timestamptz
	uuid
	comparable // so many kinds can be compared, and be keys
)

// Of these only values are looked at.
const (
	jsonb kind = iota + comparable
	interval
)

func (k kind) String() string {
	return [...]string{"integer", "bigint", "numeric", "double precision", "text", "boolean", "date", "timestamp", "timestamptz", "uuid", "jsonb", "interval"}[k]
}

// literal is a random constant. The domains are small, so that keys meet, groups
// fill, and values repeat.
func (g *generator) literal(k kind) string {
	switch k {
	case integer, bigint:
		return fmt.Sprint(g.between(-3, 9))
	case numeric:
		return fmt.Sprintf("%d.%02d", g.between(-3, 9), g.r.IntN(4)*25)
	case double:
		return fmt.Sprintf("'%g'::double precision", float64(g.between(-16, 40))/4)
	case text:
		return "'" + strings.ReplaceAll(g.word(), "'", "''") + "'"
	case boolean:
		return g.pick("true", "false")
	case date:
		return fmt.Sprintf("'%s'::date", g.day())
	case timestamp:
		return fmt.Sprintf("'%s %s'::timestamp", g.day(), g.clock())
	case timestamptz:
		return fmt.Sprintf("'%s %s+00'::timestamptz", g.day(), g.clock())
	case interval:
		return fmt.Sprintf("'%s'::interval", g.span())
	case jsonb:
		return fmt.Sprintf("'%s'::jsonb", g.document())
	case uuid:
		return fmt.Sprintf("'0000000%d-0000-4000-8000-00000000000%d'::uuid", g.r.IntN(3), g.r.IntN(3))
	}
	panic("no such kind")
}

func (g *generator) span() string {
	return g.pick("1 month", "30 days", "-1 day", "24:00:00", "90 minutes", "1 year 2 mons -3 days 04:05:06.7", "-00:00:00.000001", "0")
}

func (g *generator) document() string {
	return g.pick("null", "1", "1.50", `"a"`, "[]", "[1, null, [2]]", "{}", `{"a": 1}`, `{"b": "x", "a": {"c": [true, 1.0]}}`, `{"aa": null, "a": "é"}`)
}

func (g *generator) word() string {
	return g.pick("", "a", "A", "b", "ab", "Ab", "aB ", "é", "É", "z_%", "ß", "10", "it's", "żółć", "\U0001F600x", "x-y", "x y", "xy")
}

func (g *generator) day() string {
	return g.pick("1999-12-31", "2000-02-29", "2024-01-31", "2024-03-31", "2024-12-30", "2025-11-02", "0044-03-15")
}

func (g *generator) clock() string {
	return g.pick("00:00:00", "23:59:59.999999", "12:30:00", "06:07:08.09")
}
