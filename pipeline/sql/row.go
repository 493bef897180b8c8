package sql

import (
	"slices"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// A Scope is what the names of an expression over one row mean: the columns of a
// table, with the table's name in front or without, and Extra, which always have
// theirs in front. A row is the values of the table's columns and behind them
// those of Extra.
type Scope struct {
	Table *schema.Table
	Name  string          // of what Extra belongs to
	Extra []schema.Column // their values are never NULL unless they are Nullable
}

// A RowExpr is an expression compiled over a Scope. It is immutable, and may be
// evaluated by any number of goroutines.
type RowExpr struct {
	Column schema.Column // of the result: its name is the alias, or what Postgres would call it
	Plain  int           // the column of the row that the expression is; -1: it is none
	Reads  []int         // the columns of the row that it reads, ascending

	eval evaluator
	text string
}

// Eval gives the value for a row of the Scope. None of the columns that it reads
// may be unknown. The value may share memory with the row. An error is a
// *fault.Error, which holds no value.
func (x *RowExpr) Eval(row schema.Row) (schema.Value, error) { return x.eval(row) }

// String is the expression as it was written.
func (x *RowExpr) String() string { return x.text }

// CompileItem compiles an entry of a SELECT list over one row; * stands for all
// columns of the table. The error is a syntax.Errors.
func CompileItem(text string, s Scope) ([]*RowExpr, error) {
	parsed, err := syntax.ParseItem(text)
	if err != nil {
		return nil, err
	}
	c := newRowCompiler(text, s)
	var out []*RowExpr
	err = c.attempt(func() {
		if star, ok := parsed.X.(*syntax.Star); ok {
			if len(star.Table) > 0 {
				c.binder.table(&c.scope, star.Table)
			}
			for i := range s.Table.Columns {
				out = append(out, c.plain(i))
			}
			return
		}
		name := parsed.Alias.Text
		if name == "" {
			name = figure(parsed.X)
		}
		out = append(out, c.expression(name, c.binder.settled(c.binder.expr(&c.scope, parsed.X))))
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// CompileExpr compiles an expression over one row, whose result is called name.
// The error is a syntax.Errors.
func CompileExpr(text, name string, s Scope) (*RowExpr, error) {
	return compileOne(text, s, func(c *rowCompiler, x syntax.Expr) *RowExpr {
		return c.expression(name, c.binder.settled(c.binder.expr(&c.scope, x)))
	})
}

// CompileCondition compiles an expression that is true, false or NULL. what is
// the clause that it stands in, for messages. The error is a syntax.Errors.
func CompileCondition(text, what string, s Scope) (*RowExpr, error) {
	return compileOne(text, s, func(c *rowCompiler, x syntax.Expr) *RowExpr {
		return c.expression(what, c.binder.condition(&c.scope, x, what))
	})
}

func compileOne(text string, s Scope, compile func(*rowCompiler, syntax.Expr) *RowExpr) (out *RowExpr, err error) {
	parsed, err := syntax.ParseExpr(text)
	if err != nil {
		return nil, err
	}
	c := newRowCompiler(text, s)
	if err := c.attempt(func() { out = compile(c, parsed) }); err != nil {
		return nil, err
	}
	return out, nil
}

// A rowCompiler binds expressions over one row. Column i of the row has the
// number i.
type rowCompiler struct {
	binder *binder
	scope  scope
	given  Scope
	at     layout
}

func newRowCompiler(text string, s Scope) *rowCompiler {
	q := &query{enums: map[string]schema.Type{}}
	c := &rowCompiler{binder: &binder{q: q, text: text, where: "an expression over one row"}, given: s, at: layout{}}
	own := &named{name: s.Table.Name, path: []string{s.Table.Schema, s.Table.Name}}
	extra := &named{name: s.Name}
	add := func(to *named, col *schema.Column) {
		q.noteEnum(&col.Type)
		id := q.newColumn(column{name: col.Name, typ: col.Type, coll: stored(col), nullable: col.Nullable})
		c.at[id] = int(id)
		to.columns = append(to.columns, visible{col.Name, id})
	}
	for i := range s.Table.Columns {
		add(own, &s.Table.Columns[i])
	}
	for i := range s.Extra {
		add(extra, &s.Extra[i])
	}
	c.scope = scope{tables: []*named{extra, own}, columns: own.columns}
	return c
}

func (c *rowCompiler) attempt(f func()) error {
	c.binder.attempt(f)
	if len(c.binder.faults) > 0 {
		return c.binder.faults
	}
	return nil
}

func (c *rowCompiler) expression(name string, t *term) *RowExpr {
	x := &RowExpr{Column: t.column(name, c.binder.q.nullable(t)), Plain: -1, eval: t.compile(c.at), text: t.text()}
	if t.op == opColumn {
		x.Plain = int(t.col)
		x.Column = c.column(x.Plain)
		x.Column.Name = name
	}
	for _, id := range t.columns(nil) {
		x.Reads = append(x.Reads, int(id))
	}
	slices.Sort(x.Reads)
	return x
}

// column is that of the row as it was given: a plain reference keeps all of it.
func (c *rowCompiler) column(i int) schema.Column {
	if own := len(c.given.Table.Columns); i >= own {
		return c.given.Extra[i-own]
	}
	return c.given.Table.Columns[i]
}

func (c *rowCompiler) plain(i int) *RowExpr {
	name := c.given.Table.Columns[i].Name
	return c.expression(name, c.binder.q.ref(colID(i), 0, syntax.Quote(name)))
}

// True reports whether a condition's value is true; NULL is not.
func True(v schema.Value) bool { return scalar.True(v) }
