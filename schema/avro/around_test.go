package avro_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

var texts = schema.Type{Name: "text[]", Kind: schema.KindArray, Elem: &schema.Type{Name: "text", Kind: schema.KindText}}

// pieces is a table of what is written piece by piece, with and without NULL.
func pieces() *schema.Table {
	t := one(schema.Type{Name: "text", Kind: schema.KindText})
	for _, typ := range []schema.Type{bytea, texts, {Name: "jsonb", Kind: schema.KindJSON}} {
		t.Columns = append(t.Columns, schema.Column{Name: typ.Name + "?", Type: typ, Nullable: true}, schema.Column{Name: typ.Name, Type: typ})
	}
	return t
}

// each gives the elements of an array.
func each(v schema.Value) iter.Seq2[schema.Value, error] {
	return func(yield func(schema.Value, error) bool) {
		for _, e := range v.Elements() {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// around encodes an event with some values apart.
func around(t *testing.T, c *avro.Codec, e *avro.Event, columns []int) []byte {
	t.Helper()
	parts, err := c.Around(e, columns)
	if err != nil {
		t.Fatal(err)
	}
	body := parts[0]
	for i, column := range columns {
		v := e.After[column]
		if v.Kind() == schema.KindArray {
			r := c.EncodedArray(column, each(v))
			body = append(body, readAll(t, r)...)
			r.Close()
		} else {
			body = binary.AppendVarint(body, c.EncodedLen(column, int64(len(v.Ref()))))
			body = append(body, readAll(t, c.EncodedBytes(column, iotest.HalfReader(bytes.NewReader(v.Ref()))))...)
		}
		body = append(body, parts[i+1]...)
	}
	return body
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An event with values apart is what it is with them.
func TestAround(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 10_001)
	list := schema.Array(schema.AppendArray(nil, word("a"), schema.Null(), word("")))
	table := pieces()
	row := schema.Row{schema.Int(0), schema.Text(long), schema.Bytes(long), schema.Bytes(nil), list, schema.Array([]byte{0}), schema.JSON(long), schema.JSON([]byte("1"))}
	for _, form := range []avro.Binary{avro.BinaryBytes, avro.BinaryHex, avro.Base64, avro.Base64URL} {
		for _, envelope := range []avro.Envelope{avro.Debezium, avro.Row} {
			o := options
			o.Envelope, o.Handling.Binary = envelope, form
			c := compile(t, table, o)
			for _, e := range []avro.Event{{Op: 'c', After: row, Origin: &avro.Origin{}}, {Op: 'u', Before: row, After: row, Origin: &avro.Origin{}}} {
				want, err := c.AppendValue(nil, &e)
				if err != nil {
					t.Fatal(err)
				}
				for _, columns := range [][]int{nil, {1}, {2, 3}, {4, 5}, {1, 2, 3, 4, 5, 6, 7}} {
					if got := around(t, c, &e, columns); !bytes.Equal(got, want) {
						t.Errorf("%q, envelope %d, columns %v apart: %d bytes are not the %d", form, envelope, columns, len(got), len(want))
					}
				}
			}
		}
	}
}

// An array of many blocks is read as the same.
func TestArrayOfBlocks(t *testing.T) {
	var all []schema.Value
	for range 20_000 {
		all = append(all, word("sixteen letters."), schema.Null())
	}
	c := compile(t, pieces(), options)
	e := avro.Event{Op: 'c', Origin: &avro.Origin{}, After: schema.Row{schema.Int(0), word(""), schema.Null(), schema.Bytes(nil), schema.Array(schema.AppendArray(nil, all...)), schema.Array([]byte{0}), schema.Null(), schema.JSON([]byte("1"))}}
	got, err := c.DecodeValue(around(t, c, &e, []int{4}), new(avro.Arena))
	if err != nil || !got.After.Identical(e.After) {
		t.Errorf("another row: %v", err)
	}
}

// What cannot be written apart is an error, as it is within a row.
func TestAroundErrors(t *testing.T) {
	c := compile(t, pieces(), options)
	row := schema.Row{schema.Int(0), word(""), schema.Unknown(), schema.Bytes(nil), schema.Null(), schema.Null(), schema.Null(), schema.JSON(nil)}
	if _, err := c.Around(&avro.Event{Op: 'c', After: row, Origin: &avro.Origin{}}, []int{2}); !errors.Is(err, avro.ErrUnknown) {
		t.Errorf("an unknown value apart: %v", err)
	}
	row[2] = schema.Null()
	if parts, err := c.Around(&avro.Event{Op: 'c', After: row, Origin: &avro.Origin{}}, []int{7}); err == nil {
		t.Errorf("a NULL where none may be: % x", parts)
	}
	if _, err := c.Around(&avro.Event{Op: 'd', Before: row, Origin: &avro.Origin{}}, nil); err == nil {
		t.Error("a new row that is none")
	}
	failed := errors.New("the file is gone")
	r := c.EncodedArray(5, func(yield func(schema.Value, error) bool) { _ = yield(word("a"), nil) && yield(schema.Value{}, failed) })
	defer r.Close()
	if _, err := io.ReadAll(r); err != failed {
		t.Errorf("an array that breaks off: %v", err)
	}
	if _, err := io.ReadAll(c.EncodedBytes(3, iotest.ErrReader(failed))); err != failed {
		t.Errorf("bytes that break off: %v", err)
	}
}

// Values of 64 MiB are written from a few buffers.
func TestEncodedPiecesAreNotHeld(t *testing.T) {
	const size = 64 << 20
	zeros := make([]byte, 1<<10)
	elements := func(yield func(schema.Value, error) bool) {
		for range size / len(zeros) {
			if !yield(schema.Text(zeros), nil) {
				return
			}
		}
	}
	for _, form := range []avro.Binary{avro.BinaryHex, avro.Base64} {
		o := options
		o.Handling.Binary = form
		c := compile(t, pieces(), o)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, err := io.Copy(io.Discard, c.EncodedBytes(3, io.LimitReader(endless(zeros), size)))
		array := c.EncodedArray(5, elements)
		m, arrayErr := io.Copy(io.Discard, array)
		array.Close()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; err != nil || arrayErr != nil || n != c.EncodedLen(3, size) || m < size || took > 1<<20 {
			t.Errorf("%q: %d and %d bytes, %v, %v, %d KiB were allocated", form, n, m, err, arrayErr, took>>10)
		}
	}
}

// endless gives the same bytes for ever.
type endless []byte

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }
