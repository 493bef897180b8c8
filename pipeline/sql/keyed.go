package sql

import (
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// canKey reports whether values of a column can be told apart by the bytes of a
// key.
func canKey(c schema.Column) bool {
	_, err := tuple.NewKey([]schema.Column{c}, nil)
	return err == nil
}

// keyed refuses a term whose values cannot be kept in order or in groups.
func (b *binder) keyed(t *term, at int, what string) {
	if canKey(t.column("", true)) {
		return
	}
	b.fail(at, syntax.CodeUnsupported, what+" of type "+t.typ.Name+" is not supported in views", `cast it: (x)::text COLLATE "C"`)
}

// comparable refuses a term whose equality is not that of its bytes.
func (b *binder) comparable(t *term, at int, what string) {
	b.need(scalar.BytesCollation, t.coll, t.at, what)
	b.keyed(t, at, what)
}

// exact reports whether equal values of a type always look alike, so that a
// condition may move below a GROUP BY.
func exact(t *schema.Type) bool {
	switch id := scalar.Identify(t); {
	case id.IsArray(), id == scalar.Numeric, id == scalar.Float4, id == scalar.Float8, id == scalar.BPChar, id == scalar.None, id == scalar.Interval, id == scalar.JSON, id == scalar.JSONB:
		return false
	}
	return true
}
