package sql

import (
	"errors"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

func (i *inspector) exprs(list []syntax.Expr) {
	for _, x := range list {
		i.expr(x)
	}
}

// expr looks at an expression and all in it; nil is none.
func (i *inspector) expr(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.Call:
		i.call(x)
	case *syntax.Binary:
		i.never(x.At(), x.Op, 2)
		i.regex(x.Op, []syntax.Expr{x.L, x.R})
	case *syntax.Unary:
		i.never(x.At(), x.Op, 1)
	case *syntax.Collate:
		i.collate(x)
	}
	i.exprs(operands(x))
}

// operands are the expressions right below one.
func operands(x syntax.Expr) []syntax.Expr {
	switch x := x.(type) {
	case *syntax.Call:
		return callOperands(x)
	case *syntax.Case:
		return caseOperands(x)
	case *syntax.Cast:
		return []syntax.Expr{x.X}
	case *syntax.Unary:
		return []syntax.Expr{x.X}
	case *syntax.Binary:
		return []syntax.Expr{x.L, x.R}
	case *syntax.Is:
		return []syntax.Expr{x.X}
	case *syntax.Between:
		return []syntax.Expr{x.X, x.Low, x.High}
	case *syntax.In:
		return append([]syntax.Expr{x.X}, x.List...)
	case *syntax.Like:
		return []syntax.Expr{x.X, x.Pattern, x.Escape}
	case *syntax.Quantified:
		return []syntax.Expr{x.X, x.Array}
	case *syntax.Collate:
		return []syntax.Expr{x.X}
	case *syntax.Array:
		return x.Elems
	case *syntax.Index:
		return []syntax.Expr{x.X, x.I}
	}
	return nil
}

func callOperands(x *syntax.Call) []syntax.Expr {
	list := append([]syntax.Expr{x.Filter}, x.Args...)
	for _, o := range x.Order {
		list = append(list, o.X)
	}
	return list
}

func caseOperands(x *syntax.Case) []syntax.Expr {
	list := []syntax.Expr{x.X, x.Else}
	for _, w := range x.Whens {
		list = append(list, w.Cond, w.Then)
	}
	return list
}

func (i *inspector) call(x *syntax.Call) {
	name := x.Name[len(x.Name)-1].Text
	if len(x.Name) > 1 && x.Name[0].Text != "pg_catalog" {
		i.fail(x.At(), syntax.CodeUnsupported, foreignFunction(x), mendForeign)
		return
	}
	if x.Syntax == syntax.Plain && isAggregate(name) {
		if _, ok := aggregateNamed(name); !ok {
			i.fail(x.At(), syntax.CodeUnsupported, noAggregate(name), mendAggregate)
		}
		return
	}
	if i.never(x.At(), name, len(x.Args)) {
		return
	}
	if !scalar.Known(name) && x.Syntax != syntax.KeywordSyntax && !castCall(x, name) {
		i.fail(x.At(), codeType, "function "+name+" does not exist", "")
		return
	}
	i.regex(name, x.Args)
}

// castCall reports whether a call is a cast in the form of a function.
func castCall(x *syntax.Call, name string) bool {
	_, err := scalar.Named(name)
	return err == nil && len(x.Args) == 1
}

// never refuses a function or operator that is refused for arguments of any
// types.
func (i *inspector) never(at int, name string, args int) bool {
	r := scalar.RefusalOf(name, sameTypes(scalar.Unknown, args))
	if r != nil {
		i.fail(at, codeInexact, r.Name+": "+r.Why, r.Mend)
	}
	return r != nil
}

func sameTypes(id scalar.ID, n int) []schema.Type {
	types := make([]schema.Type, n)
	for i := range types {
		types[i] = id.Type()
	}
	return types
}

func (i *inspector) collate(x *syntax.Collate) {
	if name := x.Name[len(x.Name)-1].Text; !exactCollation(name) {
		i.fail(x.At(), codeInexact, librariesCollation(name), mendCollation)
	}
}

// regex looks at a regular expression that is written as a constant.
func (i *inspector) regex(name string, args []syntax.Expr) {
	if !takesRegex(name, len(args)) {
		return
	}
	f, err := scalar.Lookup(name, sameTypes(scalar.Text, len(args)))
	if _, constant := textOf(args[1]); err != nil || !constant {
		return
	}
	probe := make([]schema.Value, len(args))
	for n, x := range args {
		probe[n] = schema.Text([]byte{})
		if text, ok := textOf(x); ok && n > 0 {
			probe[n] = schema.Text([]byte(text))
		}
	}
	var e *scalar.Error
	if _, err := f.Eval(probe); errors.As(err, &e) {
		i.fail(args[1].At(), regexCode(e), e.Text, mendRegex)
	}
}

// textOf gives a constant that is written as a text.
func textOf(x syntax.Expr) (text string, ok bool) {
	l, ok := x.(*syntax.Literal)
	if !ok || l.Kind != syntax.StringLiteral {
		return "", false
	}
	return l.Text, true
}
