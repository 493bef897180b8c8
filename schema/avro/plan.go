package avro

import (
	"errors"
	"fmt"
	"strings"

	hamba "github.com/hamba/avro/v2"

	"github.com/evertdb/evert/schema"
)

// A plan says how to read the records of one topic: the compiled form of a
// writer's schemas. It needs nothing but these.
type plan struct {
	envelope Envelope
	keys     []slot // the key's fields in their order
	row      []slot // the row's fields in their order
	steps    []step // the envelope's fields in theirs; nil for the row envelope
	width    int    // columns of the table
}

// A slot is one field of a key or row, and the column it fills.
type slot struct {
	cell cell
	col  int
}

// maxSchemaText bounds the schemas we parse (X16); 1,600 columns, Postgres's
// most, take half a megabyte.
const (
	maxSchemaText  = 16 << 20
	maxSchemaDepth = 1000
)

// parseSchema parses without the process-wide cache, in which a name of one
// schema would be known to the next.
func parseSchema(text string) (hamba.Schema, error) { return parseWith(text, &hamba.SchemaCache{}) }

// parseWith parses text, whose names may be in cache, and adds those it defines.
func parseWith(text string, cache *hamba.SchemaCache) (hamba.Schema, error) {
	if len(text) > maxSchemaText {
		return nil, fmt.Errorf("the schema has %d bytes, more than the %d that are read", len(text), maxSchemaText)
	}
	if depth(text) > maxSchemaDepth {
		return nil, errDepth
	}
	return hamba.ParseWithCache(text, "", cache)
}

// depth is at least the nesting of a JSON text.
func depth(text string) int {
	now, most := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[':
			now++
			most = max(most, now)
		case '}', ']':
			now--
		}
	}
	return most
}

// parsePlan compiles a writer's schemas, and rebuilds the table they are of.
// key may be empty.
func parsePlan(key, value string) (*plan, *schema.Table, error) {
	parsed, err := parseSchema(value)
	if err != nil {
		return nil, nil, fmt.Errorf("parse value schema: %w", err)
	}
	outer, ok := parsed.(*hamba.RecordSchema)
	if !ok {
		return nil, nil, fmt.Errorf("the value schema is a %s; rows are records", parsed.Type())
	}
	p := &plan{envelope: Row}
	inner := outer
	if image := afterImage(outer); image != nil {
		p.envelope, inner = Debezium, image
		if p.steps, err = envelopeSteps(outer, image); err != nil {
			return nil, nil, err
		}
	}
	t, err := p.table(inner)
	if err != nil {
		return nil, nil, err
	}
	return p, t, p.key(t, inner, key)
}

// afterImage gives the row's record if outer is Debezium's envelope, and not a
// row whose columns happen to be called so.
func afterImage(outer *hamba.RecordSchema) *hamba.RecordSchema {
	if outer.Prop(propTable) != nil {
		return nil
	}
	var image *hamba.RecordSchema
	var op bool
	for _, f := range outer.Fields() {
		switch f.Name() {
		case "after":
			image = imageOf(f.Type())
		case "op":
			op = true
		}
	}
	if !op {
		return nil
	}
	return image
}

// imageOf gives the record of an optional row.
func imageOf(s hamba.Schema) *hamba.RecordSchema {
	u, ok := deref(s).(*hamba.UnionSchema)
	if !ok {
		return nil
	}
	inner, _, ok := nullable(u)
	if !ok {
		return nil
	}
	record, _ := deref(inner).(*hamba.RecordSchema)
	return record
}

// table rebuilds the table of a row's record and compiles its fields.
func (p *plan) table(row *hamba.RecordSchema) (*schema.Table, error) {
	t, err := tableName(row)
	if err != nil {
		return nil, err
	}
	for i, f := range row.Fields() {
		c, column, err := fieldColumn(f)
		if err != nil {
			return nil, fmt.Errorf("read schema of %s, field %s: %w", row.FullName(), f.Name(), err)
		}
		p.row = append(p.row, slot{cell: c, col: i})
		t.Columns = append(t.Columns, column)
	}
	p.width = len(t.Columns)
	return t, nil
}

// tableName takes the table's name from our property, or from the last two
// parts of the namespace, which Debezium makes of the topic.
func tableName(row *hamba.RecordSchema) (*schema.Table, error) {
	var props tableProps
	found, err := decodeProp(row.Prop(propTable), &props)
	if err != nil {
		return nil, fmt.Errorf("read schema of %s, property %s: %w", row.FullName(), propTable, err)
	}
	if found {
		return &schema.Table{Schema: props.Schema, Name: props.Name}, nil
	}
	parts := strings.Split(row.Namespace(), ".")
	t := &schema.Table{Name: parts[len(parts)-1]}
	if len(parts) > 1 {
		t.Schema = parts[len(parts)-2]
	}
	return t, nil
}

// fieldColumn compiles a field and rebuilds its column: from our properties, or
// as well as the Avro type tells.
func fieldColumn(f *hamba.Field) (cell, schema.Column, error) {
	c, guess, err := cellOf(f.Type())
	if err != nil {
		return c, schema.Column{}, err
	}
	var props columnProps
	found, err := decodeProp(f.Prop(propColumn), &props)
	if err != nil {
		return c, schema.Column{}, fmt.Errorf("property %s: %w", propColumn, err)
	}
	column := schema.Column{Name: f.Name(), Type: guess}
	if found {
		name, _ := f.Prop(propType).(string)
		if column, err = props.column(f.Name(), name); err != nil {
			return c, column, err
		}
		if err = c.adopt(&column.Type); err != nil {
			return c, column, err
		}
	}
	column.Nullable = c.null != notNull
	return c, column, nil
}

