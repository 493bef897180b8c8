package schema_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/schema"
)

func TestQuotePart(t *testing.T) {
	for part, want := range map[string]string{
		"orders": "orders", "Orders_2": "Orders_2", "größe": "größe", "a-b": "a-b", "$x": "$x",
		"": `""`, "a.b": `"a.b"`, "a b": `"a b"`, "a*": `"a*"`, `a"b`: `"a""b"`, "tab\tbed": "\"tab\tbed\"", `""`: `""""""`,
	} {
		if got := schema.QuotePart(part); got != want {
			t.Errorf("QuotePart(%q) = %s, want %s", part, got, want)
		}
	}
	table := schema.Table{Schema: "public", Name: "order lines"}
	if got := table.String(); got != `public."order lines"` {
		t.Errorf("table is %s", got)
	}
}

func TestTable(t *testing.T) {
	table := &schema.Table{Columns: []schema.Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}, Key: []int{2, 0}}
	row := schema.Row{schema.Int(1), schema.Int(2), schema.Int(3)}
	key := table.KeyOf(nil, row)
	if !key.Identical(schema.Row{schema.Int(3), schema.Int(1)}) {
		t.Errorf("key is %v", key)
	}
	if !table.IsKey(0) || table.IsKey(1) || !table.IsKey(2) {
		t.Error("IsKey is wrong")
	}
	if table.Column("c") != 2 || table.Column("d") != -1 {
		t.Error("Column is wrong")
	}
}

func TestRow(t *testing.T) {
	text := []byte("abc")
	row := schema.Row{schema.Text(text), schema.Null(), schema.Unknown()}
	if row.Known() || !row[:2].Known() {
		t.Error("Known is wrong")
	}
	kept := row.Clone()
	if !kept.Identical(row) || row.Identical(row[:2]) || schema.Row(nil).Clone() != nil {
		t.Error("Clone or Identical is wrong")
	}
	text[0] = 'x'
	if string(kept[0].Ref()) != "abc" || kept.Identical(row) {
		t.Error("a clone shares bytes")
	}
	if row.Size() != 3*8+3 {
		t.Errorf("size is %d", row.Size())
	}
}

func TestIdentical(t *testing.T) {
	different := []schema.Value{
		schema.Null(), schema.Unknown(), schema.Bool(false), schema.Bool(true), schema.Int(0), schema.Int(1), schema.Float(0),
		schema.Float(math.Copysign(0, -1)), schema.Float(math.NaN()), schema.Decimal([]byte("1.0")), schema.Decimal([]byte("1.00")),
		schema.Text(nil), schema.Bytes(nil), schema.Date(0), schema.Time(0), schema.Timestamp(0), schema.UUID(make([]byte, 16)),
		schema.JSON([]byte("1")), schema.Array(schema.AppendArray(nil)), schema.Array(schema.AppendArray(nil, schema.Null())),
		schema.Interval(1, 2, 3), schema.Interval(1, 2, 4),
	}
	for i, v := range different {
		for j, w := range different {
			if v.Identical(w) != (i == j) {
				t.Errorf("%v and %v: identical %t", v, w, v.Identical(w))
			}
		}
	}
}

// Elements gives back what AppendArray packed.
func TestArrayPacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		elems := rapid.SliceOf(rapid.Custom(genElement)).Draw(t, "elems")
		v := schema.Array(schema.AppendArray(nil, elems...))
		if v.Len() != len(elems) {
			t.Fatalf("%d elements of %d", v.Len(), len(elems))
		}
		seen := 0
		for i, e := range v.Elements() {
			if !e.Identical(elems[i]) {
				t.Fatalf("element %d: %v became %v", i, elems[i], e)
			}
			seen++
		}
		if seen != len(elems) {
			t.Fatalf("%d elements of %d", seen, len(elems))
		}
	})
}

func genElement(t *rapid.T) schema.Value {
	b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
	n := rapid.Int64().Draw(t, "number")
	return rapid.SampledFrom([]schema.Value{
		schema.Null(), schema.Bool(n&1 == 0), schema.Int(n), schema.Float(math.Float64frombits(uint64(n))), schema.Decimal(b), schema.Text(b),
		schema.Bytes(b), schema.Date(int32(n)), schema.Time(n), schema.Timestamp(n), schema.UUID(b), schema.JSON(b), schema.Array(b),
		schema.Interval(int32(n), int32(n>>32), n),
	}).Draw(t, "value")
}

// Bytes that AppendArray did not write end early, and never panic.
func FuzzElements(f *testing.F) {
	f.Add(schema.AppendArray(nil, schema.Int(1), schema.Null(), schema.Text([]byte("x"))))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0})
	f.Add([]byte{2, byte(schema.KindText), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	typ := schema.Type{Kind: schema.KindArray, Elem: &schema.Type{Kind: schema.KindText}}
	f.Fuzz(func(t *testing.T, packed []byte) {
		v, n := schema.Array(packed), 0
		for _, e := range v.Elements() {
			n += 1 + len(e.Ref())
		}
		if n > len(packed) {
			t.Fatalf("%d bytes of elements in %d", n, len(packed))
		}
		if !json.Valid(typ.AppendJSON(nil, v)) {
			t.Fatal("it is not JSON")
		}
	})
}

func TestKindNames(t *testing.T) {
	for k := schema.KindNull; k <= schema.KindInterval; k++ {
		if back, ok := schema.ParseKind(k.String()); !ok || back != k {
			t.Errorf("%d is %s is %d", k, k, back)
		}
	}
	if _, ok := schema.ParseKind("nothing"); ok || schema.Kind(200).String() != "?" {
		t.Error("what is no kind")
	}
}

func TestCivil(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.Int64Range(-3e9, 3e9).Draw(t, "day")
		year, month, dom := schema.Civil(day)
		if schema.Days(year, month, dom) != day {
			t.Fatalf("day %d is %d-%d-%d is %d", day, year, month, dom, schema.Days(year, month, dom))
		}
		nextYear, nextMonth, nextDom := schema.Civil(day + 1)
		follows := nextDom == dom+1 && nextMonth == month && nextYear == year ||
			nextDom == 1 && (nextMonth == month+1 && nextYear == year || nextMonth == 1 && month == 12 && nextYear == year+1)
		if !follows {
			t.Fatalf("after %d-%d-%d comes %d-%d-%d", year, month, dom, nextYear, nextMonth, nextDom)
		}
	})
}

// Text that goes into a JSON string comes out as it was.
func TestJSONStrings(t *testing.T) {
	typ := schema.Type{Kind: schema.KindText}
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		got := typ.AppendJSON([]byte("head"), schema.Text(bytes.Clone(b)))
		var s string
		if err := json.Unmarshal(got[4:], &s); err != nil {
			t.Fatalf("%q is not JSON: %v", got, err)
		}
		if utf8.Valid(b) && s != string(b) {
			t.Fatalf("%q became %q", b, s)
		}
	})
}
