package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// A Flatten takes an object of JSON apart.
//
// With Fields each of them becomes a column, and the object goes: "geo.lat double
// precision" is the column address_geo_lat of object address. A field that is not
// there, or is null, is NULL. Only fields that are named become columns, so that
// no row can add one (S05).
//
// Without, the object stays one column and has one level: fields of objects in it
// go up to it, under their names behind those of the objects around them. Objects
// more than Depth levels down stay what they are (S05).
type Flatten struct {
	Column    Text
	Fields    []Text
	Separator string // between the names; _ if empty
	Depth     int    // of the objects; 0: 5
}

func (f Flatten) depth() int {
	if f.Depth == 0 {
		return 5
	}
	return f.Depth
}

func (f Flatten) separator() string {
	if f.Separator == "" {
		return "_"
	}
	return f.Separator
}

func (f Flatten) check() error {
	var all []error
	for _, field := range f.Fields {
		path, typ := field.path()
		switch {
		case typ == "":
			all = append(all, field.wrong(codeColumn, "field "+quote(field.Text)+" has no type", "write its path and type, as in geo.lat double precision"))
		case len(path) > f.depth():
			all = append(all, field.wrong(codeColumn, fmt.Sprintf("field %s lies more than %d levels deep", quote(strings.Join(path, ".")), f.depth()), "raise depth, or nest less"))
		}
	}
	return errors.Join(all...)
}

// path gives the names that lead to a field, and its type.
func (t Text) path() (path []string, typ string) {
	name, typ, _ := strings.Cut(strings.TrimSpace(t.Text), " ")
	return strings.Split(name, "."), strings.TrimSpace(typ)
}

// Bind implements Step.
func (f Flatten) Bind(t *schema.Table) (Bound, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	at, err := f.Column.column(t)
	if err != nil {
		return nil, err
	}
	if k := t.Columns[at].Type.Kind; k != schema.KindJSON && (k != schema.KindText || len(f.Fields) == 0) {
		return nil, f.Column.wrong(codeColumn, "column "+quote(f.Column.Text)+" of table "+t.String()+" has type "+t.Columns[at].Type.Name+", which holds no objects", "name a column of type json or jsonb")
	}
	cells := all(t)
	if len(f.Fields) == 0 {
		cells[at] = cell{column: t.Columns[at], from: -1, keys: -1, make: &level{typ: &t.Columns[at].Type, from: []int{at}, where: f.Column.Where, separator: f.separator(), depth: f.depth()}}
		return newShape(t, cells, f.Column)
	}
	fields, err := f.fields(t, at)
	if err != nil {
		return nil, err
	}
	cells = append(cells[:at:at], append(fields, cells[at+1:]...)...)
	return newShape(t, cells, f.Column)
}

// fields are the cells of the fields that are named.
func (f Flatten) fields(t *schema.Table, at int) (cells []cell, err error) {
	object := syntax.Quote(f.Column.Text)
	if t.Columns[at].Type.Kind == schema.KindText {
		object = "(" + object + "::jsonb)"
	}
	for _, field := range f.Fields {
		path, typ := field.path()
		names := make([]string, len(path))
		for i, p := range path {
			names[i] = syntax.QuoteString(p)
		}
		op := "#>>"
		if typ == "json" || typ == "jsonb" {
			op = "#>"
		}
		name := f.Column.Text + f.separator() + strings.Join(path, f.separator())
		x, err := sql.CompileExpr("("+object+" "+op+" ARRAY["+strings.Join(names, ", ")+"]::text[])::"+typ, name, scopeOf(t))
		if err != nil {
			return nil, field.wrong(codeColumn, "field "+quote(strings.Join(path, "."))+" cannot be made a column: "+firstFault(err), "write its path and a type of Postgres, as in geo.lat double precision")
		}
		cells = append(cells, computed(compiledExpr(x, t, field.Where), len(t.Columns)))
	}
	return cells, nil
}

// level is an object of one level.
type level struct {
	typ       *schema.Type
	from      []int
	where     string
	separator string
	depth     int
}

func (l *level) reads() ([]int, bool) { return l.from, true }
func (l *level) place() string        { return l.where }

func (l *level) value(_ *Out, _ *pipeline.Change, row schema.Row) (schema.Value, error) {
	v := row[l.from[0]]
	if v.IsNull() || !isObject(v.Ref()) {
		return v, nil
	}
	fields, err := l.lift(nil, v.Ref(), "", 1)
	if err != nil {
		return v, &rowFault{code: codeValue, where: l.where, what: "the column holds no JSON for a row", mend: "correct the row in the source"}
	}
	text := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			text = append(text, ", "...)
		}
		name, _ := json.Marshal(f.name) // a string always has a form
		text = append(append(append(text, name...), ": "...), f.value...)
	}
	text = append(text, '}')
	if !l.typ.Binary {
		return schema.JSON(text), nil
	}
	return scalar.Parse(l.typ, text) // in jsonb's order
}

func isObject(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && text[0] == '{'
}

type lifted struct {
	name  string
	value json.RawMessage
}

// lift appends the fields of an object, which is so many levels deep, under their
// names behind prefix.
func (l *level) lift(to []lifted, object []byte, prefix string, depth int) ([]lifted, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		name := prefix + key.(string)
		if depth >= l.depth || !isObject(value) {
			to = append(to, lifted{name, value})
			continue
		}
		if to, err = l.lift(to, value, name+l.separator, depth+1); err != nil {
			return nil, err
		}
	}
	return to, nil
}
