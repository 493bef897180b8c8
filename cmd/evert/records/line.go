package records

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// A Decoder reads the records of table topics. One goroutine uses it.
type Decoder struct {
	// Log, if it is not nil, is where values that lie in a side topic are read
	// from, to be put back into their rows.
	Log log.Log

	// Above, if it is not 0, leaves a value of that many bytes or more in the side topic,
	// for the caller to read.
	Above int64

	registry registry.Registry
	codecs   map[ids]*avro.Codec
	arena    avro.Arena
}

// ids are those of a record's key and value schema; 0 where it has none.
type ids struct{ key, value int }

// NewDecoder makes a decoder that asks r for schemas, each once.
func NewDecoder(r registry.Registry) *Decoder {
	return &Decoder{registry: r, codecs: map[ids]*avro.Codec{}}
}

// A Change is a decoded record. Its rows are valid until the next Decode.
type Change struct {
	Table     *schema.Table // that of a tombstone has the key's columns alone
	Key       schema.Row    // columns outside the key are unknown; nil without a key
	Event     avro.Event
	Tombstone bool
	Left      map[int]pipeline.Aside // by column: values of the new row that lie in a side topic, and were left there
}

// Decode reads the key and value of r.
func (d *Decoder) Decode(ctx context.Context, r *log.Record) (Change, error) {
	d.arena.Reset()
	key, err := parse(r.Key)
	if err != nil {
		return Change{}, fmt.Errorf("%s offset %d: key: %w", r.TopicPartition, r.Offset, err)
	}
	if r.Value == nil {
		return d.tombstone(ctx, r, key)
	}
	value, err := parse(r.Value)
	if err != nil {
		return Change{}, fmt.Errorf("%s offset %d: value: %w", r.TopicPartition, r.Offset, err)
	}
	codec, err := d.codec(ctx, ids{key.id, value.id})
	if err != nil {
		return Change{}, fmt.Errorf("%s offset %d: %w", r.TopicPartition, r.Offset, err)
	}
	c := Change{Table: codec.Table()}
	if r.Key != nil {
		if c.Key, err = codec.DecodeKey(key.body, &d.arena); err != nil {
			return Change{}, fmt.Errorf("%s offset %d: key: %w", r.TopicPartition, r.Offset, err)
		}
	}
	if c.Event, err = codec.DecodeValue(value.body, &d.arena); err != nil {
		return Change{}, fmt.Errorf("%s offset %d: value: %w", r.TopicPartition, r.Offset, err)
	}
	return c, nil
}

// Whole reads the key and value of r, and puts back the values of its row that
// lie in a side topic.
func (d *Decoder) Whole(ctx context.Context, r *log.Record) (Change, error) {
	c, err := d.Decode(ctx, r)
	if err == nil {
		err = d.restore(ctx, r, &c)
	}
	return c, err
}

// tombstone reads a key alone: its schema is that of a row of key columns.
func (d *Decoder) tombstone(ctx context.Context, r *log.Record, key wire) (Change, error) {
	codec, err := d.codec(ctx, ids{0, key.id})
	if err != nil {
		return Change{}, fmt.Errorf("%s offset %d: %w", r.TopicPartition, r.Offset, err)
	}
	e, err := codec.DecodeValue(key.body, &d.arena)
	if err != nil {
		return Change{}, fmt.Errorf("%s offset %d: key: %w", r.TopicPartition, r.Offset, err)
	}
	return Change{Table: codec.Table(), Key: e.After, Tombstone: true}, nil
}

type wire struct {
	id   int
	body []byte
}

func parse(b []byte) (w wire, err error) {
	if b == nil {
		return w, nil
	}
	w.id, w.body, err = avro.ParseWire(b)
	return w, err
}

func (d *Decoder) codec(ctx context.Context, id ids) (*avro.Codec, error) {
	if c := d.codecs[id]; c != nil {
		return c, nil
	}
	var texts [2]string
	for i, n := range []int{id.key, id.value} {
		if n == 0 {
			continue
		}
		text, err := d.registry.Schema(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("schema %d: %w", n, err)
		}
		texts[i] = text
	}
	c, err := avro.ParseCodec(texts[0], texts[1])
	if err != nil {
		return nil, fmt.Errorf("schemas %d and %d: %w", id.key, id.value, err)
	}
	d.codecs[id] = c
	return c, nil
}

