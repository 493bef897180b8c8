package transform

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// An Unnest makes of each row one for each element of a list: an array, or an
// array of JSON. The key is extended by the element's number, from 1. NULL is an
// empty list.
//
//	read, create   a create of each element
//	update         an update of each element that was there and is, a create of
//	               those behind, a delete of those that are there no more; needs the
//	               old list
//	delete         a delete of each element; needs the old list
//	truncate       as it is
type Unnest struct {
	Column  Text
	As      string // the column of the element; that of the list if empty
	Ordinal string // the column of the number; <column>_ordinal if empty
	Most    int    // elements of one row; a longer list stops the table; 0: 10,000
}

// Bind implements Step.
func (u Unnest) Bind(t *schema.Table) (Bound, error) {
	at, err := u.Column.column(t)
	if err != nil {
		return nil, err
	}
	typ := t.Columns[at].Type
	switch {
	case t.IsKey(at):
		return nil, u.Column.wrong(codeColumn, "column "+quote(u.Column.Text)+" is part of the key of table "+t.String(), "choose another key before, with rekey")
	case typ.Kind == schema.KindArray && typ.Elem != nil:
		typ = *typ.Elem
	case typ.Kind != schema.KindJSON:
		return nil, u.Column.wrong(codeColumn, "column "+quote(u.Column.Text)+" of table "+t.String()+" has type "+typ.Name+", which is no list", "name a column of an array's type, json or jsonb")
	}
	cells := all(t)
	cells[at].column.Type, cells[at].column.Nullable = typ, true
	if u.As != "" {
		cells[at].column.Name = u.As
	}
	ordinal := u.Ordinal
	if ordinal == "" {
		ordinal = u.Column.Text + "_ordinal"
	}
	cells = append(cells, cell{column: schema.Column{Name: ordinal, Type: scalar.Int4.Type()}, from: -1, keys: -1})
	s, err := newShape(t, cells, u.Column)
	if err != nil {
		return nil, err
	}
	s.out.Key = append(s.out.Key, len(cells)-1)
	most := u.Most
	if most == 0 {
		most = 10_000
	}
	return &unnest{in: t, out: s.out, at: at, most: most, where: u.Column.Where}, nil
}

type unnest struct {
	in, out  *schema.Table
	at, most int
	where    string
	old, new []schema.Value // the elements, from call to call
}

// Tables implements Bound.
func (u *unnest) Tables() []*schema.Table { return []*schema.Table{u.out} }

// Apply implements Bound.
func (u *unnest) Apply(c *pipeline.Change, out *Out) (err error) {
	if c.Op == pipeline.Truncate {
		next := out.change(c)
		next.Table = u.out
		return out.emit(next)
	}
	u.old, u.new = u.old[:0], u.new[:0]
	if c.Op == pipeline.Update || c.Op == pipeline.Delete {
		if c.Before == nil || !c.Before[u.at].IsKnown() {
			return oldRow(u.where, "how many elements there were has to be known of an update or delete")
		}
		if u.old, err = u.elements(u.old, c.Before[u.at]); err != nil {
			return err
		}
	}
	if c.After != nil {
		if !c.After[u.at].IsKnown() {
			return unknown(u.where, u.in, u.at)
		}
		if u.new, err = u.elements(u.new, c.After[u.at]); err != nil {
			return err
		}
	}
	return u.each(c, out)
}

func (u *unnest) each(c *pipeline.Change, out *Out) error {
	for i := range max(len(u.old), len(u.new)) {
		next := out.change(c)
		next.Table, next.Before, next.After = u.out, nil, nil
		if i < len(u.old) {
			next.Before = u.row(c.Before, u.old[i], i, out)
		}
		if i < len(u.new) {
			next.After = u.row(c.After, u.new[i], i, out)
		}
		switch {
		case next.After == nil:
			next.Op = pipeline.Delete
		case next.Before == nil && c.Op == pipeline.Update:
			next.Op = pipeline.Create
		}
		if err := out.emit(next); err != nil {
			return err
		}
	}
	return nil
}

func (u *unnest) row(of schema.Row, element schema.Value, i int, out *Out) schema.Row {
	row := out.row(len(of) + 1)
	copy(row, of)
	row[u.at], row[len(of)] = element, schema.Int(int64(i+1))
	return row
}

// elements appends those of a list.
func (u *unnest) elements(to []schema.Value, list schema.Value) ([]schema.Value, error) {
	switch {
	case list.IsNull():
		return to, nil
	case list.Kind() == schema.KindArray:
		return u.array(to, list)
	}
	return u.json(to, list.Ref())
}

// array appends the elements of all dimensions, row by row, as Postgres's unnest
// does.
func (u *unnest) array(to []schema.Value, list schema.Value) (_ []schema.Value, err error) {
	for _, e := range list.Elements() {
		switch {
		case e.Kind() == schema.KindArray:
			if to, err = u.array(to, e); err != nil {
				return nil, err
			}
		case len(to) == u.most:
			return nil, u.tooMany()
		default:
			to = append(to, e)
		}
	}
	return to, nil
}

func (u *unnest) json(to []schema.Value, text []byte) ([]schema.Value, error) {
	text = bytes.TrimSpace(text)
	if string(text) == "null" {
		return to, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, &rowFault{code: codeValue, where: u.where, what: "the column holds JSON that is no array for a row", mend: "filter such rows out before, or correct the row in the source"}
	}
	for d.More() {
		var e json.RawMessage
		if err := d.Decode(&e); err != nil {
			return nil, &rowFault{code: codeValue, where: u.where, what: "the column holds no JSON for a row", mend: "correct the row in the source"}
		}
		if len(to) == u.most {
			return nil, u.tooMany()
		}
		to = append(to, schema.JSON(e))
	}
	return to, nil
}

func (u *unnest) tooMany() error {
	return &rowFault{code: codeLimit, where: u.where, what: fmt.Sprintf("a row has a list of more than %d elements", u.most), mend: "max_elements: " + fmt.Sprint(10*u.most)}
}
