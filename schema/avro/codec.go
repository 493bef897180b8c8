package avro

import (
	"errors"

	"github.com/evertdb/evert/schema"
)

// Envelope is the shape of a record's value.
type Envelope uint8

// The envelopes of DESIGN §9.3.
const (
	Debezium Envelope = iota // before, after, source, op and times, as Debezium 3.6 writes them
	Row                      // the after-image alone, with native logical types; a delete is a tombstone
)

// Options say what a codec needs to know besides the table.
type Options struct {
	Topic     string   // the record's topic; the namespaces of the schemas derive from it
	Envelope  Envelope // Debezium by default
	Connector string   // source.connector: postgresql
	Version   string   // source.version: Evert's own
	Name      string   // source.name: the topic prefix
	Database  string   // source.db
}

// A Codec writes and reads the records of one topic under one version of its
// table. It is immutable and may be used by any number of goroutines.
type Codec struct {
	table *schema.Table
	key   string
	value string
}

// ErrUnknown says that a row holds a value that the source did not send, and
// so cannot be written (I5).
var ErrUnknown = errors.New("the source did not send the value")

var errTodo = errors.New("not built yet")

// Compile makes the codec for one version of a table. The table's key may be
// empty; then there is no key schema and AppendKey fails.
func Compile(t *schema.Table, o Options) (*Codec, error) { return nil, errTodo }

// ParseCodec makes a codec that reads what was written under these two schema
// texts, by Evert or by Debezium. keySchema may be empty. It cannot write.
func ParseCodec(keySchema, valueSchema string) (*Codec, error) { return nil, errTodo }

// Table is the table whose rows the codec holds. That of ParseCodec is rebuilt
// from the schemas: its Version is 0 and its Native empty.
func (c *Codec) Table() *schema.Table { return c.table }

// KeySchema is the key's Avro schema as it is registered: the same text for the
// same table and topic. It is empty for a table without a key.
func (c *Codec) KeySchema() string { return c.key }

// ValueSchema is the value's Avro schema as it is registered.
func (c *Codec) ValueSchema() string { return c.value }

// AppendKey appends the key of row, a whole row of the table of which only the
// key columns are looked at. It allocates nothing but dst's growth. After an
// error dst is as it was.
func (c *Codec) AppendKey(dst []byte, row schema.Row) ([]byte, error) { return dst, errTodo }

// AppendValue appends a record's value. It allocates nothing but dst's growth.
// After an error dst is as it was; the error names table and column and is an
// ErrUnknown if a value is missing (I5).
func (c *Codec) AppendValue(dst []byte, e *Event) ([]byte, error) { return dst, errTodo }

// DecodeKey reads a key into a row of Codec.Table in which the columns outside
// the key are Unknown. The row belongs to a, its values share body's bytes or
// a's.
func (c *Codec) DecodeKey(body []byte, a *Arena) (schema.Row, error) { return nil, errTodo }

// DecodeValue reads a value that is not a tombstone. Rows and Origin belong to
// a, values share body's bytes or a's.
func (c *Codec) DecodeValue(body []byte, a *Arena) (Event, error) { return Event{}, errTodo }
