package sql

import (
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// call binds a function or an aggregate.
func (b *binder) call(s *scope, x *syntax.Call) *term {
	name := x.Name[len(x.Name)-1].Text
	if len(x.Name) > 1 && x.Name[0].Text != "pg_catalog" {
		b.fail(x.At(), syntax.CodeUnsupported, foreignFunction(x), mendForeign)
	}
	if x.Syntax == syntax.Plain && isAggregate(name) {
		return b.aggregate(s, x, name)
	}
	if x.Star || x.Distinct || len(x.Order) > 0 || x.Filter != nil {
		b.fail(x.At(), codeType, quoteName(name)+" is no aggregate: it takes no *, DISTINCT, ORDER BY or FILTER", "")
	}
	args := b.exprs(s, x.Args)
	if x.Syntax == syntax.KeywordSyntax {
		switch name {
		case "coalesce":
			return b.coalesce(x.At(), args)
		case "nullif":
			return b.nullIf(x.At(), args)
		}
	}
	return b.function(x.At(), name, args)
}

// function calls a function by its name; a type's name with one argument is a
// cast, if no function has it.
func (b *binder) function(at int, name string, args []*term) *term {
	if !scalar.Known(name) && len(args) == 1 && scalar.RefusalOf(name, []schema.Type{args[0].typ}) == nil {
		if to, err := scalar.Named(name); err == nil {
			return b.coerce(args[0], to, scalar.Explicit)
		}
	}
	return b.apply(at, name, args...)
}

func (b *binder) coalesce(at int, args []*term) *term {
	args = b.common(at, args)
	t := &term{op: opCoalesce, typ: args[0].typ, args: args, at: at}
	t.coll = resultCollation(&t.typ, b.mergeAll(args))
	return t
}

// nullIf is CASE WHEN a = b THEN NULL ELSE a END, where a has the type that the
// comparison gave it.
func (b *binder) nullIf(at int, args []*term) *term {
	types := []schema.Type{args[0].typ, args[1].typ}
	f, err := scalar.Lookup("=", types)
	if err != nil {
		b.failWith(at, err)
	}
	first := args[0]
	if !scalar.IsSame(first.typ, f.Args[0]) {
		first = b.coerce(first, f.Args[0], scalar.Implicit)
	}
	equal := b.apply(at, "=", args[0], args[1])
	null := constant(first.typ, schema.Null(), at)
	return &term{op: opCase, typ: first.typ, coll: first.coll, args: []*term{equal, null, first}, at: at}
}

const mendForeign = "compute it into a column at the source"

func foreignFunction(x *syntax.Call) string {
	return "the function " + path(x.Name) + " is not Postgres's own"
}
