package transform

import (
	"errors"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
)

// A Metadata adds what there is to say of a change, as columns or as headers of
// its record. The text is a field of the change: op, position, sequence,
// transaction, time, schema, table. Old rows have the columns of the change that
// shows them. A field without a value is NULL, and no header.
type Metadata struct{ Columns, Headers []Named }

func (m Metadata) check() error {
	var all []error
	for _, n := range slices.Concat(m.Columns, m.Headers) {
		if fieldNamed(n.Text.Text) < 0 {
			all = append(all, n.wrong(codeColumn, "a change has no field "+quote(n.Text.Text), "write one of "+strings.Join(fieldNames(), ", ")))
		}
	}
	for _, n := range m.Headers {
		if strings.HasPrefix(n.Name, "evert-") || strings.HasPrefix(n.Name, "__debezium") || n.Name == "" {
			all = append(all, n.wrong(codeColumn, "header "+quote(n.Name)+" is Evert's own", "choose another name"))
		}
	}
	return errors.Join(all...)
}

func fieldNames() (names []string) {
	for _, c := range fieldColumns() {
		names = append(names, c.Name)
	}
	return names
}

func fieldNamed(name string) int { return slices.Index(fieldNames(), name) }

// Bind implements Step.
func (m Metadata) Bind(t *schema.Table) (Bound, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	b := &marked{}
	cells := all(t)
	for _, n := range m.Columns {
		x, err := sql.CompileExpr(fieldsName+`."`+n.Text.Text+`"`, n.Name, scopeOf(t))
		if err != nil {
			return nil, n.placed(err)
		}
		cells = append(cells, computed(compiledExpr(x, t, n.Where), len(t.Columns)))
	}
	fields := fieldColumns()
	for _, n := range m.Headers {
		f := fieldNamed(n.Text.Text)
		b.headers = append(b.headers, header{n.Name, f, fields[f].Type})
	}
	var at Text
	if len(m.Columns) > 0 {
		at = m.Columns[0].Text
	}
	var err error
	b.shape, err = newShape(t, cells, at)
	return b, err
}

// A header is a field that goes beside the record.
type header struct {
	name  string
	field int
	typ   schema.Type
}

// marked adds columns, and headers as well.
type marked struct {
	*shape
	headers []header
}

// Apply implements Bound.
func (m *marked) Apply(c *pipeline.Change, out *Out) error {
	if len(m.headers) == 0 || c.Op == pipeline.Truncate {
		return m.shape.Apply(c, out)
	}
	with := *c
	with.Headers = slices.Clip(slices.Clone(c.Headers))
	for i := range m.headers {
		h := &m.headers[i]
		if v := out.field(h.field, c); !v.IsNull() {
			with.Headers = append(with.Headers, pipeline.Header{Key: h.name, Value: h.typ.AppendText(nil, v)})
		}
	}
	return m.shape.Apply(&with, out)
}
