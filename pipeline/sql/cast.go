package sql

import (
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// cast binds x::type.
func (b *binder) cast(s *scope, x *syntax.Cast) *term {
	to := b.typeNamed(&x.Type)
	if a, ok := x.X.(*syntax.Array); ok && len(a.Elems) == 0 {
		if to.Elem == nil {
			b.fail(x.At(), codeType, "an array cannot be cast to "+to.Name, "write "+to.Name+"[]")
		}
		return constant(to, schema.Array(schema.AppendArray(nil)), x.At())
	}
	t := b.expr(s, x.X)
	if t.op == opConst && t.unknown() {
		b.zonedLiteral(t, &to)
	}
	return b.coerce(t, to, scalar.Explicit)
}

// typeNamed resolves a type: one of Postgres's own, or an enum of a table that
// the query reads.
func (b *binder) typeNamed(n *syntax.TypeName) schema.Type {
	name := n.Name[len(n.Name)-1].Text
	var t schema.Type
	var err error
	system := len(n.Name) == 1 || n.Name[0].Text == "pg_catalog"
	enum, isEnum := b.q.enums[name]
	switch {
	case isEnum && !n.Keyword:
		t = enum
	case !system:
		b.fail(n.Pos, codeType, "type "+path(n.Name)+" is not known: it is no enum of a table that the query reads", "")
	default:
		if t, err = scalar.Named(keywordName(n, name), n.Mods...); err != nil {
			b.failWith(n.Pos, err)
		}
	}
	if n.Array {
		return scalar.ArrayOf(t)
	}
	return t
}

// keywordName is how package scalar knows a type; the name "char" in quotes is
// another type than the word char.
func keywordName(n *syntax.TypeName, name string) string {
	if !n.Keyword && (name == "char" || name == "character" || name == "integer" || name == "float" || name == "decimal") {
		return quoteName(name)
	}
	return name
}
