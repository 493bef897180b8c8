package sql

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// A binder settles the names and types of one text: the view's own, or that of a
// view it reads. What belongs to the whole query is in q.
type binder struct {
	q      *query
	text   string
	ctes   []cte // in scope, the innermost last
	faults syntax.Errors

	aggs  *aggregation // of the SELECT that is being bound; nil: aggregates are not allowed here
	where string       // the clause that is being bound, for messages
}

// A query is what all texts of one view share.
type query struct {
	catalog Catalog
	columns []column // by colID
	inputs  []*input
	views   []string // that are being expanded, the outermost first
	scans   int
	enums   map[string]schema.Type // of the tables that are read, by name
	depends []string               // texts of the views that were expanded, for the hash
}

// An input is a table that is read, once or more often.
type input struct {
	source string
	table  *schema.Table
	used   []bool // by column
}

// A cte is a query of WITH.
type cte struct {
	name  string
	def   *syntax.CTE
	outer int // how many queries of WITH it may name itself
}

func (q *query) newColumn(c column) colID {
	q.columns = append(q.columns, c)
	return colID(len(q.columns) - 1)
}

// newTerm numbers the result of a term.
func (q *query) newTerm(name string, t *term) colID {
	return q.newColumn(column{name: name, typ: t.typ, coll: t.coll, nullable: q.nullable(t)})
}

// nullable reports whether t may be NULL, as far as is easily known.
func (q *query) nullable(t *term) bool {
	switch t.op {
	case opColumn:
		return q.columns[t.col].nullable
	case opConst:
		return t.val.IsNull()
	case opCoalesce:
		for _, a := range t.args {
			if !q.nullable(a) {
				return false
			}
		}
	}
	return true
}

// ref is a reference to a column.
func (q *query) ref(id colID, at int, sql string) *term {
	c := &q.columns[id]
	coll := c.coll
	if coll.strength == explicit {
		coll.strength = implicit
	}
	return &term{op: opColumn, col: id, typ: c.typ, coll: coll, at: at, sql: sql}
}

// A halt ends the binding of a part; attempt catches it.
type halt struct {
	fault *fault // nil: what was noted before is reason enough
	in    *binder
}

func (b *binder) fail(at int, code pipeline.Code, what, mend string) {
	panic(halt{&fault{at: at, code: code, what: what, mend: mend}, b})
}

// attempt runs f and notes what stops it, so that the other parts of a query are
// bound too.
func (b *binder) attempt(f func()) {
	defer func() {
		thrown := recover()
		h, ok := thrown.(halt)
		switch {
		case ok && h.fault != nil:
			b.note(h)
		case thrown != nil && !ok:
			panic(thrown)
		}
	}()
	f()
}

// note keeps a refusal, in the order of the text. One of the text of a view that
// is read names its place there.
func (b *binder) note(h halt) {
	e := h.fault.in(h.in.text)
	if h.in.text != b.text {
		what := fmt.Sprintf("a view that is read here is refused, at %d:%d of its text: %s", e.Line, e.Column, e.What)
		e = syntax.Fault(b.text, 0, e.Code, what, e.Mend)
	}
	b.faults = append(b.faults, e)
	slices.SortStableFunc(b.faults, func(x, y *syntax.Error) int { return cmp.Compare(x.Offset, y.Offset) })
}

// giveUp ends the binding if something was refused.
func (b *binder) giveUp() {
	if len(b.faults) > 0 {
		panic(halt{})
	}
}

// failWith refuses what package scalar refused.
func (b *binder) failWith(at int, err error) {
	var r *scalar.Refused
	if errors.As(err, &r) {
		b.fail(at, codeInexact, r.Name+": "+r.Why, r.Mend)
	}
	b.fail(at, codeType, err.Error(), "")
}
