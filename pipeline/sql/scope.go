package sql

import (
	"strings"

	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// A visible is a column that a name can stand for.
type visible struct {
	name string
	id   colID
}

// A named is a table, view or query of FROM by its name.
type named struct {
	name    string   // its alias, or the last part of its name
	path    []string // of a table without an alias: source, schema, table
	columns []visible
	at      int
}

// A scope is what names mean in one SELECT: all that FROM gives.
type scope struct {
	tables  []*named
	columns []visible // without their table's name, and for *
}

func (s *scope) join(r scope) scope {
	return scope{tables: append(append([]*named{}, s.tables...), r.tables...), columns: append(append([]visible{}, s.columns...), r.columns...)}
}

// distinctNames refuses two tables of one name.
func (b *binder) distinctNames(s *scope) {
	seen := map[string]bool{}
	for _, t := range s.tables {
		if seen[t.name] {
			b.fail(t.at, codeName, "two tables of FROM have the name "+quoteName(t.name), "give one of them an alias: … AS "+t.name+"2")
		}
		seen[t.name] = true
	}
}

// column resolves a reference.
func (b *binder) column(s *scope, x *syntax.Column) colID {
	last := x.Parts[len(x.Parts)-1].Text
	list := s.columns
	if len(x.Parts) > 1 {
		list = b.table(s, x.Parts[:len(x.Parts)-1]).columns
	}
	id, found := colID(0), 0
	for _, c := range list {
		if c.name == last && (found == 0 || c.id != id) {
			id = c.id
			found++
		}
	}
	switch {
	case found == 0:
		b.fail(x.Parts[0].Pos, codeName, "column "+path(x.Parts)+" does not exist", near(last, names(list)))
	case found > 1:
		b.fail(x.Parts[0].Pos, codeName, "column "+path(x.Parts)+" is ambiguous", "put the table's alias in front: alias."+last)
	}
	return id
}

// table finds a table by its alias, or by the end of its path.
func (b *binder) table(s *scope, parts []syntax.Name) *named {
	for _, t := range s.tables {
		if len(parts) == 1 && t.name == parts[0].Text || len(parts) > 1 && endsWith(t.path, parts) {
			return t
		}
	}
	var all []string
	for _, t := range s.tables {
		all = append(all, t.name)
	}
	b.fail(parts[0].Pos, codeName, "there is no table "+path(parts)+" in FROM", near(parts[len(parts)-1].Text, all))
	return nil
}

func endsWith(whole []string, parts []syntax.Name) bool {
	if len(parts) > len(whole) {
		return false
	}
	for i, p := range parts {
		if whole[len(whole)-len(parts)+i] != p.Text {
			return false
		}
	}
	return true
}

func path(parts []syntax.Name) string {
	list := make([]string, len(parts))
	for i, p := range parts {
		list[i] = p.Text
	}
	return quoteName(strings.Join(list, "."))
}

func names(list []visible) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.name
	}
	return out
}

// near lists what there is, if that is not too much.
func near(name string, list []string) string {
	for _, n := range list {
		if strings.EqualFold(n, name) {
			return "write " + syntax.Quote(n)
		}
	}
	if len(list) == 0 {
		return ""
	}
	more := ""
	if len(list) > 12 {
		list, more = list[:12], ", …"
	}
	return "there are " + strings.Join(list, ", ") + more
}

// A column is what the binder knows of a colID.
type column struct {
	name     string
	typ      schema.Type
	coll     collation
	nullable bool
	table    int // which scan it belongs to, counted from 1; 0: none
}
