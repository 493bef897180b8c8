package binlogvalue

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// columnsOf makes columns of every type from a few bytes.
func columnsOf(spec []byte) []Column {
	types := []Type{Tiny, Short, Long, Float, Double, Timestamp, LongLong, Int24, Date, Time, Datetime, Year, Varchar, Bit, Timestamp2, Datetime2, Time2,
		BlobCompressed, VarcharCompressed, Vector, JSON, NewDecimal, Enum, Set, Blob, VarString, String, Geometry}
	charsets := []string{"", "utf8mb4", "latin1", "utf16", "gbk", "gb18030", "utf32"}
	var out []Column
	for i := 0; i+1 < len(spec) && len(out) < 40; i += 2 {
		c := Column{Type: types[int(spec[i])%len(types)], Nullable: spec[i] > 127, Charset: charsets[int(spec[i+1])%len(charsets)], MaxLen: 4, Labels: []string{"a", "b"}}
		c.Size, c.Precise, c.Unsigned = 1+int(spec[i+1])%8, int(spec[i+1])%7, spec[i+1] > 127
		switch c.Type {
		case Blob, BlobCompressed, Geometry, JSON, Vector:
			c.Size = 1 + int(spec[i+1])%4
		case NewDecimal:
			c.Precise = 1 + int(spec[i+1])%65
			c.Scale = min(c.Precise, int(spec[i])%31)
		case String:
			if spec[i+1] > 200 {
				c.Size, c.Special, c.Charset = 16, INET6, ""
			}
		}
		out = append(out, c)
	}
	return out
}

// Whatever bytes come, a row is read or refused; nothing outside of them is touched.
func FuzzRow(f *testing.F) {
	f.Add([]byte{2, 0, 12, 1, 20, 3}, []byte{0, 1, 2, 3, 4, 3, 'a', 'b', 'c', 0, 0, 0, 0})
	f.Add([]byte{21, 9, 27, 3, 17, 1}, []byte{0, 0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Fuzz(func(t *testing.T, spec, data []byte) {
		columns := columnsOf(spec)
		codec, err := Compile(columns, testCharsets(), ZeroEpoch)
		if err != nil || len(columns) == 0 {
			return
		}
		present := make([]byte, len(columns)/8+1)
		for i := range present {
			present[i] = 0xff
		}
		row := make(schema.Row, len(columns))
		a := &arena.Bytes{}
		for rest := data; len(rest) > 0; {
			before := len(rest)
			if rest, err = codec.Row(row, present, rest, a); err != nil {
				return
			}
			if len(rest) >= before {
				t.Fatal("a row of no bytes")
			}
			for i := range row {
				if k := row[i].Kind(); k != schema.KindNull && k != codec.cells[i].kind {
					t.Fatalf("column %d of type %d is a %s, not a %s", i, columns[i].Type, k, codec.cells[i].kind)
				}
			}
		}
	})
}

// A document is refused, or printed as JSON within the bound.
func FuzzJSON(f *testing.F) {
	f.Add([]byte{0x00, 0x01, 0x00, 0x0c, 0x00, 0x0b, 0x00, 0x01, 0x00, 0x05, 0x01, 0x00, 'a'})
	f.Add([]byte{0x0c, 0x03, 'x', '"', 0x01})
	f.Add([]byte{0x0f, 246, 4, 3, 1, 0x80, 0x0c})
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &arena.Bytes{}
		v, err := jsonText(b, a)
		if err != nil {
			return
		}
		for _, c := range v.Ref() {
			if c >= 0x80 {
				return // a text of the document need not be UTF-8
			}
		}
		if !json.Valid(v.Ref()) {
			t.Fatalf("printed %q", v.Ref())
		}
	})
}

// Every double is printed as a number that reads back the same.
func FuzzDouble(f *testing.F) {
	f.Add(uint64(0x3ff0000000000000))
	f.Fuzz(func(t *testing.T, bits uint64) {
		x := math.Float64frombits(bits)
		var back float64
		text := appendDouble(nil, x)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		if err := json.Unmarshal(text, &back); err != nil || math.Float64bits(back) != bits {
			t.Fatalf("%v is printed %s: %v", x, text, err)
		}
	})
}
