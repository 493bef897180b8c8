package sql

import (
	"fmt"
	"sync"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// An evaluator gives the value of a term for a row.
type evaluator func(row schema.Row) (schema.Value, error)

// A compiled term is an expression of a plan.
type compiled struct {
	eval evaluator
	text string
	form string // says the same of two expressions that do the same, see canonical
}

// Eval gives the value for row.
func (c *compiled) Eval(row schema.Row) (schema.Value, error) { return c.eval(row) }

// String is the expression as it was written.
func (c *compiled) String() string { return c.text }

// expression compiles t for rows whose columns lie at these places.
func (t *term) expression(at layout) dataflow.Expr {
	return &compiled{eval: t.compile(at), text: t.text(), form: t.form(at)}
}

// A layout says where the columns of a row lie.
type layout map[colID]int

func (t *term) compile(at layout) evaluator {
	switch t.op {
	case opColumn:
		place, ok := at[t.col]
		if !ok {
			panic(fmt.Sprintf("sql: column %d, %s, is not there", t.col, t.sql))
		}
		return func(row schema.Row) (schema.Value, error) { return row[place], nil }
	case opConst:
		value := t.val
		return func(schema.Row) (schema.Value, error) { return value, nil }
	}
	args := make([]evaluator, len(t.args))
	for i, a := range t.args {
		args[i] = a.compile(at)
	}
	switch t.op {
	case opAnd:
		return connect(args, false)
	case opOr:
		return connect(args, true)
	case opCase:
		return choose(args)
	case opCoalesce:
		return firstKnown(args)
	}
	return call(t.fn, args)
}

// connect is AND and OR: it stops at the first argument that settles the answer.
func connect(args []evaluator, settles bool) evaluator {
	return func(row schema.Row) (schema.Value, error) {
		answer := schema.Bool(!settles)
		for _, a := range args {
			v, err := a(row)
			switch {
			case err != nil:
				return v, err
			case v.IsNull():
				answer = v
			case v.Bool() == settles:
				return v, nil
			}
		}
		return answer, nil
	}
}

func choose(args []evaluator) evaluator {
	return func(row schema.Row) (schema.Value, error) {
		for i := 0; i+1 < len(args); i += 2 {
			v, err := args[i](row)
			if err != nil {
				return v, err
			}
			if scalar.True(v) {
				return args[i+1](row)
			}
		}
		return args[len(args)-1](row)
	}
}

func firstKnown(args []evaluator) evaluator {
	return func(row schema.Row) (v schema.Value, err error) {
		for _, a := range args {
			if v, err = a(row); err != nil || !v.IsNull() {
				return v, err
			}
		}
		return v, nil
	}
}

// call evaluates all arguments. Their places are pooled, because a function's
// arguments escape and a row has many.
func call(fn *scalar.Func, args []evaluator) evaluator {
	pool := &sync.Pool{New: func() any { return &[]schema.Value{} }}
	return func(row schema.Row) (schema.Value, error) {
		values := pool.Get().(*[]schema.Value)
		defer pool.Put(values)
		*values = (*values)[:0]
		for _, a := range args {
			v, err := a(row)
			if err != nil {
				return v, err
			}
			*values = append(*values, v)
		}
		return fn.Eval(*values)
	}
}

// fold works t out now if it depends on no column. What has no value, as 1/0, is
// left as it is: it may never be asked for.
func (t *term) fold() *term {
	for _, a := range t.args {
		if a.op != opConst {
			return t
		}
	}
	if t.op == opColumn || t.op == opConst {
		return t
	}
	v, err := t.compile(nil)(nil)
	if err != nil {
		return t
	}
	next := *t
	next.op, next.val, next.args, next.fn = opConst, v.Clone(), nil, nil
	return &next
}
