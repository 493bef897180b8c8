package avro_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// everything is a table with a column of every type, and a row of it.
func everything() (*schema.Table, schema.Row) {
	table, row := wide()
	add := func(typ schema.Type, v schema.Value) {
		table.Columns = append(table.Columns, schema.Column{Name: fmt.Sprint("x", len(row)), Type: typ, Nullable: true})
		row = append(row, v)
	}
	for _, typ := range scalars {
		add(arrayOf(typ), schema.Array(schema.AppendArray(nil, schema.Null())))
	}
	add(arrayOf(numeric), schema.Array(schema.AppendArray(nil, decimal("1.5"), decimal("Infinity"))))
	add(arrayOf(zoned), schema.Array(schema.AppendArray(nil, schema.Timestamp(0), schema.Timestamp(schema.TimestampInfinity))))
	return table, row
}

// Whatever bytes come, decoding ends with an error or with a row that the codec
// can write again.
func FuzzDecodeValue(f *testing.F) {
	table, row := everything()
	var codecs []*avro.Codec
	for _, o := range []avro.Options{options, rowOptions()} {
		c := compile(f, table, o)
		codecs = append(codecs, c)
		body, err := c.AppendValue(nil, &avro.Event{Op: 'u', Before: row, After: row, Origin: &benchOrigin, At: benchOrigin.At})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
		f.Add(body[:len(body)/2])
	}
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range codecs {
			_, _ = c.DecodeKey(body, new(avro.Arena))
			e, err := c.DecodeValue(body, new(avro.Arena))
			if err != nil {
				continue
			}
			if e.Op == 0 {
				e.Op = 'c'
			}
			again, err := c.AppendValue(nil, &e)
			if err != nil {
				continue // numbers that were not ours may not be writable
			}
			second, err := c.DecodeValue(again, new(avro.Arena))
			if err != nil || !second.After.Identical(e.After) {
				t.Fatalf("written again it is another row: %v", err)
			}
		}
	})
}

// Whatever schema and bytes come, nothing panics and nothing runs away.
func FuzzParseCodec(f *testing.F) {
	table, _ := everything()
	for _, o := range []avro.Options{options, rowOptions()} {
		c := compile(f, table, o)
		f.Add(c.KeySchema(), c.ValueSchema(), []byte{0, 2, 4})
	}
	f.Add("", bomb, []byte{2})
	f.Add("", `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}`, []byte{0xfe, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, key, value string, body []byte) {
		c, err := avro.ParseCodec(key, value)
		if err != nil {
			return
		}
		_, _ = c.DecodeKey(body, new(avro.Arena))
		_, _ = c.DecodeValue(body, new(avro.Arena))
	})
}

// bomb is an envelope with a field that holds itself twice, and takes no bytes.
const bomb = `{"type":"record","name":"Envelope","fields":[
 {"name":"after","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"long"}]}]},
 {"name":"op","type":"string"},
 {"name":"x","type":{"type":"record","name":"X","fields":[{"name":"a","type":"X"},{"name":"b","type":"X"}]}}]}`

func TestX16Bombs(t *testing.T) {
	t.Run("X16 recursive schema", func(t *testing.T) {
		c, err := avro.ParseCodec("", bomb)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.DecodeValue([]byte("\x00\x02c"), new(avro.Arena)); err == nil {
			t.Error("a value without end was read")
		}
	})
	t.Run("X16 deep schema", func(t *testing.T) {
		if _, err := avro.ParseCodec("", strings.Repeat(`{"type":"array","items":`, 1e6)); err == nil {
			t.Error("a schema a million deep was parsed")
		}
	})
	t.Run("X16 decimals that unpack without end", func(t *testing.T) {
		c := compile(t, one(arrayOf(numeric)), rowOptions())
		body := []byte{0, 2, 0x80, 0x80, 0x08} // id, branch, 65,536 elements
		for range 65_536 {
			body = append(body, 2, 0x80, 0xb5, 0x18, 2, 1) // 1 with 200,000 digits behind the point
		}
		if _, err := c.DecodeValue(append(body, 0), new(avro.Arena)); err == nil {
			t.Error("13 GB were unpacked from 400 kB")
		}
	})
	t.Run("X16 counts and lengths", func(t *testing.T) {
		c := compile(t, one(arrayOf(text)), rowOptions())
		for _, body := range []string{
			"\x00\x02\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
			"\x00\x02\x02\x02\xfe\xff\xff\xff\x0f", "\x00\x02\x02\x02\x01", "\x00\x04", "\x00\x02\x00\x00", "", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		} {
			if _, err := c.DecodeValue([]byte(body), new(avro.Arena)); err == nil {
				t.Errorf("% x was read", body)
			}
		}
	})
}
