package sql

import (
	"math"
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// expr binds an expression.
func (b *binder) expr(s *scope, x syntax.Expr) *term {
	t := b.bare(s, x)
	if t.sql == "" || t.op != opColumn {
		named := *t
		named.sql, named.at = syntax.Text(x), x.At()
		t = &named
	}
	return t.fold()
}

func (b *binder) bare(s *scope, x syntax.Expr) *term {
	switch x := x.(type) {
	case *syntax.Literal:
		return b.literal(x)
	case *syntax.Column:
		return b.q.ref(b.column(s, x), x.At(), syntax.Text(x))
	case *syntax.Cast:
		return b.cast(s, x)
	case *syntax.Unary:
		return b.unary(s, x)
	case *syntax.Binary:
		return b.binary(s, x)
	case *syntax.Is:
		return b.is(s, x)
	case *syntax.Between:
		return b.between(s, x)
	case *syntax.In:
		return b.in(s, x)
	case *syntax.Like:
		return b.like(s, x)
	case *syntax.Call:
		return b.call(s, x)
	case *syntax.Case:
		return b.caseOf(s, x)
	}
	return b.rare(s, x)
}

func (b *binder) rare(s *scope, x syntax.Expr) *term {
	switch x := x.(type) {
	case *syntax.Quantified:
		word := " any"
		if x.All {
			word = " all"
		}
		return b.apply(x.At(), x.Op+word, b.expr(s, x.X), b.expr(s, x.Array))
	case *syntax.Collate:
		return b.collate(s, x)
	case *syntax.Array:
		if len(x.Elems) == 0 {
			b.fail(x.At(), codeType, "the type of an empty array is not known", "write ARRAY[]::text[], or the type that is meant")
		}
		return b.apply(x.At(), "array", b.exprs(s, x.Elems)...)
	case *syntax.Index:
		return b.apply(x.At(), "[]", b.expr(s, x.X), b.expr(s, x.I))
	}
	b.fail(x.At(), syntax.CodeUnsupported, "* stands for columns and not for a value", "name the columns")
	return nil
}

func (b *binder) exprs(s *scope, list []syntax.Expr) []*term {
	out := make([]*term, len(list))
	for i, x := range list {
		out[i] = b.expr(s, x)
	}
	return out
}

// condition binds an expression that is true, false or NULL.
func (b *binder) condition(s *scope, x syntax.Expr, where string) *term {
	t := b.expr(s, x)
	if id := scalar.Identify(&t.typ); id != scalar.Bool && id != scalar.Unknown {
		b.fail(x.At(), codeType, "the argument of "+where+" must be a condition, not of type "+t.typ.Name, "compare it with something")
	}
	return b.coerce(t, scalar.Bool.Type(), scalar.Implicit)
}

func constant(typ schema.Type, v schema.Value, at int) *term {
	t := &term{op: opConst, typ: typ, val: v, at: at}
	if collatable(&typ) {
		t.coll = byDefault()
	}
	return t
}

func (b *binder) literal(x *syntax.Literal) *term {
	switch x.Kind {
	case syntax.NullLiteral:
		return constant(scalar.Unknown.Type(), schema.Null(), x.At())
	case syntax.BoolLiteral:
		return constant(scalar.Bool.Type(), schema.Bool(x.Text == "TRUE"), x.At())
	case syntax.StringLiteral:
		return constant(scalar.Unknown.Type(), schema.Text([]byte(x.Text)), x.At())
	case syntax.IntegerLiteral:
		if n, err := strconv.ParseInt(x.Text, 10, 64); err == nil {
			return constant(integerType(n).Type(), schema.Int(n), x.At())
		}
	}
	typ := scalar.Numeric.Type()
	v, err := scalar.Parse(&typ, []byte(x.Text))
	if err != nil {
		b.failWith(x.At(), err)
	}
	return constant(typ, v.Clone(), x.At())
}

func integerType(n int64) scalar.ID {
	if n > math.MaxInt32 {
		return scalar.Int8
	}
	return scalar.Int4
}

// coerce gives t the type that its place asks for.
func (b *binder) coerce(t *term, to schema.Type, in scalar.Context) *term {
	if !t.unknown() && scalar.IsSame(t.typ, to) {
		if t.typ.Name == to.Name {
			return t
		}
		next := *t
		next.typ = to
		return &next
	}
	f, err := scalar.Cast(t.typ, to, in)
	if err != nil {
		b.failWith(t.at, err)
	}
	if t.op == opConst && t.val.IsNull() {
		return withText(constant(to, schema.Null(), t.at), t)
	}
	b.refuseZone(t, to)
	cast := &term{op: opCall, typ: to, fn: &f, args: []*term{t}, at: t.at, sql: t.sql}
	cast.coll = resultCollation(&to, t.coll)
	folded := cast.fold()
	if t.unknown() && folded.op != opConst {
		if _, err := f.Eval([]schema.Value{t.val}); err != nil {
			b.failWith(t.at, err)
		}
	}
	return folded
}

func withText(t, from *term) *term {
	t.sql = from.sql
	return t
}

// settled gives a literal without a type the type text.
func (b *binder) settled(t *term) *term {
	if t.unknown() {
		return b.coerce(t, scalar.Text.Type(), scalar.Implicit)
	}
	return t
}

// apply calls a function or operator of package scalar.
func (b *binder) apply(at int, name string, args ...*term) *term {
	types := make([]schema.Type, len(args))
	for i, a := range args {
		types[i] = a.typ
	}
	f, err := scalar.Lookup(name, types)
	if err != nil {
		b.failWith(at, err)
	}
	b.refuseZoned(at, name, args)
	cast := make([]*term, len(args))
	for i, a := range args {
		cast[i] = b.coerce(a, f.Args[i], scalar.Implicit)
	}
	coll := b.mergeAll(cast)
	b.need(f.Needs, coll, at, describe(name))
	b.constantRegex(at, name, &f, cast)
	t := &term{op: opCall, typ: f.Result, fn: &f, args: cast, at: at}
	t.coll = resultCollation(&f.Result, coll)
	return t.fold()
}

// describe names a function or operator in a message.
func describe(name string) string {
	switch name {
	case "~~", "!~~":
		return "LIKE"
	case "~~*", "!~~*":
		return "ILIKE"
	}
	return name
}

func (b *binder) unary(s *scope, x *syntax.Unary) *term {
	if x.Op == "NOT" {
		return b.apply(x.At(), "not", b.condition(s, x.X, "NOT"))
	}
	return b.apply(x.At(), x.Op, b.expr(s, x.X))
}

func (b *binder) binary(s *scope, x *syntax.Binary) *term {
	switch x.Op {
	case "AND":
		return b.connect(opAnd, x.At(), b.condition(s, x.L, "AND"), b.condition(s, x.R, "AND"))
	case "OR":
		return b.connect(opOr, x.At(), b.condition(s, x.L, "OR"), b.condition(s, x.R, "OR"))
	case "IS DISTINCT FROM":
		return b.apply(x.At(), "is distinct from", b.expr(s, x.L), b.expr(s, x.R))
	case "IS NOT DISTINCT FROM":
		return b.apply(x.At(), "is not distinct from", b.expr(s, x.L), b.expr(s, x.R))
	}
	return b.apply(x.At(), x.Op, b.expr(s, x.L), b.expr(s, x.R))
}

// connect is AND or OR of several conditions; nested ones become one.
func (b *binder) connect(o op, at int, list ...*term) *term {
	t := &term{op: o, typ: scalar.Bool.Type(), at: at}
	for _, c := range list {
		if c.op == o {
			t.args = append(t.args, c.args...)
		} else {
			t.args = append(t.args, c)
		}
	}
	return t.fold()
}

func (b *binder) is(s *scope, x *syntax.Is) *term {
	word := "is "
	if x.Not {
		word += "not "
	}
	switch x.Test {
	case "NULL":
		return b.apply(x.At(), word+"null", b.settled(b.expr(s, x.X)))
	case "TRUE":
		return b.apply(x.At(), word+"true", b.condition(s, x.X, "IS TRUE"))
	case "FALSE":
		return b.apply(x.At(), word+"false", b.condition(s, x.X, "IS FALSE"))
	}
	return b.apply(x.At(), word+"unknown", b.condition(s, x.X, "IS UNKNOWN"))
}

func (b *binder) between(s *scope, x *syntax.Between) *term {
	v, low, high := b.expr(s, x.X), b.expr(s, x.Low), b.expr(s, x.High)
	inside := func(low, high *term) *term {
		return b.connect(opAnd, x.At(), b.apply(x.At(), ">=", v, low), b.apply(x.At(), "<=", v, high))
	}
	t := inside(low, high)
	if x.Symmetric {
		t = b.connect(opOr, x.At(), t, inside(high, low))
	}
	return b.negated(x.At(), t, x.Not)
}

func (b *binder) negated(at int, t *term, not bool) *term {
	if !not {
		return t
	}
	return b.apply(at, "not", t)
}

// in binds x IN (list). As Postgres does, it compares with an array of the
// constants' common type if there is one, and one by one otherwise.
func (b *binder) in(s *scope, x *syntax.In) *term {
	v, list := b.expr(s, x.X), b.exprs(s, x.List)
	types := []schema.Type{v.typ}
	for _, e := range list {
		if len(e.columns(nil)) == 0 {
			types = append(types, e.typ)
		}
	}
	common, err := scalar.CommonType(types...)
	var equal []*term
	for _, e := range list {
		if err == nil && len(types) > 2 && len(e.columns(nil)) == 0 {
			e = b.coerce(e, common, scalar.Implicit)
		}
		equal = append(equal, b.apply(x.At(), "=", v, e))
	}
	return b.negated(x.At(), b.connect(opOr, x.At(), equal...), x.Not)
}

func (b *binder) like(s *scope, x *syntax.Like) *term {
	pattern := b.expr(s, x.Pattern)
	if x.Escape != nil {
		pattern = b.apply(x.At(), "like_escape", pattern, b.expr(s, x.Escape))
	}
	return b.apply(x.At(), x.Symbol(), b.expr(s, x.X), pattern)
}

func (b *binder) collate(s *scope, x *syntax.Collate) *term {
	t := *b.settled(b.expr(s, x.X))
	if !collatable(&t.typ) {
		b.fail(x.At(), codeType, "collations are not supported by type "+t.typ.Name, "leave COLLATE out")
	}
	name := x.Name[len(x.Name)-1].Text
	if !exactCollation(name) {
		b.fail(x.At(), codeInexact, librariesCollation(name), mendCollation)
	}
	t.coll = collation{schema.Collation{Name: name, Deterministic: true}, explicit}
	return &t
}

// caseOf binds CASE. With an operand each WHEN is an equality.
func (b *binder) caseOf(s *scope, x *syntax.Case) *term {
	t := &term{op: opCase, at: x.At()}
	otherwise := constant(scalar.Unknown.Type(), schema.Null(), x.At())
	if x.Else != nil {
		otherwise = b.expr(s, x.Else)
	}
	conds, values := []*term{}, []*term{otherwise}
	for _, w := range x.Whens {
		conds = append(conds, b.when(s, x, w.Cond))
		values = append(values, b.expr(s, w.Then))
	}
	values = b.common(x.At(), values)
	for i, c := range conds {
		t.args = append(t.args, c, values[i+1])
	}
	t.args = append(t.args, values[0])
	t.typ, t.coll = values[0].typ, resultCollation(&values[0].typ, b.mergeAll(values))
	return t
}

func (b *binder) when(s *scope, x *syntax.Case, cond syntax.Expr) *term {
	if x.X == nil {
		return b.condition(s, cond, "WHEN")
	}
	return b.apply(cond.At(), "=", b.settled(b.expr(s, x.X)), b.expr(s, cond))
}

// common casts several terms to the type that they share.
func (b *binder) common(at int, list []*term) []*term {
	types := make([]schema.Type, len(list))
	for i, t := range list {
		types[i] = t.typ
	}
	to, err := scalar.CommonType(types...)
	if err != nil {
		b.failWith(at, err)
	}
	out := make([]*term, len(list))
	for i, t := range list {
		out[i] = b.coerce(t, to, scalar.Implicit)
	}
	return out
}
