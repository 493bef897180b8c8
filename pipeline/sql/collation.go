package sql

import (
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// A collation is that of an expression, with how it came by it: Postgres lets a
// written one win over a column's, and a column's own over the default.
type collation struct {
	schema.Collation
	strength strength
}

type strength uint8

const (
	none     strength = iota // the type has none
	implicit                 // a column's, or the default of the database
	explicit                 // written with COLLATE
	conflict                 // two columns disagree: an error for whoever asks
)

const defaultCollation = "default"

// byDefault is the collation of the database, which is always deterministic.
func byDefault() collation {
	return collation{schema.Collation{Name: defaultCollation, Deterministic: true}, implicit}
}

func (c collation) name() string {
	if c.strength == none {
		return ""
	}
	return c.Name
}

// isC reports whether texts are ordered by their bytes, and only ASCII has case.
func (c collation) isC() bool {
	switch c.Name {
	case "C", "POSIX", "ucs_basic":
		return c.strength == implicit || c.strength == explicit
	}
	return false
}

// collatable reports whether values of t have a collation.
func collatable(t *schema.Type) bool {
	switch scalar.Identify(t).Elem() {
	case scalar.Text, scalar.Varchar, scalar.BPChar, scalar.Unknown:
		return true
	}
	return false
}

// merge is the collation of an operation on both; ok is false if two written
// ones differ.
func merge(a, b collation) (c collation, ok bool) {
	switch {
	case a.strength == none || a.strength == implicit && b.strength == conflict:
		return b, true
	case b.strength == none || a.strength == conflict && b.strength == implicit:
		return a, true
	case a.strength == explicit && b.strength == explicit:
		return a, a.Name == b.Name
	case a.strength == explicit:
		return a, true
	case b.strength == explicit:
		return b, true
	case a.strength == conflict || a.Name == b.Name || b.Name == defaultCollation:
		return a, true
	case a.Name == defaultCollation:
		return b, true
	}
	return collation{strength: conflict}, true
}

// mergeAll is that of several arguments.
func (b *binder) mergeAll(args []*term) collation {
	var c collation
	for _, a := range args {
		var ok bool
		if c, ok = merge(c, a.coll); !ok {
			b.fail(a.at, codeType, "two collations are written for one operation", "write one of them")
		}
	}
	return c
}

// need refuses a collation that does not do.
func (b *binder) need(n scalar.Need, c collation, at int, what string) {
	switch {
	case n == scalar.NoCollation || c.strength == none:
	case c.strength == conflict:
		b.fail(at, codeInexact, "the collation of "+what+" is not settled: its columns have different ones", `write x COLLATE "C"`)
	case n == scalar.BytesCollation && !c.Deterministic:
		b.fail(at, codeInexact, what+" compares texts under collation "+quoteName(c.Name)+", which is not deterministic: texts of different bytes may be equal",
			`write x COLLATE "C" on both sides`)
	case n == scalar.CCollation && !c.isC():
		b.fail(at, codeInexact, what+" depends on collation "+quoteName(c.Name)+", which belongs to the server's libraries", `write x COLLATE "C"`)
	}
}

func quoteName(s string) string { return `"` + s + `"` }

// resultCollation is that of a result of type t.
func resultCollation(t *schema.Type, of collation) collation {
	switch {
	case !collatable(t):
		return collation{}
	case of.strength == none:
		return byDefault()
	}
	return of
}

// column is the collation as a column of a plan carries it.
func (t *term) column(name string, nullable bool) schema.Column {
	return columnOf(name, t.typ, t.coll, nullable)
}

func columnOf(name string, typ schema.Type, c collation, nullable bool) schema.Column {
	col := schema.Column{Name: name, Type: typ, Nullable: nullable, Collation: c.Collation}
	switch {
	case c.strength == none || c.strength == conflict:
		col.Collation = schema.Collation{Deterministic: true}
	case c.strength == explicit && c.Provider == "":
		col.Collation.Provider = "c"
	}
	col.Collation.Pad = scalar.Identify(&typ).Elem() == scalar.BPChar
	return col
}

// exactCollation reports whether a collation may be written.
func exactCollation(name string) bool {
	switch name {
	case "C", "POSIX", "ucs_basic", defaultCollation:
		return true
	}
	return false
}

const mendCollation = `write COLLATE "C"`

func librariesCollation(name string) string {
	return "collation " + quoteName(name) + " belongs to the server's libraries"
}
