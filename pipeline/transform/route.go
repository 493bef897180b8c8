package transform

import (
	"bytes"
	"errors"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
)

// A Route sends each row to the topic of a table that an expression names:
// table, or schema.table. The names that may come out are said beforehand, so that
// topics are made, owned, and known to views, before the first row.
//
//	read, create   to the table of the row
//	update         the same, if the old row was there as well; else a delete in the
//	               old one's table and a create in the new one's. What the expression
//	               names must be known of the old row, unless it is part of the key
//	delete         in the table of the old row
//	truncate       in all that are named
//
// An expression may name change.schema and change.table, and nothing else of the
// change: a row must be found again where it was put.
type Route struct {
	To     Text
	Tables []Name                          // that are made at once
	Allows func(schema, table string) bool // others that may be made; nil: none
	Most   int                             // of all of them
}

// A Name is that of a table.
type Name struct{ Schema, Table string }

func (r Route) reaches() ([]Name, func(schema, table string) bool) { return r.Tables, r.Allows }

func (r Route) check() error { return checkExpr(r.To) }

// Bind implements Step.
func (r Route) Bind(t *schema.Table) (Bound, error) {
	x, err := sql.CompileExpr(r.To.Text, "route", scopeOf(t))
	if err != nil {
		return nil, r.To.placed(err)
	}
	if x.Column.Type.Kind != schema.KindText {
		return nil, r.To.wrong(codeColumn, "the route has type "+x.Column.Type.Name+" and is no name", "write a text, or cast it: (…)::text")
	}
	e := compiledExpr(x, t, r.To.Where)
	for _, c := range x.Reads {
		if f := c - len(t.Columns); f >= 0 && f != fieldSchema && f != fieldTable {
			return nil, r.To.wrong(codeColumn, "the route depends on change."+fieldNames()[f]+": a later change of the row would not find it", "name columns, change.schema and change.table alone")
		}
	}
	b := &route{t: t, to: e, router: newRouter(t, r.To.Where)}
	b.allows, b.most = r.Allows, r.Most
	b.shut = &rowFault{code: codeRoute, where: r.To.Where, what: "a row would go to a table that topics does not name", mend: "add it to topics, or filter such rows out before"}
	for _, n := range r.Tables {
		b.know(n.Schema, n.Table)
	}
	return b, nil
}

type route struct {
	*router
	t  *schema.Table
	to *expr
}

// Tables implements Bound.
func (r *route) Tables() []*schema.Table { return r.tables }

// Apply implements Bound.
func (r *route) Apply(c *pipeline.Change, out *Out) error {
	switch c.Op {
	case pipeline.Truncate:
		return r.truncate(c, out)
	case pipeline.Delete:
		if n, _ := gaps(c.Before, r.to.columns); n > 0 {
			return oldRow(r.where, "a delete needs the columns that the route depends on")
		}
		return r.send(c, c.Before, out)
	case pipeline.Update:
		return r.update(c, out)
	}
	return r.send(c, c.After, out)
}

func (r *route) update(c *pipeline.Change, out *Out) error {
	now, err := r.of(c, c.After, out)
	if err != nil {
		return err
	}
	old, err := r.before(c, now, out)
	if err != nil {
		return err
	}
	next := out.change(c)
	next.Table = now
	if old == now {
		return out.emit(next)
	}
	next.Table, next.Op, next.Before, next.After = old, pipeline.Delete, oldOf(c, out), nil
	if err := out.emit(next); err != nil {
		return err
	}
	next = out.change(c)
	next.Table, next.Op, next.Before = now, pipeline.Create, nil
	return out.emit(next)
}

// before gives the table of the old row. One that is known no further than its
// key, which did not change, went where the new one goes if nothing else counts.
func (r *route) before(c *pipeline.Change, now *schema.Table, out *Out) (*schema.Table, error) {
	if c.Before != nil {
		if n, _ := gaps(c.Before, r.to.columns); n == 0 {
			return r.of(c, c.Before, out)
		}
	}
	for _, i := range r.to.columns {
		if !r.t.IsKey(i) {
			return nil, oldRow(r.where, "an update needs the columns that the route depends on as they were")
		}
	}
	if c.Before == nil {
		return now, nil
	}
	return r.of(c, oldOf(c, out), out)
}

func (r *route) send(c *pipeline.Change, row schema.Row, out *Out) error {
	t, err := r.of(c, row, out)
	if err != nil {
		return err
	}
	next := out.change(c)
	next.Table = t
	return out.emit(next)
}

// of gives the table of a row.
func (r *route) of(c *pipeline.Change, row schema.Row, out *Out) (*schema.Table, error) {
	if n, first := gaps(row, r.to.columns); n > 0 {
		return nil, unknown(r.where, r.t, first)
	}
	v, err := r.to.eval(out, c, row)
	if err != nil {
		return nil, err
	}
	if v.IsNull() {
		return nil, r.shut
	}
	space, name := []byte(r.t.Schema), v.Ref()
	if i := bytes.IndexByte(name, '.'); i >= 0 {
		space, name = name[:i], name[i+1:]
	}
	t, err := r.router.to(space, name, out)
	if err == nil && t == nil {
		err = errors.New("a route leads nowhere") // never: to gives one or the other
	}
	return t, err
}
