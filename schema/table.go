package schema

import (
	"strings"
	"unicode"
)

// A Table is one version of a table's shape. It is immutable and may be shared
// by any number of goroutines; two rows belong to the same version if and only
// if they point to the same Table.
type Table struct {
	Database string // the database it lies in
	Schema   string // the namespace, in the catalog's exact case
	Name     string
	Native   string // the source's own identity of the table (an OID); changes when it is re-created
	Version  uint32 // counts the shapes this process has seen, from 1; no two live at once with the same number
	Columns  []Column
	Key      []int // the columns that identify a row, as indices, in key order; never empty for a keyed table
}

// A Column is one column of a Table.
type Column struct {
	Name      string
	Type      Type
	Nullable  bool
	Collation Collation // of text types
}

// A Collation says what equality and order of a text column mean.
type Collation struct {
	Name          string // as the catalog spells it; empty for types without a collation
	Provider      string // c (libc), i (ICU), b (builtin), d (the database's default); empty if unknown
	Deterministic bool   // equal if and only if the bytes are equal
	Pad           bool   // trailing spaces do not count (char(n), MySQL's PAD SPACE)
}

// A Type is what a column may hold.
type Type struct {
	Kind      Kind     // of its values, unless NULL or unknown
	Name      string   // as the source prints it: numeric(10,2), character varying(20), text[]
	Bits      int      // 16, 32 or 64 for integers; 32 or 64 for floats
	Precision int      // decimals: digits; time and timestamp: fractional digits; -1 unconstrained
	Scale     int      // decimals: fractional digits; -1 unconstrained
	Zoned     bool     // timestamps: an instant, in UTC
	Binary    bool     // JSON: stored as jsonb
	Labels    []string // enums, in their order; the values are text
	Elem      *Type    // arrays
	Opaque    bool     // a type that Evert carries as the text its source prints
	Form      Form     // of an opaque type: what that text is; of bytes read from a topic: how they lay there
}

// String is the table's name as it is written in configuration: schema.table,
// a part quoted where the grammar asks for it.
func (t *Table) String() string { return QuotePart(t.Schema) + "." + QuotePart(t.Name) }

// KeyOf appends the key columns of row to dst.
func (t *Table) KeyOf(dst Row, row Row) Row {
	for _, i := range t.Key {
		dst = append(dst, row[i])
	}
	return dst
}

// IsKey reports whether column i is part of the key.
func (t *Table) IsKey(i int) bool {
	for _, k := range t.Key {
		if k == i {
			return true
		}
	}
	return false
}

// Column gives the index of the column called name, or -1.
func (t *Table) Column(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// QuotePart writes one part of a table name so that the grammar of
// configuration reads it back: a part holding . * " or a space is quoted.
func QuotePart(part string) string {
	plain := func(r rune) bool { return r != '.' && r != '*' && r != '"' && !unicode.IsSpace(r) }
	if part != "" && strings.IndexFunc(part, func(r rune) bool { return !plain(r) }) < 0 {
		return part
	}
	return `"` + strings.ReplaceAll(part, `"`, `""`) + `"`
}