// encodedBytes says how byte strings lie in a text.
var encodedBytes = map[Binary]op{BinaryHex: opHex, Base64: opBase64, Base64URL: opBase64URL}

// adopt makes a cell that was guessed from the Avro type the cell of t. They
// agree on all but what Avro has no word for.
func (c *cell) adopt(t *schema.Type) error {
	switch {
	case t.Form != "" && t.Kind == schema.KindText && c.adoptForm(t):
	case c.op == opString && t.Kind == schema.KindDecimal:
		c.op, c.kind = opDecimalString, t.Kind
	case c.op == opDouble && t.Kind == schema.KindDecimal:
		c.op, c.kind = opDecimalDouble, t.Kind
	case c.op == opLong && t.Kind == schema.KindInterval:
		c.op, c.kind = opMicroDuration, t.Kind
	case c.op == opString && t.Kind == schema.KindBytes && encodedBytes[Binary(t.Form)] != 0:
		c.op, c.kind = encodedBytes[Binary(t.Form)], t.Kind
	case c.op == opString && (t.Kind == schema.KindText || t.Kind == schema.KindJSON):
		c.kind = t.Kind
	case c.op == opString && t.Kind == schema.KindInterval:
		c.op, c.kind = opSpan, t.Kind
	case c.op == opBytes && t.Kind == schema.KindDecimal && t.Scale <= maxScale && t.Scale >= -maxScale:
		c.op, c.kind, c.scale = opDecimal, t.Kind, t.Scale
	case c.kind != t.Kind:
		return fmt.Errorf("property %s says %s, which does not lie in Avro so", propColumn, t.Kind)
	case c.op == opArray && t.Elem != nil:
		return c.elem.adopt(t.Elem)
	case c.op == opArray:
		return fmt.Errorf("property %s has an array without an element type", propColumn)
	}
	return nil
}

// key compiles the key's schema and finds the columns of its fields.
func (p *plan) key(t *schema.Table, row *hamba.RecordSchema, text string) error {
	if text == "" {
		return nil
	}
	parsed, err := parseSchema(text)
	if err != nil {
		return fmt.Errorf("parse key schema: %w", err)
	}
	record, ok := parsed.(*hamba.RecordSchema)
	if !ok {
		return fmt.Errorf("the key schema is a %s; keys are records of key columns", parsed.Type())
	}
	for _, f := range record.Fields() {
		col := fieldIndex(row, f.Name())
		if col < 0 {
			return fmt.Errorf("the key's field %s is not a field of the value", f.Name())
		}
		c, _, err := cellOf(f.Type())
		if err != nil {
			return fmt.Errorf("read key schema, field %s: %w", f.Name(), err)
		}
		if err = c.adopt(&t.Columns[col].Type); err != nil {
			return fmt.Errorf("read key schema, field %s: %w", f.Name(), err)
		}
		p.keys = append(p.keys, slot{cell: c, col: col})
		t.Key = append(t.Key, col)
	}
	return nil
}

func fieldIndex(row *hamba.RecordSchema, name string) int {
	for i, f := range row.Fields() {
		if f.Name() == name {
			return i
		}
	}
	return -1
}

var errKeyed = errors.New("the codec has no key schema")

// ParseCodec makes a codec that reads what was written under these two schema
// texts, by Evert or by Debezium. keySchema may be empty. It cannot write. The
// schemas may come from anywhere.
func ParseCodec(keySchema, valueSchema string) (*Codec, error) {
	p, t, err := parsePlan(keySchema, valueSchema)
	if err != nil {
		return nil, err
	}
	return &Codec{table: t, envelope: p.envelope, key: keySchema, value: valueSchema, reading: p}, nil
}

// DecodeKey reads a key into a row of Codec.Table in which the columns outside
// the key are Unknown. The row belongs to a, its values share body's bytes or
// a's. Whatever body holds, it does not panic.
func (c *Codec) DecodeKey(body []byte, a *Arena) (schema.Row, error) {
	if len(c.reading.keys) == 0 {
		return nil, fmt.Errorf("decode key of %s: %w", c.table, errKeyed)
	}
	r := newReader(body)
	row := a.row(c.reading.width)
	for i := range c.reading.keys {
		s := &c.reading.keys[i]
		row[s.col] = s.cell.read(&r, a)
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("decode key of %s: %w", c.table, err)
	}
	return row, nil
}

// DecodeValue reads a value that is not a tombstone. Rows and Origin belong to
// a, values share body's bytes or a's. Whatever body holds, it does not panic.
func (c *Codec) DecodeValue(body []byte, a *Arena) (Event, error) {
	var e Event
	r := newReader(body)
	if c.reading.envelope == Row {
		e.After = c.reading.readRow(&r, a)
	}
	for i := range c.reading.steps {
		c.reading.steps[i].read(&r, a, c.reading, &e)
	}
	if err := r.end(); err != nil {
		return Event{}, fmt.Errorf("decode value of %s: %w", c.table, err)
	}
	return e, nil
}

func (p *plan) readRow(r *reader, a *Arena) schema.Row {
	row := a.row(p.width)
	for i := range p.row {
		row[p.row[i].col] = p.row[i].cell.read(r, a)
	}
	return row
}
