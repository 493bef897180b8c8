package intake

import (
	"context"
	"fmt"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// A Decoder reads the records of one topic by the schemas they were written with,
// whatever the table looks like now. One goroutine uses it.
type Decoder struct {
	Log      log.Log
	Registry registry.Registry
	Keys     int // columns of the topic's key
	// Map says where the columns that are wanted lie in a version of the table: a
	// column of it for each, -1 for one that it has not, which is NULL. It is
	// asked once for each schema id.
	Map func(ctx context.Context, id int, version *schema.Table) (from []int, err error)
	// Restore gives values of a record that lie in a side topic, by column; log.Restore
	// if nil.
	Restore func(ctx context.Context, r *log.Record) (map[string][]byte, error)

	values map[int]*shape
	keys   map[int]*avro.Codec
}

// A shape is a version of the table on its way into the columns that are wanted.
type shape struct {
	codec *avro.Codec
	from  []int
}

// Forget makes the Decoder ask Map again.
func (d *Decoder) Forget() { clear(d.values) }

// Row decodes a record into dst, which has a place for each column that is
// wanted: ok is false if the record says that the row is gone. The values share
// the record's bytes or a's. It is log.ErrSuperseded if values of the row lay in
// a side topic until a newer record replaced them, and a Poison if the record
// cannot be read.
func (d *Decoder) Row(ctx context.Context, r *log.Record, dst schema.Row, a *avro.Arena) (e avro.Event, ok bool, err error) {
	if r.Value == nil {
		return e, false, nil
	}
	e, ok, err = d.value(ctx, r, dst, a)
	if err != nil {
		return e, false, refuse(r, err)
	}
	return e, ok, nil
}

func (d *Decoder) value(ctx context.Context, r *log.Record, dst schema.Row, a *avro.Arena) (e avro.Event, ok bool, err error) {
	id, body, err := avro.ParseWire(r.Value)
	if err != nil {
		return e, false, err
	}
	s, err := d.shape(ctx, id)
	if err != nil {
		return e, false, fetched(err)
	}
	e, err = s.codec.DecodeValue(body, a)
	if err != nil || e.After == nil {
		return e, false, err
	}
	if err := d.restore(ctx, r, s, e.After); err != nil {
		return e, false, fetched(err)
	}
	for i, from := range s.from {
		dst[i] = schema.Null()
		if from >= 0 {
			dst[i] = e.After[from]
		}
		if !dst[i].IsKnown() {
			return e, false, errNotKnown // I5
		}
	}
	return e, true, nil
}

// shape gives the version that a record was written with.
func (d *Decoder) shape(ctx context.Context, id int) (*shape, error) {
	if s := d.values[id]; s != nil {
		return s, nil
	}
	text, err := d.Registry.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	codec, err := avro.ParseCodec("", text)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, Unreadable(err))
	}
	s := &shape{codec: codec}
	if s.from, err = d.Map(ctx, id, codec.Table()); err != nil {
		return nil, err
	}
	if d.values == nil {
		d.values = map[int]*shape{}
	}
	d.values[id] = s
	return s, nil
}

// restore puts values back that lie in a side topic.
func (d *Decoder) restore(ctx context.Context, r *log.Record, s *shape, row schema.Row) error {
	if r.Find(log.OffloadHeader) == nil {
		return nil
	}
	restore := d.Restore
	if restore == nil {
		restore = func(ctx context.Context, r *log.Record) (map[string][]byte, error) { return log.Restore(ctx, d.Log, r) }
	}
	whole, err := restore(ctx, r)
	if err != nil {
		return err
	}
	for name, value := range whole {
		i := s.codec.Table().Column(name)
		if i < 0 {
			continue
		}
		switch row[i].Kind() {
		case schema.KindBytes:
			row[i] = schema.Bytes(value)
		case schema.KindJSON:
			row[i] = schema.JSON(value)
		default:
			row[i] = schema.Text(value)
		}
	}
	return nil
}

// Key decodes a record's key: its columns in key order. It is a Poison if that
// cannot be done.
func (d *Decoder) Key(ctx context.Context, r *log.Record, a *avro.Arena) (schema.Row, error) {
	id, body, err := avro.ParseWire(r.Key)
	if err != nil {
		return nil, poison(r, err)
	}
	codec, err := d.keyCodec(ctx, id)
	if err != nil {
		return nil, refuse(r, fetched(err))
	}
	key, err := codec.DecodeKey(body, a)
	if err != nil {
		return nil, poison(r, err)
	}
	if len(key) != d.Keys {
		return nil, poison(r, fmt.Errorf("its key has %d columns, and the table's has %d", len(key), d.Keys))
	}
	return key, nil
}

// keyCodec reads a key alone: its fields are the key's columns, in key order.
func (d *Decoder) keyCodec(ctx context.Context, id int) (*avro.Codec, error) {
	if c := d.keys[id]; c != nil {
		return c, nil
	}
	text, err := d.Registry.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := avro.ParseCodec(text, text)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, Unreadable(err))
	}
	if d.keys == nil {
		d.keys = map[int]*avro.Codec{}
	}
	d.keys[id] = c
	return c, nil
}

// Fits reports whether every value of one type is one of the other, with the
// same meaning.
func Fits(have, want *schema.Type) bool {
	if have.Kind != want.Kind || have.Zoned != want.Zoned || have.Opaque != want.Opaque {
		return false
	}
	switch have.Kind {
	case schema.KindInt:
		return have.Bits <= want.Bits
	case schema.KindFloat:
		return have.Bits == want.Bits
	case schema.KindJSON:
		return have.Binary == want.Binary
	case schema.KindArray:
		return Fits(have.Elem, want.Elem)
	}
	return true
}
