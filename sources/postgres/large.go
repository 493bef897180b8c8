package postgres

import (
	"fmt"
	"io"
	"iter"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A field is a column of a row as the server sent it.
type field struct {
	codec   pgvalue.Codec
	binary  bool
	whole   bool                                    // nothing but all of it will do
	invalid pgvalue.Invalid                         // what becomes of texts that are not UTF-8
	read    func(data []byte) (schema.Value, error) // a value that is in memory
	reader  *pgvalue.Reader                         // what reads values of the row
}

// large reads a field that was set aside: its first bytes, in memory of alloc, and from
// then on the file is the caller's to close. What is not too large after all, or is
// written in another form, is read as if it had never been aside.
func (a *asides) large(v *aside, f field, alloc func(n int) []byte) (schema.Value, pipeline.Aside, error) {
	l, err := newLargeValue(v, f)
	if err != nil {
		return schema.Value{}, nil, err
	}
	limit := a.head - 1
	switch {
	case f.whole || l.Size() <= int64(limit) || l.form == other && f.codec.Op != pgvalue.Array:
		data, err := v.load()
		if err != nil {
			return schema.Value{}, nil, err
		}
		value, err := f.read(data)
		return value, nil, err
	case l.form == other:
		if value, ok, err := l.array(limit); ok || err != nil {
			return value, nil, err
		}
	}
	head, err := l.first(alloc(a.head))
	if err != nil {
		return schema.Value{}, nil, err
	}
	v.take()
	l.field.read, l.field.reader = nil, nil
	return valueOf(f.codec.Type().Kind, head), l, nil
}

// largeOf is large for column col of a row of c, which lies in b.
func (a *asides) largeOf(b *handover.Batch, c *pipeline.Change, old bool, col int, v *aside, f field) (schema.Value, error) {
	value, aside, err := a.large(v, f, b.Bytes.Alloc)
	if aside == nil {
		v.drop() // it is in memory
		return value, err
	}
	c.SetAside(old, col, aside)
	b.Aside = append(b.Aside, v)
	b.Borrowed += int(v.size)
	return value, nil
}

// largeIn is largeOf for a row that c copies.
func (a *asides) largeIn(b *handover.Batch, c *pipeline.Change, s *shape, col int, binary bool, stand []byte, r *pgvalue.Reader) (schema.Value, error) {
	codec := s.codecs[col]
	f := field{codec: codec, binary: binary, whole: s.table.IsKey(col), invalid: r.Invalid, reader: r, read: func(data []byte) (schema.Value, error) {
		if binary {
			return r.Binary(codec, data)
		}
		return r.Text(codec, data)
	}}
	return a.largeOf(b, c, false, col, a.is(stand), f)
}

// valueOf is a value whose bytes are its first ones.
func valueOf(k schema.Kind, head []byte) schema.Value {
	switch k {
	case schema.KindBytes:
		return schema.Bytes(head)
	case schema.KindJSON:
		return schema.JSON(head)
	case schema.KindArray:
		return schema.Array(head)
	}
	return schema.Text(head)
}

// A largeValue implements pipeline.ArrayAside.
type largeValue struct {
	*aside
	field  field
	form   sentForm
	length int64 // in bytes as the value has them
	recode bool  // it is a text that is not UTF-8
}

// newLargeValue finds out how long a value is, and reads what it has to for that.
func newLargeValue(v *aside, f field) (*largeValue, error) {
	l := &largeValue{aside: v, field: f, form: formOf(f)}
	switch l.form {
	case versioned:
		l.length = l.size - 1
	case hexed:
		l.length = l.size/2 - 1
	case bitwise:
		return l, l.countBits()
	default:
		l.length = l.size
	}
	if f.invalid == pgvalue.Trust || !l.form.isText(f.codec) {
		return l, nil
	}
	return l, l.countText()
}

// countBits reads how many bits there are.
func (l *largeValue) countBits() error {
	r, err := l.open()
	if err != nil {
		return err
	}
	defer r.Close()
	l.length, err = pgvalue.BitCount(r, l.size)
	return err
}

// countText looks whether a text is UTF-8, and else how long it is as that.
func (l *largeValue) countText() error {
	ok, err := readOnce(l.Open, pgvalue.IsUTF8)
	if l.recode = !ok; ok || err != nil {
		return err
	}
	l.length, err = readOnce(l.Open, func(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) })
	return err
}

// readOnce reads what open gives.
func readOnce[T any](open func() (io.ReadCloser, error), read func(io.Reader) (T, error)) (out T, err error) {
	r, err := open()
	if err != nil {
		return out, err
	}
	defer r.Close()
	return read(r)
}

// array reads an array element by element; ok is false if it is above the limit.
func (l *largeValue) array(limit int) (v schema.Value, ok bool, err error) {
	r, err := l.open()
	if err != nil {
		return v, false, err
	}
	defer r.Close()
	return l.field.reader.ReadArray(l.field.codec, l.field.binary, r, limit)
}

// Elements implements pipeline.ArrayAside.
func (l *largeValue) Elements() iter.Seq2[schema.Value, error] {
	return func(yield func(schema.Value, error) bool) {
		in, err := l.open()
		if err != nil {
			yield(schema.Value{}, err)
			return
		}
		defer in.Close()
		r := pgvalue.Reader{Invalid: l.field.invalid}
		r.Elements(l.field.codec, l.field.binary, in)(yield)
	}
}

func (l *largeValue) Size() int64 { return l.length }

func (l *largeValue) Open() (io.ReadCloser, error) {
	r, err := l.open()
	if err != nil || l.form == plain && !l.recode {
		return r, err
	}
	out, err := l.unwrapped(r)
	if err != nil {
		r.Close()
		return nil, err
	}
	if l.recode {
		out = l.field.invalid.Reader(out)
	}
	return &unwrapped{out, r}, nil
}

// first reads the first bytes of the value; of one in another form, as it was sent.
func (l *largeValue) first(head []byte) ([]byte, error) {
	from := l.Open
	if l.form == other {
		from = l.open
	}
	r, err := from()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("read a large value: %w", err)
	}
	return head, nil
}

func (l *largeValue) Load() (schema.Value, error) {
	data, err := l.load()
	if err != nil {
		return schema.Value{}, err
	}
	r := pgvalue.Reader{Arena: new(arena.Bytes), Invalid: l.field.invalid}
	if l.field.binary {
		return r.Binary(l.field.codec, data)
	}
	return r.Text(l.field.codec, data)
}
