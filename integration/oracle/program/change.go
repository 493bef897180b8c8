package program

import (
	"fmt"
	"strings"
)

// transactions are filled tables first, then a mix of everything that a row can
// suffer, several statements to a transaction.
func (g *generator) transactions() [][]string {
	var all [][]string
	var fill []string
	for _, t := range g.tables {
		for range g.between(6, 22) {
			fill = append(fill, g.insert(t))
		}
	}
	if len(fill) > 0 {
		all = append(all, fill)
	}
	for range g.between(3, 8) {
		var tx []string
		for range g.between(1, 5) {
			tx = append(tx, g.statement(g.tables[g.r.IntN(len(g.tables))]))
		}
		all = append(all, tx)
	}
	return all
}

func (g *generator) statement(t *Table) string {
	switch n := g.r.IntN(100); {
	case n < 50:
		return g.insert(t)
	case n < 78:
		return g.update(t)
	case n < 88:
		return fmt.Sprintf("UPDATE %s SET id = id + %d WHERE %s", t.Name, 20+g.r.IntN(20), g.where(t))
	case n < 99:
		return fmt.Sprintf("DELETE FROM %s WHERE %s", t.Name, g.where(t))
	default:
		return "TRUNCATE " + t.Name
	}
}

func (g *generator) insert(t *Table) string {
	var names, values []string
	for i, c := range t.columns {
		names = append(names, c.name)
		switch {
		case i == 0:
			values = append(values, fmt.Sprint(g.between(0, 18)))
		default:
			values = append(values, g.stored(c))
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO NOTHING", t.Name, strings.Join(names, ", "), strings.Join(values, ", "))
}

func (g *generator) stored(c column) string {
	if c.nullable && g.chance(15) {
		return "NULL"
	}
	if g.chance(4) {
		switch c.kind {
		case numeric:
			return "'NaN'"
		case double:
			return g.pick("'NaN'", "'Infinity'", "'-0'")
		case date, timestamp, timestamptz:
			return g.pick("'infinity'", "'-infinity'")
		}
	}
	return g.literal(c.kind)
}

func (g *generator) update(t *Table) string {
	var sets []string
	for _, c := range t.columns[t.keys:] {
		if g.chance(40) {
			sets = append(sets, c.name+" = "+g.stored(c))
		}
	}
	if len(sets) == 0 {
		c := t.columns[t.keys+g.r.IntN(len(t.columns)-t.keys)]
		sets = append(sets, c.name+" = "+g.stored(c))
	}
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.Name, strings.Join(sets, ", "), g.where(t))
}

func (g *generator) where(t *Table) string {
	if g.chance(6) {
		return "true"
	}
	return fmt.Sprintf("id %s %d", g.pick("=", "=", "=", "=", "<", ">"), g.between(0, 20))
}
