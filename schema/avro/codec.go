package avro

import (
	"errors"
	"fmt"

	"github.com/evertdb/evert/schema"
)

// Envelope is the shape of a record's value.
type Envelope uint8

// The envelopes of a record's value.
const (
	Debezium Envelope = iota // before, after, source, op and times, as Debezium 3.6 writes them
	Row                      // the after-image alone, with native logical types; a delete is a tombstone
)

// Options say what a codec needs to know besides the table.
type Options struct {
	Topic     string   // the record's topic; the namespaces of the schemas derive from it
	Envelope  Envelope // Debezium by default
	Connector string   // source.connector: postgresql, the default, mysql or mariadb
	Handling  Handling // how the values of some types are written
	Version   string   // source.version: Evert's own
	Name      string   // source.name: the topic prefix
	Database  string   // source.db
}

// A Codec writes and reads the records of one topic under one version of its
// table. It is immutable and may be used by any number of goroutines.
type Codec struct {
	table    *schema.Table
	envelope Envelope
	key      string
	value    string
	keys     []cell      // of the key's fields, in key order
	cells    []cell      // of the row's fields, in column order; nil in a codec that only reads
	source   sourceBlock // of the debezium envelope
	reading  *plan
}

// Compile makes the codec for one version of a table. The table's key may be
// empty; then there is no key schema and AppendKey fails.
func Compile(t *schema.Table, o Options) (*Codec, error) {
	if o.Connector == "" {
		o.Connector = "postgresql"
	}
	if o.Topic == "" || o.Connector != "postgresql" && !isMySQL(o.Connector) || o.Envelope > Row {
		return nil, fmt.Errorf("table %s: a codec needs a topic, a known envelope and a known connector, not topic %q, envelope %d, connector %q",
			t, o.Topic, o.Envelope, o.Connector)
	}
	names, err := fieldNames(t)
	if err != nil {
		return nil, err
	}
	c := &Codec{table: t, envelope: o.Envelope, source: newSourceBlock(&o, t.Schema, t.Name)}
	if c.value, c.cells, err = rowText(t, &o, names); err != nil {
		return nil, err
	}
	if o.Envelope == Debezium {
		c.value = envelopeText(&o, c.value)
	}
	if len(t.Key) > 0 {
		if c.key, c.keys, err = keyText(t, &o, names); err != nil {
			return nil, err
		}
	}
	if c.reading, _, err = parsePlan(c.key, c.value); err != nil {
		return nil, fmt.Errorf("table %s: %w", t, err)
	}
	return c, nil
}

func isMySQL(connector string) bool { return connector == "mysql" || connector == "mariadb" }

// Table is the table whose rows the codec holds. That of ParseCodec is rebuilt
// from the schemas: its Version is 0 and its Native empty.
func (c *Codec) Table() *schema.Table { return c.table }

// Envelope is the shape of the values.
func (c *Codec) Envelope() Envelope { return c.envelope }

// KeySchema is the key's Avro schema as it is registered: the same text for the
// same table and topic. It is empty for a table without a key.
func (c *Codec) KeySchema() string { return c.key }

// ValueSchema is the value's Avro schema as it is registered.
func (c *Codec) ValueSchema() string { return c.value }

var (
	errReadOnly = errors.New("a codec made by ParseCodec only reads; use Compile to write")
	errKeyless  = errors.New("the table has no key; name its columns under `key:` in the source's overrides")
	errNoRow    = errors.New("the row envelope has no value for a delete; write a tombstone")
	errNoOrigin = errors.New("the debezium envelope needs an Origin")
	errNoOp     = errors.New("the debezium envelope needs an Op")
)

// AppendKey appends the key of row, a whole row of the table of which only the
// key columns are looked at. It allocates nothing but dst's growth (and what
// decimals beyond 38 digits need). After an error dst is as it was.
func (c *Codec) AppendKey(dst []byte, row schema.Row) ([]byte, error) {
	if err := c.writable(row); err != nil {
		return dst, err
	}
	if len(c.keys) == 0 {
		return dst, fmt.Errorf("table %s: %w", c.table, errKeyless)
	}
	grown := dst
	for i, col := range c.table.Key {
		var err error
		if grown, err = c.keys[i].append(grown, &row[col]); err != nil {
			return dst, columnError(c.table, col, err)
		}
	}
	return grown, nil
}

// AppendValue appends a record's value. It allocates nothing but dst's growth
// (and what decimals beyond 38 digits need). After an error dst is as it was;
// the error names table and column, and is an ErrUnknown if a value is missing
// (I5).
func (c *Codec) AppendValue(dst []byte, e *Event) ([]byte, error) {
	var grown []byte
	var err error
	if c.envelope == Row {
		grown, err = c.appendAfter(dst, e)
	} else {
		grown, err = c.appendEnvelope(dst, e)
	}
	if err != nil {
		return dst, err
	}
	return grown, nil
}

func (c *Codec) appendAfter(dst []byte, e *Event) ([]byte, error) {
	if e.After == nil {
		return dst, fmt.Errorf("table %s: %w", c.table, errNoRow)
	}
	return c.appendRow(dst, e.After)
}

func (c *Codec) appendEnvelope(dst []byte, e *Event) ([]byte, error) {
	switch {
	case e.Origin == nil:
		return dst, fmt.Errorf("table %s: %w", c.table, errNoOrigin)
	case e.Op == 0:
		return dst, fmt.Errorf("table %s: %w", c.table, errNoOp)
	}
	dst, err := c.appendImage(dst, e.Before)
	if err != nil {
		return dst, err
	}
	if dst, err = c.appendImage(dst, e.After); err != nil {
		return dst, err
	}
	return c.appendTail(dst, e), nil
}

// appendTail writes what lies behind the rows, or what was written before. In a source
// block of MySQL each row has a number of its own.
func (c *Codec) appendTail(dst []byte, e *Event) []byte {
	t := e.Tail
	if t == nil || c.source.mysql {
		return c.newTail(dst, e)
	}
	if !t.isOf(c, e) {
		t.of, t.op, t.at, t.from = c, e.Op, e.At, *e.Origin
		t.bytes = c.newTail(t.bytes[:0], e)
	}
	return append(dst, t.bytes...)
}

func (c *Codec) newTail(dst []byte, e *Event) []byte {
	dst = c.source.append(dst, e.Origin)
	dst = append(dst, 0 /* no transaction */, 1<<1, e.Op)
	return appendTimes(dst, e.At)
}

// appendImage writes an optional row.
func (c *Codec) appendImage(dst []byte, row schema.Row) ([]byte, error) {
	if row == nil {
		return append(dst, 0), nil
	}
	return c.appendRow(append(dst, 2), row)
}

// appendRow writes all columns, or fails at the first that cannot be (I5).
func (c *Codec) appendRow(dst []byte, row schema.Row) ([]byte, error) {
	if err := c.writable(row); err != nil {
		return dst, err
	}
	for i := range c.cells {
		var err error
		if dst, err = c.cells[i].append(dst, &row[i]); err != nil {
			return dst, columnError(c.table, i, err)
		}
	}
	return dst, nil
}

func (c *Codec) writable(row schema.Row) error {
	if c.cells == nil {
		return fmt.Errorf("table %s: %w", c.table, errReadOnly)
	}
	if len(row) != len(c.cells) {
		return fmt.Errorf("table %s: a row of %d values is not of this version, which has %d columns", c.table, len(row), len(c.cells))
	}
	return nil
}
