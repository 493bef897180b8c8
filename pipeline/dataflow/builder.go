package dataflow

import (
	"encoding/binary"

	"github.com/evertdb/evert/schema"
)

// A builder puts together the value of an aggregate from its arguments, in
// order.
type builder interface {
	reset()
	// add copies.
	add(args schema.Row) error
	// size is how many bytes there are so far; it grows with every add.
	size() int64
	// value is valid until the next call of reset.
	value() schema.Value
}

// texts is string_agg: the second argument stands before the first, but for the
// first row.
type texts struct {
	buf   []byte
	count int64
}

func (b *texts) reset()      { b.buf, b.count = b.buf[:0], 0 }
func (b *texts) size() int64 { return int64(len(b.buf)) + b.count }

func (b *texts) add(args schema.Row) error {
	if b.count > 0 && len(args) > 1 {
		b.buf = append(b.buf, args[1].Ref()...)
	}
	b.buf = append(b.buf, args[0].Ref()...)
	b.count++
	return nil
}

func (b *texts) value() schema.Value {
	if b.count == 0 {
		return schema.Null()
	}
	return schema.Text(b.buf)
}

// elements is array_agg.
type elements struct {
	buf, packed []byte
	count       uint64
}

func (b *elements) reset()      { b.buf, b.count = b.buf[:0], 0 }
func (b *elements) size() int64 { return int64(len(b.buf)) }

func (b *elements) add(args schema.Row) error {
	b.buf = schema.AppendElement(b.buf, args[0])
	b.count++
	return nil
}

func (b *elements) value() schema.Value {
	if b.count == 0 {
		return schema.Null()
	}
	b.packed = append(binary.AppendUvarint(b.packed[:0], b.count), b.buf...)
	return schema.Array(b.packed)
}

// document is json_agg and jsonb_agg; its arguments are JSON.
type document struct{ buf []byte }

func (b *document) reset()      { b.buf = b.buf[:0] }
func (b *document) size() int64 { return int64(len(b.buf)) }

func (b *document) add(args schema.Row) error {
	if len(b.buf) == 0 {
		b.buf = append(b.buf, '[')
	} else {
		b.buf = append(b.buf, ", "...)
	}
	if args[0].IsNull() {
		b.buf = append(b.buf, "null"...)
	} else {
		b.buf = append(b.buf, args[0].Ref()...)
	}
	return nil
}

func (b *document) value() schema.Value {
	if len(b.buf) == 0 {
		return schema.Null()
	}
	b.buf = append(b.buf, ']')
	return schema.JSON(b.buf)
}