// AppendLine decodes r and appends it as one JSON object and a line end.
func (d *Decoder) AppendLine(ctx context.Context, dst []byte, r *log.Record) ([]byte, error) {
	if isPiece(r) {
		return d.appendPiece(dst, r), nil
	}
	c, err := d.Whole(ctx, r)
	if err != nil {
		return dst, err
	}
	dst = append(dst, `{"topic":`...)
	dst = strconv.AppendQuote(dst, r.Topic)
	dst = append(dst, `,"partition":`...)
	dst = strconv.AppendInt(dst, int64(r.Partition), 10)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendInt(dst, r.Offset, 10)
	dst = append(dst, `,"key":`...)
	dst = appendKey(dst, &c)
	dst = append(dst, `,"op":`...)
	dst = appendOp(dst, &c)
	dst = append(dst, `,"before":`...)
	dst = appendWhole(dst, c.Table, c.Event.Before)
	dst = append(dst, `,"after":`...)
	dst = appendWhole(dst, c.Table, c.Event.After)
	dst = append(dst, `,"position":`...)
	dst = appendPosition(dst, r, &c)
	dst = append(dst, `,"ts":`...)
	dst = appendTime(dst, timeOf(r, &c))
	dst = appendLacks(dst, r)
	return append(dst, '}', '\n'), nil
}

// KeyColumns gives the columns of the key in the order of the key's schema, so
// that the keys of a row and of its tombstone look the same.
func (c *Change) KeyColumns() []int {
	if !c.Tombstone {
		return c.Table.Key
	}
	all := make([]int, len(c.Table.Columns))
	for i := range all {
		all[i] = i
	}
	return all
}

func appendKey(dst []byte, c *Change) []byte {
	if c.Key == nil {
		return append(dst, "null"...)
	}
	columns := c.KeyColumns()
	t := schema.Table{Columns: make([]schema.Column, len(columns))}
	key := make(schema.Row, len(columns))
	for to, from := range columns {
		t.Columns[to], key[to] = c.Table.Columns[from], c.Key[from]
	}
	return t.AppendJSON(dst, key)
}

// appendWhole writes the known columns of a row, or null.
func appendWhole(dst []byte, t *schema.Table, row schema.Row) []byte {
	if row == nil {
		return append(dst, "null"...)
	}
	return t.AppendJSON(dst, row)
}

func appendOp(dst []byte, c *Change) []byte {
	switch {
	case c.Tombstone:
		return append(dst, "null"...)
	case c.Event.Op == 0:
		return append(dst, `"r"`...)
	}
	return append(dst, '"', c.Event.Op, '"')
}

func appendPosition(dst []byte, r *log.Record, c *Change) []byte {
	pos, err := log.ParsePos(r.Find(log.PosHeader))
	native := nativeOf(c)
	if err != nil && native == "" {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	if err == nil {
		dst = fmt.Appendf(dst, `"incarnation":"%016x","seq":%d,"row":%d`, pos.Incarnation, pos.Seq, pos.Row)
		if native != "" {
			dst = append(dst, ',')
		}
	}
	if native != "" {
		dst = strconv.AppendQuote(append(dst, `"native":`...), native)
	}
	return append(dst, '}')
}

// nativeOf gives where the transaction ended, in the source's words, if the
// envelope says so.
func nativeOf(c *Change) string {
	if c.Event.Origin == nil || c.Event.Origin.Postgres.CommitLSN == 0 {
		return ""
	}
	lsn := c.Event.Origin.Postgres.CommitLSN
	return fmt.Sprintf("%X/%X", lsn>>32, uint32(lsn))
}

// timeOf is when the change was committed in the source, else when the log took
// the record.
func timeOf(r *log.Record, c *Change) time.Time {
	if c.Event.Origin != nil && !c.Event.Origin.At.IsZero() {
		return c.Event.Origin.At
	}
	return r.Time
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.999999Z07:00")
	return append(dst, '"')
}
