package transform

import (
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
)

// A Filter passes the rows for which a condition is true on, and no others.
//
//	                    the new row fits          it does not
//	read, create        as it is                  left out
//	update              as it is; a create, if    a delete; left out, if the old
//	                    the old row is known      row is known and did not fit
//	                    and did not fit           either
//	delete              as it is; left out, if the old row is known and did not fit
//	truncate            as it is
//
// A condition that names the change (change.op) says nothing of rows: changes for
// which it is true are passed on, a delete by its old row, and others are left
// out.
type Filter struct{ Where Text }

func (f Filter) check() error { return checkExpr(f.Where) }

// Bind implements Step.
func (f Filter) Bind(t *schema.Table) (Bound, error) {
	x, err := sql.CompileCondition(f.Where.Text, "filter", scopeOf(t))
	if err != nil {
		return nil, f.Where.placed(err)
	}
	return &filter{t: t, cond: compiledExpr(x, t, f.Where.Where)}, nil
}

type filter struct {
	t    *schema.Table
	cond *expr
}

// Tables implements Bound.
func (f *filter) Tables() []*schema.Table { return []*schema.Table{f.t} }

// Apply implements Bound.
func (f *filter) Apply(c *pipeline.Change, out *Out) error {
	switch {
	case c.Op == pipeline.Truncate || out.keeps():
		return out.emit(c)
	case f.cond.volatile:
		return f.judge(c, out)
	case c.Op == pipeline.Delete:
		if f.before(c, out) == misses {
			return nil
		}
		return out.emit(c)
	}
	fits, err := f.fits(c, c.After, out)
	if err != nil {
		return err
	}
	if c.Op != pipeline.Update {
		if !fits {
			return nil
		}
		return out.emit(c)
	}
	return f.update(c, fits, out)
}

// judge passes a change on by itself.
func (f *filter) judge(c *pipeline.Change, out *Out) error {
	row := c.After
	if c.Op == pipeline.Delete {
		row = c.Before
	}
	if fits, err := f.fits(c, row, out); err != nil || !fits {
		return err
	}
	return out.emit(c)
}

func (f *filter) update(c *pipeline.Change, fits bool, out *Out) error {
	was := f.before(c, out)
	switch {
	case fits && was == misses:
		next := out.change(c)
		next.Op, next.Before = pipeline.Create, nil
		return out.emit(next)
	case fits:
		return out.emit(c)
	case was == misses:
		return nil
	}
	next := out.change(c)
	next.Op, next.Before, next.After = pipeline.Delete, oldOf(c, out), nil
	return out.emit(next)
}

// oldOf gives the old row of an update as that of a delete: with its key.
func oldOf(c *pipeline.Change, out *Out) schema.Row {
	row := out.row(len(c.After))
	if c.Before != nil {
		copy(row, c.Before)
	} else {
		for i := range row {
			row[i] = schema.Unknown()
		}
	}
	for _, k := range c.Table.Key {
		if !row[k].IsKnown() {
			row[k] = c.After[k]
		}
	}
	return row
}

// What is known of an old row.
type past uint8

const (
	unsure past = iota
	fitted
	misses
)

// before says whether the old row was passed on. One for which the condition has
// no value was not: it would have stopped the table.
func (f *filter) before(c *pipeline.Change, out *Out) past {
	if c.Before == nil {
		return unsure
	}
	if n, _ := gaps(c.Before, f.cond.columns); n > 0 {
		return unsure
	}
	v, err := f.cond.eval(out, c, c.Before)
	switch {
	case err != nil:
		return unsure
	case sql.True(v):
		return fitted
	}
	return misses
}

func (f *filter) fits(c *pipeline.Change, row schema.Row, out *Out) (bool, error) {
	if n, first := gaps(row, f.cond.columns); n > 0 {
		return false, unknown(f.cond.where, f.t, first)
	}
	v, err := f.cond.eval(out, c, row)
	return sql.True(v), err
}
