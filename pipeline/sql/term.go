package sql

import (
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// A colID numbers a column within one query. No two columns share one.
type colID int

// An op is what a term does with its arguments.
type op uint8

const (
	opColumn   op = iota
	opConst       // a value
	opCall        // a function of package scalar
	opAnd         // any number of conditions; stops at the first that is false
	opOr          // stops at the first that is true
	opCase        // condition, value, …, and the value of ELSE
	opCoalesce    // stops at the first that is not NULL
)

// A term is an expression whose names and types are settled. It is immutable.
type term struct {
	op   op
	typ  schema.Type
	coll collation
	col  colID
	val  schema.Value
	fn   *scalar.Func
	args []*term
	at   int    // byte offset in the text
	sql  string // as it was written
}

func (t *term) unknown() bool { return scalar.Identify(&t.typ) == scalar.Unknown }

// same reports whether two terms are one expression, however they were written.
func same(a, b *term) bool {
	if a.op != b.op || len(a.args) != len(b.args) || a.typ.Name != b.typ.Name || a.coll.name() != b.coll.name() {
		return false
	}
	switch a.op {
	case opColumn:
		return a.col == b.col
	case opConst:
		return a.val.Identical(b.val)
	case opCall:
		if !sameFunc(a.fn, b.fn) {
			return false
		}
	}
	return slices.EqualFunc(a.args, b.args, same)
}

func sameFunc(a, b *scalar.Func) bool {
	return a.Name == b.Name && slices.EqualFunc(a.Args, b.Args, func(x, y schema.Type) bool { return x.Name == y.Name })
}

// columns appends the columns of t that are not in dst yet.
func (t *term) columns(dst []colID) []colID {
	if t.op == opColumn && !slices.Contains(dst, t.col) {
		dst = append(dst, t.col)
	}
	for _, a := range t.args {
		dst = a.columns(dst)
	}
	return dst
}

func columnsOf(terms ...*term) []colID {
	var ids []colID
	for _, t := range terms {
		ids = t.columns(ids)
	}
	return ids
}

// within reports whether t uses no columns but these.
func (t *term) within(ids []colID) bool {
	for _, c := range t.columns(nil) {
		if !slices.Contains(ids, c) {
			return false
		}
	}
	return true
}

// replace gives t with what f puts in place of its parts; nil leaves a part as
// it is.
func (t *term) replace(f func(*term) *term) *term {
	if r := f(t); r != nil {
		return r
	}
	if len(t.args) == 0 {
		return t
	}
	next := *t
	next.args = make([]*term, len(t.args))
	for i, a := range t.args {
		next.args[i] = a.replace(f)
	}
	return &next
}

// substitute puts terms in place of columns.
func (t *term) substitute(by map[colID]*term) *term {
	return t.replace(func(x *term) *term {
		if x.op == opColumn {
			return by[x.col]
		}
		return nil
	})
}

// conjuncts appends the conditions that all have to hold for t to hold.
func (t *term) conjuncts(dst []*term) []*term {
	if t.op != opAnd {
		return append(dst, t)
	}
	for _, a := range t.args {
		dst = a.conjuncts(dst)
	}
	return dst
}

// all is the condition that all of list hold.
func all(list []*term) *term {
	if len(list) == 1 {
		return list[0]
	}
	return &term{op: opAnd, typ: scalar.Bool.Type(), args: list, at: list[0].at}
}

// text is t as it was written, or as it would be.
func (t *term) text() string {
	if t.sql != "" {
		return t.sql
	}
	args := make([]string, len(t.args))
	for i, a := range t.args {
		args[i] = a.bracketed()
	}
	switch t.op {
	case opAnd:
		return strings.Join(args, " AND ")
	case opOr:
		return strings.Join(args, " OR ")
	case opConst:
		return string(t.typ.AppendText(nil, t.val))
	case opCall:
		if len(args) == 2 && !isWord(t.fn.Name) {
			return args[0] + " " + t.fn.Name + " " + args[1]
		}
		return t.fn.Name + "(" + strings.Join(args, ", ") + ")"
	}
	return "CASE " + strings.Join(args, ", ") + " END"
}

func isWord(name string) bool { return name[0] == '_' || name[0] >= 'a' && name[0] <= 'z' }

// bracketed is t's text as part of another.
func (t *term) bracketed() string {
	if t.op == opOr || t.op == opAnd {
		return "(" + t.text() + ")"
	}
	return t.text()
}

// isTrue reports whether t is the constant TRUE.
func (t *term) isTrue() bool { return t.op == opConst && scalar.True(t.val) }

// source is the column that t's value settles: t is it, or a cast of it that gives
// different values for different ones.
func (t *term) source() (colID, bool) {
	switch {
	case t.op == opColumn:
		return t.col, true
	case t.op != opCall || len(t.args) != 1 || t.args[0].op != opColumn:
		return 0, false
	case t.fn.Name != scalar.Identify(&t.typ).String() || !widens(&t.args[0].typ, &t.typ):
		return 0, false
	}
	return t.args[0].col, true
}

// widens reports whether the cast from one type to the other loses nothing.
func widens(from, to *schema.Type) bool {
	a, b := scalar.Identify(from), scalar.Identify(to)
	switch a {
	case scalar.Int2:
		return b == scalar.Int4 || b == scalar.Int8 || b == scalar.Numeric
	case scalar.Int4:
		return b == scalar.Int8 || b == scalar.Numeric
	case scalar.Int8:
		return b == scalar.Numeric && to.Precision < 0
	case scalar.Date:
		return b == scalar.Timestamp
	}
	return false
}
