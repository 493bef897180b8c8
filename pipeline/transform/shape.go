package transform

import (
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A cell makes one column of a row that is made anew.
type cell struct {
	column schema.Column
	from   int   // the column that is passed on as it is; -1: make makes it
	make   maker // what makes it
	keys   int   // the column for which it can stand in a key: different values give different ones; -1: none
}

// A maker makes a value from a row.
type maker interface {
	// reads are the columns that the value depends on; fixed is whether it depends
	// on nothing else.
	reads() (columns []int, fixed bool)
	// value makes it from a row of c of which all that is read is known.
	value(o *Out, c *pipeline.Change, row schema.Row) (schema.Value, error)
	// place is where it stands in the file.
	place() string
}

func (e *expr) reads() ([]int, bool) { return e.columns, !e.volatile }
func (e *expr) place() string        { return e.where }
func (e *expr) value(o *Out, c *pipeline.Change, row schema.Row) (schema.Value, error) {
	return e.eval(o, c, row)
}

// pass is the cell of a column that is passed on.
func passOn(t *schema.Table, i int) cell {
	return cell{column: t.Columns[i], from: i, keys: i}
}

// all are the cells that pass a table on.
func all(t *schema.Table) []cell {
	cells := make([]cell, len(t.Columns))
	for i := range cells {
		cells[i] = passOn(t, i)
	}
	return cells
}

// computed is the cell of an expression; one that is a column passes it on.
func computed(e *expr, width int) cell {
	if e.Plain >= 0 && e.Plain < width {
		return cell{column: e.Column, from: e.Plain, keys: e.Plain}
	}
	return cell{column: e.Column, from: -1, make: e, keys: -1}
}

// A shape makes every row of a table anew, column by column.
//
// A value that is made of values that are all unknown is unknown: they did not
// change, so it did not either, and the newest record of the key has it. One that
// is made of some that are known and some that are not cannot be made. In an old
// row it is unknown in either case, and also if it has no value: nothing depends
// on that.
type shape struct {
	in, out *schema.Table
	cells   []cell
	from    []int // of cells
}

// newShape refuses names that stand twice, and cells that leave out the key.
func newShape(t *schema.Table, cells []cell, where Text) (*shape, error) {
	out := *t
	out.Columns, out.Key = make([]schema.Column, len(cells)), nil
	seen := map[string]bool{}
	for i := range cells {
		name := cells[i].column.Name
		switch {
		case seen[name]:
			return nil, where.wrong(codeColumn, "two columns of table "+t.String()+" would be called "+quote(name), "give one of them another name")
		case name == "":
			return nil, where.wrong(codeColumn, "a column of table "+t.String()+" would have no name", "name it: expression AS name")
		case len(name) > mostName:
			return nil, where.wrong(codeColumn, fmt.Sprintf("a column of table %s would have a name of more than %d bytes", t, mostName), "give it a shorter one")
		}
		seen[name], out.Columns[i] = true, cells[i].column
	}
	for _, k := range t.Key {
		at := slices.IndexFunc(cells, func(c cell) bool { return c.keys == k })
		if at < 0 {
			return nil, where.wrong(codeColumn, "column "+quote(t.Columns[k].Name)+" is part of the key of table "+t.String()+", and would be left out or made anew",
				"keep the column as it is; or choose another key before, with rekey")
		}
		out.Key = append(out.Key, at)
	}
	s := &shape{in: t, out: &out, cells: cells}
	for i := range cells {
		s.from = append(s.from, cells[i].from)
	}
	return s, nil
}

// mostName is the longest name of a column, in bytes, as in Postgres.
const mostName = 63

// Tables implements Bound.
func (s *shape) Tables() []*schema.Table { return []*schema.Table{s.out} }

// Apply implements Bound.
func (s *shape) Apply(c *pipeline.Change, out *Out) (err error) {
	next := out.change(c)
	next.Table, next.Aside = s.out, passed(c, s.from)
	if next.Before, err = s.old(c, next.Aside, out); err != nil {
		return err
	}
	if c.After != nil {
		if next.After, err = s.new(c, next.Aside, out); err != nil {
			return err
		}
	}
	return out.emit(next)
}

func (s *shape) new(c *pipeline.Change, asides *pipeline.Asides, out *Out) (schema.Row, error) {
	row := out.row(len(s.cells))
	for i := range s.cells {
		x := &s.cells[i]
		if x.from >= 0 {
			row[i] = c.After[x.from]
			continue
		}
		v, a, err := s.made(x, c, out)
		if err != nil {
			return nil, err
		}
		if row[i] = v; a != nil {
			asides.After = put(asides.After, i, a)
		}
	}
	return row, nil
}

func (s *shape) made(x *cell, c *pipeline.Change, out *Out) (schema.Value, pipeline.Aside, error) {
	columns, fixed := x.make.reads()
	switch n, first := gaps(c.After, columns); {
	case n == 0:
		return x.value(out, c, false, columns)
	case n == len(columns) && fixed:
		return schema.Unknown(), nil, nil
	default:
		return schema.Value{}, nil, unknown(x.make.place(), s.in, first)
	}
}

// value makes the value of a cell from the old row of a change or its new one, of which
// all that it reads is known.
func (x *cell) value(out *Out, c *pipeline.Change, old bool, columns []int) (schema.Value, pipeline.Aside, error) {
	row := c.After
	if old {
		row = c.Before
	}
	if h, ok := x.make.(hider); ok {
		if a := asideOf(c, old, columns[0]); a != nil {
			return h.hide(out, a, row[columns[0]])
		}
	}
	v, err := x.make.value(out, c, row)
	return v, nil, err
}

// old makes the old row, as far as it is known. What is part of the key has to be.
func (s *shape) old(c *pipeline.Change, asides *pipeline.Asides, out *Out) (schema.Row, error) {
	if c.Before == nil {
		return nil, nil
	}
	row := out.row(len(s.cells))
	for i := range s.cells {
		x := &s.cells[i]
		if x.from >= 0 {
			row[i] = c.Before[x.from]
			continue
		}
		columns, _ := x.make.reads()
		row[i] = schema.Unknown()
		if n, _ := gaps(c.Before, columns); n > 0 {
			continue
		}
		v, a, err := x.value(out, c, true, columns)
		switch {
		case err == nil && a != nil:
			asides.Before = put(asides.Before, i, a)
			fallthrough
		case err == nil:
			row[i] = v
		case s.out.IsKey(i):
			return nil, err
		}
	}
	return row, nil
}

// alike reports whether two tables have the same columns and key.
func alike(a, b *schema.Table) bool {
	return slices.Equal(a.Key, b.Key) && slices.EqualFunc(a.Columns, b.Columns, func(x, y schema.Column) bool {
		return x.Name == y.Name && x.Nullable == y.Nullable && x.Collation == y.Collation && sameType(&x.Type, &y.Type)
	})
}

func sameType(a, b *schema.Type) bool {
	if (a.Elem == nil) != (b.Elem == nil) || a.Elem != nil && !sameType(a.Elem, b.Elem) {
		return false
	}
	x, y := *a, *b
	x.Elem, y.Elem, x.Labels, y.Labels = nil, nil, nil, nil
	return slices.Equal(a.Labels, b.Labels) && fmt.Sprint(x) == fmt.Sprint(y)
}
