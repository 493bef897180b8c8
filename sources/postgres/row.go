package postgres

import (
	"errors"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

func (a *assembler) row(kind pgoutput.Kind, r *pgoutput.Row, place lsn) error {
	if a.leftOut() || a.skip {
		return nil
	}
	if err := a.makeRoom(); err != nil {
		return err
	}
	return a.orHalt(r.Relation, a.changeOf(kind, r, place))
}

// changeOf makes the change of a row, if its table is captured.
func (a *assembler) changeOf(kind pgoutput.Kind, r *pgoutput.Row, place lsn) error {
	s, err := a.resolve(r.Relation)
	if s == nil || err != nil {
		return err
	}
	op := pipeline.Create
	switch kind {
	case pgoutput.Update:
		op = pipeline.Update
	case pgoutput.Delete:
		op = pipeline.Delete
	}
	c, err := a.change(s, op, place)
	if err != nil {
		return err
	}
	if r.OldKind != pgoutput.OldNone {
		if c.Before, err = a.tuple(s, c, true, r.Old, r.OldKind == pgoutput.OldKey); err != nil {
			return err
		}
	}
	if op != pipeline.Delete {
		if c.After, err = a.tuple(s, c, false, r.New, false); err != nil {
			return err
		}
	}
	if c.Before != nil && c.After != nil {
		fillUnknown(c)
	}
	return a.changed(s, a.xid, c)
}

// fillUnknown takes values that were not sent, because they are as before, from
// the old row: all of it, or its key (P13).
func fillUnknown(c *pipeline.Change) {
	for i := range c.After {
		if c.After[i].IsKnown() {
			continue
		}
		c.After[i] = c.Before[i]
		if c.Aside != nil && c.Aside.Before != nil && c.Aside.Before[i] != nil {
			c.SetAside(false, i, c.Aside.Before[i])
		}
	}
}

// tuple reads the values of a row of c, its old one or its new one. In an old row of
// key columns only, the others are sent as NULL and are not known.
func (a *assembler) tuple(s *shape, c *pipeline.Change, old bool, cols []pgoutput.Column, keyOnly bool) (schema.Row, error) {
	if len(cols) != len(s.codecs) {
		return nil, fmt.Errorf("%s: a row has %d columns instead of %d", s.table, len(cols), len(s.codecs))
	}
	a.reader.Arena = &a.out.Bytes
	row := a.out.Rows.Row(len(cols))
	for i := range cols {
		var err error
		switch kind := cols[i].Kind; {
		case len(cols[i].Data) == standBytes && a.asides.is(cols[i].Data) != nil:
			row[i], err = a.large(s, c, old, i, &cols[i])
		case kind == pgoutput.Text:
			row[i], err = a.reader.Text(s.codecs[i], cols[i].Data)
		case kind == pgoutput.Binary:
			row[i], err = a.binary(s, i, cols[i].Data)
		case kind == pgoutput.Unchanged:
			row[i] = schema.Unknown()
		default:
			row[i] = schema.Null()
			if keyOnly && !s.table.IsKey(i) {
				row[i] = schema.Unknown()
			}
		}
		if err != nil {
			return nil, a.config.stoppedAt(s, valueError(s, i, err))
		}
	}
	return row, nil
}

// large reads a value that was set aside.
func (a *assembler) large(s *shape, c *pipeline.Change, old bool, col int, sent *pgoutput.Column) (schema.Value, error) {
	binary := sent.Kind == pgoutput.Binary
	f := field{
		codec: s.codecs[col], binary: binary,
		whole: s.table.IsKey(col) || binary && !s.codecs[col].HasBinary(), invalid: a.reader.Invalid, reader: &a.reader,
		read: func(data []byte) (schema.Value, error) {
			if binary {
				return a.binary(s, col, data)
			}
			return a.reader.Text(s.codecs[col], data)
		},
	}
	return a.asides.largeOf(a.out, c, old, col, a.asides.is(sent.Data), f)
}

// binary reads a value in binary form, by help of the server if need be.
func (a *assembler) binary(s *shape, col int, b []byte) (schema.Value, error) {
	if s.codecs[col].HasBinary() {
		return a.reader.Binary(s.codecs[col], b)
	}
	text, err := a.ask(s, col, b)
	if err != nil {
		return schema.Value{}, err
	}
	return a.reader.Text(s.codecs[col], text)
}

// valueError names table and column, and never the value.
func valueError(s *shape, col int, err error) error {
	if pipeline.CodeOf(err) != "" {
		return err
	}
	r := &pipeline.Refusal{
		Code: CodeValue, Where: s.table.String(), What: "column " + s.table.Columns[col].Name + " " + s.table.Columns[col].Type.Name + " cannot be read", Err: err,
		Mend: "exclude the table, and report this with the server's version",
	}
	if errors.As(err, new(pgvalue.ShapeError)) {
		r.Code, r.What = CodeArrayShape, "column "+s.table.Columns[col].Name+" holds a value that is not kept"
		r.Mend = "overrides: {" + s.table.String() + ": {arrays: text}} # below the source\nor store arrays of one dimension that begin at 1"
	}
	return r
}

// stoppedAt adds the copy to what mends a value that cannot be kept: the table has
// stopped, and stays so.
func (c *Config) stoppedAt(s *shape, err error) error {
	var r *pipeline.Refusal
	if errors.As(err, &r) && r.Code == CodeArrayShape {
		r.Mend += "\nand then: " + c.copyAgain(pgsql.TableName{Schema: s.table.Schema, Name: s.table.Name})
	}
	return err
}

// truncate is one change per captured table (P19).
func (a *assembler) truncate(relations []uint32, place lsn) error {
	for _, id := range relations {
		if a.leftOut() || a.skip {
			continue
		}
		if err := a.makeRoom(); err != nil {
			return err
		}
		if err := a.orHalt(id, a.truncation(id, place)); err != nil {
			return err
		}
	}
	return nil
}

func (a *assembler) truncation(id uint32, place lsn) error {
	s, err := a.resolve(id)
	if s == nil || err != nil {
		return err
	}
	c, err := a.change(s, pipeline.Truncate, place)
	if err != nil {
		return err
	}
	return a.changed(s, a.xid, c)
}
