package postgres

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// mostShrink is how many times smaller than on the wire a value may be that is written
// in another form: an element of an array of smallint, say, of 6 bytes in 1. What is
// larger than that many times the limit is above it in any form.
const mostShrink = 8

// A field is a column of a row as the server sent it.
type field struct {
	codec  pgvalue.Codec
	binary bool
	whole  bool                                    // nothing but all of it will do
	read   func(data []byte) (schema.Value, error) // a value that is in memory
}

// large reads a field that was set aside: its first bytes, in memory of alloc, and from
// then on the file is the caller's to close. What is not too large after all, or is
// written in another form, is read as if it had never been aside.
func (a *asides) large(v *aside, f field, alloc func(n int) []byte) (schema.Value, pipeline.Aside, error) {
	l := &largeValue{aside: v, field: f, form: formOf(f)}
	limit := int64(a.head - 1)
	switch {
	case f.whole || l.Size() <= limit || l.form == other && (f.codec.Op != pgvalue.Array || v.size <= mostShrink*limit):
		data, err := v.load()
		if err != nil {
			return schema.Value{}, nil, err
		}
		value, err := f.read(data)
		return value, nil, err
	}
	head, err := l.first(alloc(a.head))
	if err != nil {
		return schema.Value{}, nil, err
	}
	v.take()
	l.field.read = nil
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
	f := field{codec: codec, binary: binary, whole: s.table.IsKey(col) || r.Invalid != pgvalue.Trust, read: func(data []byte) (schema.Value, error) {
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

// A sentForm is how the bytes of a value follow from those that were sent.
type sentForm uint8

const (
	other     sentForm = iota // by its codec alone
	plain                     // they are the same
	versioned                 // behind a byte that says 1
	hexed                     // \x and pairs of hex digits
)

func formOf(f field) sentForm {
	switch f.codec.Op {
	case pgvalue.Text, pgvalue.Enum, pgvalue.XML, pgvalue.JSON:
		return plain
	case pgvalue.Versioned, pgvalue.JSONB:
		if f.binary {
			return versioned
		}
		return plain
	case pgvalue.Opaque, pgvalue.Bits:
		if !f.binary {
			return plain
		}
	case pgvalue.Bytea:
		if !f.binary {
			return hexed
		}
		return plain
	}
	return other
}

// A largeValue implements pipeline.Aside.
type largeValue struct {
	*aside
	field field
	form  sentForm
}

func (l *largeValue) Size() int64 {
	switch l.form {
	case versioned:
		return l.size - 1
	case hexed:
		return l.size/2 - 1
	}
	return l.size
}

func (l *largeValue) Open() (io.ReadCloser, error) {
	r, err := l.open()
	if err != nil || l.form == plain {
		return r, err
	}
	out, err := l.unwrapped(r)
	if err != nil {
		r.Close()
		return nil, err
	}
	return &unwrapped{out, r}, nil
}

type unwrapped struct {
	io.Reader
	io.Closer
}

// unwrapped gives the bytes of the value out of those that were sent.
func (l *largeValue) unwrapped(r io.Reader) (io.Reader, error) {
	var mark [2]byte
	switch l.form {
	case versioned:
		if _, err := io.ReadFull(r, mark[:1]); err != nil || mark[0] != 1 {
			return nil, l.malformed()
		}
		return r, nil
	case hexed:
		if _, err := io.ReadFull(r, mark[:]); err != nil || string(mark[:]) != `\x` || l.size%2 != 0 {
			return nil, l.malformed()
		}
		return hex.NewDecoder(r), nil
	}
	return nil, fmt.Errorf("a large %s has no bytes of its own", l.field.codec.Op)
}

func (l *largeValue) malformed() error {
	return fmt.Errorf("malformed %s of %d bytes", l.field.codec.Op, l.size)
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
	r := pgvalue.Reader{Arena: new(arena.Bytes)}
	if l.field.binary {
		return r.Binary(l.field.codec, data)
	}
	return r.Text(l.field.codec, data)
}
