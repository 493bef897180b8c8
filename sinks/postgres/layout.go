package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/schema"
)

// A layout is what is written into the table: the columns in the order in which
// rows are buffered. It only grows while a target lives, at its end.
type layout struct {
	columns []layoutColumn
	key     []string // in key order
}

// A layoutColumn is one column of the table that rows go to.
type layoutColumn struct {
	name    string
	typ     string // as format_type spells it
	cast    string // without a modifier
	key     bool
	notNull bool
	always  bool // GENERATED ALWAYS AS IDENTITY
}

func (l *layout) column(name string) *layoutColumn {
	for i := range l.columns {
		if l.columns[i].name == name {
			return &l.columns[i]
		}
	}
	return nil
}

func (l *layout) names() []string {
	out := make([]string, len(l.columns))
	for i, c := range l.columns {
		out[i] = c.name
	}
	return out
}

// nullable reports whether a key may hold NULL.
func (l *layout) nullable() bool {
	return slices.ContainsFunc(l.columns, func(c layoutColumn) bool { return c.key && !c.notNull })
}

// A plan says how rows of one version of a table become rows of the layout.
type plan struct {
	table *schema.Table
	from  []int // for each column of the layout the index in the row; -1: none
	key   []int
}

func (l *layout) plan(t *schema.Table) *plan {
	p := &plan{table: t, from: make([]int, len(l.columns))}
	for i, c := range l.columns {
		p.from[i] = t.Column(c.name)
	}
	for _, name := range l.key {
		p.key = append(p.key, t.Column(name))
	}
	return p
}

func keyNames(t *schema.Table) []string {
	var names []string
	for _, i := range t.Key {
		names = append(names, t.Columns[i].Name)
	}
	return names
}

// onConflict ends an upsert. A key column is written anew where equal keys can
// differ in how they look: 1.0 and 1.00, or -0.
func (l *layout) onConflict() string {
	var sets []string
	for _, c := range l.columns {
		if !c.key || c.loose() {
			sets = append(sets, fmt.Sprintf("%[1]s = excluded.%[1]s", quoteIdent(c.name)))
		}
	}
	if len(sets) == 0 {
		return " ON CONFLICT (" + quoteAll(l.key) + ") DO NOTHING"
	}
	return " ON CONFLICT (" + quoteAll(l.key) + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

// insert begins an INSERT into a table.
func (l *layout) insert(into TableName) string {
	overriding := ""
	if slices.ContainsFunc(l.columns, func(c layoutColumn) bool { return c.always }) {
		overriding = " OVERRIDING SYSTEM VALUE"
	}
	return "INSERT INTO " + into.sql() + " AS t (" + quoteAll(l.names()) + ")" + overriding
}

// loose reports whether the type's equality is not that of its text, so that equal
// values may have to be written all the same.
func (c *layoutColumn) loose() bool {
	switch c.cast {
	case "boolean", "smallint", "integer", "bigint", "date", "uuid", "bytea", "interval",
		"time without time zone", "timestamp without time zone", "timestamp with time zone":
		return c.cast == "interval" // a month is thirty days
	}
	return true
}

// differs says in SQL that column c of two tables is not the same to the last byte.
func (c *layoutColumn) differs(a, b string) string {
	name := quoteIdent(c.name)
	switch {
	case !c.loose():
		return fmt.Sprintf("%s.%s IS DISTINCT FROM %s.%s", a, name, b, name)
	case c.cast == "text" || c.cast == "character varying":
		return fmt.Sprintf(`%s.%s COLLATE "C" IS DISTINCT FROM %s.%s COLLATE "C"`, a, name, b, name)
	}
	return fmt.Sprintf(`%s.%s::text COLLATE "C" IS DISTINCT FROM %s.%s::text COLLATE "C"`, a, name, b, name)
}

// sameKey says in SQL that rows of two tables have the same key. Where a key may
// hold NULL it is said so that tables can still be joined by hash.
func (l *layout) sameKey(a, b string) string {
	var all []string
	for _, k := range l.key {
		c, name := l.column(k), quoteIdent(k)
		if c.notNull {
			all = append(all, fmt.Sprintf("%s.%s = %s.%s", a, name, b, name))
			continue
		}
		all = append(all, fmt.Sprintf("(%[1]s.%[3]s IS NULL) = (%[2]s.%[3]s IS NULL) AND coalesce(%[1]s.%[3]s::text, '') COLLATE \"C\" = coalesce(%[2]s.%[3]s::text, '') COLLATE \"C\"", a, b, name))
	}
	return strings.Join(all, " AND ")
}
