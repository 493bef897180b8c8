package transform

import (
	"errors"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/pipeline/transform/sandbox"
	"github.com/evertdb/evert/schema"
)

// A Script is a function transform(row) in Starlark that changes a row, or leaves
// it out by returning None. It sees nothing but the row, so that an old row and a
// new one are judged alike; see package sandbox for its bounds.
//
//	read, create   what the script makes of the row, or nothing
//	update         the same of both rows; a create, if the old one is known and was
//	               left out; a delete, if the new one is left out
//	delete         of what the script makes of the old row, or of the key alone
//	truncate       as it is
//
// A column that the script names must be known of the new row. The key cannot be
// changed.
type Script struct {
	Code    Text
	Columns []Named // new ones, with their types
	Steps   int     // that it may take for a row; 100,000 if 0
	Bytes   int     // that it may make for a row; 1 MiB if 0
}

func (s Script) limits() sandbox.Limits {
	l := sandbox.Limits{Steps: uint64(s.Steps), Bytes: int64(s.Bytes)}
	if l.Steps == 0 {
		l.Steps = 100_000
	}
	if l.Bytes == 0 {
		l.Bytes = 1 << 20
	}
	return l
}

func (s Script) check() error {
	_, err := s.compile()
	return err
}

func (s Script) compile() (*sandbox.Program, error) {
	p, err := sandbox.Compile(s.Code.Text, s.limits())
	var e *sandbox.Error
	if errors.As(err, &e) {
		what := e.What
		if e.Kind == sandbox.Failed {
			what = "the script fails here before it sees a row"
		}
		return nil, s.Code.at(e.Line, e.Column, codeScript, what, "write Starlark with a function transform(row) that returns row or None")
	}
	return p, err
}

// Bind implements Step.
func (s Script) Bind(t *schema.Table) (Bound, error) {
	p, err := s.compile()
	if err != nil {
		return nil, err
	}
	cells := all(t)
	for _, n := range s.Columns {
		x, err := sql.CompileExpr("NULL::"+n.Text.Text, n.Name, scopeOf(t))
		if err != nil {
			return nil, n.wrong(codeColumn, "column "+quote(n.Name)+" has no type of Postgres: "+firstFault(err), "write one, as text, integer or numeric(10,2)")
		}
		c := x.Column
		c.Nullable = true
		cells = append(cells, cell{column: c, from: -1, keys: -1})
	}
	shape, err := newShape(t, cells, s.Code)
	if err != nil {
		return nil, err
	}
	b := &script{in: t, out: shape.out, program: p, code: s.Code, shape: sandbox.NewShape(shape.out, len(t.Columns))}
	for i := range t.Columns {
		if p.Mentions(t.Columns[i].Name) {
			b.columns = append(b.columns, i)
		}
	}
	return b, nil
}

type script struct {
	in, out *schema.Table
	program *sandbox.Program
	shape   *sandbox.Shape
	columns []int // that it names
	code    Text
}

// Tables implements Bound.
func (s *script) Tables() []*schema.Table { return []*schema.Table{s.out} }

// Apply implements Bound.
func (s *script) Apply(c *pipeline.Change, out *Out) error {
	next := out.change(c)
	next.Table = s.out
	if c.Op == pipeline.Truncate {
		return out.emit(next)
	}
	before, was := s.before(c, out)
	if c.Op == pipeline.Delete {
		if was == misses {
			return nil
		}
		next.Before = before
		return out.emit(next)
	}
	if n, first := gaps(c.After, s.columns); n > 0 {
		return unknown(s.code.Where, s.in, first)
	}
	after, err := s.program.Run(s.shape, c.After)
	if err != nil {
		return s.fault(err)
	}
	next.Before, next.After = before, after
	switch {
	case c.Op != pipeline.Update && after == nil, after == nil && was == misses:
		return nil
	case after == nil:
		next.Op, next.Before = pipeline.Delete, s.keyed(before, c, out)
	case was == misses:
		next.Op, next.Before = pipeline.Create, nil
	}
	return out.emit(next)
}

// before gives what was made of the old row, and whether anything was. Where that
// cannot be known it is the key alone: nothing else of it may be shown as it is.
func (s *script) before(c *pipeline.Change, out *Out) (schema.Row, past) {
	if c.Before == nil {
		return nil, unsure
	}
	if n, _ := gaps(c.Before, s.columns); n == 0 {
		row, err := s.program.Run(s.shape, c.Before)
		switch {
		case err == nil && row == nil:
			return nil, misses
		case err == nil:
			return row, fitted
		}
	}
	return s.keyOf(c.Before, out), unsure
}

// keyOf is a row of which the key alone is known.
func (s *script) keyOf(from schema.Row, out *Out) schema.Row {
	row := out.row(len(s.out.Columns))
	for i := range row {
		row[i] = schema.Unknown()
	}
	for _, k := range s.out.Key {
		row[k] = from[k]
	}
	return row
}

// keyed is an old row with its key known, for a delete.
func (s *script) keyed(before schema.Row, c *pipeline.Change, out *Out) schema.Row {
	if before == nil {
		return s.keyOf(c.After, out)
	}
	for _, k := range s.out.Key {
		if !before[k].IsKnown() {
			before[k] = c.After[k]
		}
	}
	return before
}

// fault is the refusal of a row at the script's line.
func (s *script) fault(err error) error {
	var e *sandbox.Error
	if !errors.As(err, &e) {
		return err
	}
	f := &rowFault{code: codeScript, what: e.What, mend: "mend the script, or filter such rows out before"}
	if e.Kind == sandbox.TooLong || e.Kind == sandbox.TooLarge {
		f.code, f.mend = codeLimit, "max_steps and max_bytes below script bound it; make it do less, or raise them"
	}
	var r *pipeline.Refusal
	if errors.As(s.code.at(e.Line, e.Column, f.code, e.What, f.mend), &r) {
		f.where = r.Where
	}
	return f
}
