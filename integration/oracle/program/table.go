package program

import (
	"fmt"
	"strings"
)

// A Table is a random table. Its key has one or two columns.
type Table struct {
	Name    string
	columns []column
	keys    int // the first columns are its key
}

// A column is one of a table, or of a query.
type column struct {
	name     string
	kind     kind
	c        bool // text in the C collation
	nullable bool
	key      bool // belongs to the key of its query
}

func (g *generator) table(i int) *Table {
	t := &Table{Name: fmt.Sprintf("r%d", i), keys: g.between(1, 2)}
	t.columns = append(t.columns, column{name: "id", kind: integer})
	if t.keys == 2 {
		t.columns = append(t.columns, column{name: "part", kind: []kind{integer, text, date, uuid}[g.r.IntN(4)]})
	}
	for j := range g.between(3, 7) {
		t.columns = append(t.columns, column{name: fmt.Sprintf("c%d", j), kind: g.stores(), c: g.chance(60), nullable: g.chance(75)})
	}
	return t
}

// Create is the table's DDL.
func (t *Table) Create() string {
	var lines []string
	for _, c := range t.columns {
		lines = append(lines, c.ddl())
	}
	var key []string
	for _, c := range t.columns[:t.keys] {
		key = append(key, c.name)
	}
	return fmt.Sprintf("CREATE TABLE %s (%s, PRIMARY KEY (%s))", t.Name, strings.Join(lines, ", "), strings.Join(key, ", "))
}

func (c column) ddl() string {
	typ := c.kind.String()
	if c.kind == numeric {
		typ = "numeric(9,2)"
	}
	if c.kind == text && c.c {
		typ = `text COLLATE "C"`
	}
	if !c.nullable {
		typ += " NOT NULL"
	}
	return c.name + " " + typ
}

// stores is a kind that a table has a column of.
func (g *generator) stores() kind {
	if g.chance(8) {
		return jsonb
	}
	return g.kind()
}
