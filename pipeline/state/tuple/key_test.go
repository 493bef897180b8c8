package tuple_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
	"pgregory.net/rapid"
)

func newKey(t testing.TB, cols []schema.Column, orders ...tuple.Order) *tuple.Key {
	t.Helper()
	k, err := tuple.NewKey(cols, orders)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func column(kind schema.Kind) schema.Column {
	return schema.Column{Name: kind.String(), Type: schema.Type{Kind: kind}}
}

// Bytes sort as SQL does, column by column, whatever the orders are.
func TestOrder(t *testing.T) {
	cols := sqlColumns()
	rapid.Check(t, func(rt *rapid.T) {
		var drawn []schema.Column
		var orders []tuple.Order
		var v, w schema.Row
		for range rapid.IntRange(1, 3).Draw(rt, "columns") {
			c := rapid.SampledFrom(cols).Draw(rt, "column")
			drawn = append(drawn, c)
			orders = append(orders, tuple.Order{Desc: rapid.Bool().Draw(rt, "desc"), NullsFirst: rapid.Bool().Draw(rt, "nulls first")})
			v = append(v, genValue(rt, &c.Type))
			if rapid.IntRange(0, 2).Draw(rt, "same") == 0 {
				w = append(w, v[len(v)-1])
			} else {
				w = append(w, genValue(rt, &c.Type))
			}
		}
		k, err := tuple.NewKey(drawn, orders)
		if err != nil {
			rt.Fatal(err)
		}
		a, b := k.Append(nil, v, nil), k.Append(nil, w, nil)
		if got, want := bytes.Compare(a, b), compareRows(drawn, orders, v, w); got != want {
			rt.Fatalf("%x and %x compare as %d, want %d", a, b, got, want)
		}
	})
}

func compareRows(cols []schema.Column, orders []tuple.Order, v, w schema.Row) int {
	for i := range cols {
		d := compare(&cols[i].Type, cols[i].Collation, v[i], w[i])
		switch {
		case d == 0:
			continue
		case v[i].IsNull() || w[i].IsNull():
			if orders[i].NullsFirst {
				d = -d
			}
		case orders[i].Desc:
			d = -d
		}
		return d
	}
	return 0
}

// What is decoded is SQL-equal, and the same where the key says so.
func TestDecode(t *testing.T) {
	cols := sqlColumns()
	rapid.Check(t, func(rt *rapid.T) {
		c := rapid.SampledFrom(cols).Draw(rt, "column")
		k, err := tuple.NewKey([]schema.Column{c, c}, []tuple.Order{{}, {Desc: true}})
		if err != nil {
			rt.Fatal(err)
		}
		v := schema.Row{genValue(rt, &c.Type), genValue(rt, &c.Type)}
		b := k.Append(nil, v, nil)
		got, _, err := k.Decode(b, nil, nil)
		if err != nil {
			rt.Fatal(err)
		}
		for i := range v {
			if compare(&c.Type, c.Collation, v[i], got[i]) != 0 || v[i].IsNull() != got[i].IsNull() {
				rt.Fatalf("column %d comes back as another value", i)
			}
			if zero := c.Type.Kind == schema.KindFloat && v[i].Float() == 0; k.Exact() && !zero && !v[i].Identical(got[i]) {
				rt.Fatalf("column %d comes back with another representation", i)
			}
		}
		if again := k.Append(nil, got, nil); !bytes.Equal(again, b) {
			rt.Fatalf("%x is encoded again as %x", b, again)
		}
	})
}

// The first columns alone are the beginning of the whole, and Split finds them.
func TestPrefix(t *testing.T) {
	cols := sqlColumns()
	rapid.Check(t, func(rt *rapid.T) {
		drawn := rapid.SliceOfN(rapid.SampledFrom(cols), 2, 4).Draw(rt, "columns")
		orders := make([]tuple.Order, len(drawn))
		row, at := make(schema.Row, len(drawn)), make([]int, len(drawn))
		for i := range drawn {
			orders[i].Desc = rapid.Bool().Draw(rt, "desc")
			at[i] = len(drawn) - 1 - i
			row[at[i]] = genValue(rt, &drawn[i].Type)
		}
		k, err := tuple.NewKey(drawn, orders)
		if err != nil {
			rt.Fatal(err)
		}
		n := rapid.IntRange(0, len(drawn)).Draw(rt, "n")
		whole, some := k.Append(nil, row, at), k.Append(nil, row, at[:n])
		head, tail, err := k.Split(whole, n)
		if err != nil || !bytes.Equal(head, some) || len(head)+len(tail) != len(whole) {
			rt.Fatalf("%x is split behind %d columns into %x and %x, %v; want %x first", whole, n, head, tail, err, some)
		}
		values, _, err := k.Decode(head, nil, nil)
		if err != nil || len(values) != n {
			rt.Fatalf("the first %d columns are decoded as %d, %v", n, len(values), err)
		}
	})
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ prefix, end string }{
		{"", ""}, {"\xff", ""}, {"\xff\xff", ""}, {"a", "b"}, {"a\xff", "b"}, {"a\xfe\xff", "a\xff"},
	} {
		if got := string(tuple.PrefixEnd(nil, []byte(c.prefix))); got != c.end {
			t.Errorf("behind all of %q lies %q, want %q", c.prefix, got, c.end)
		}
	}
}

// An enum's label that was added later sorts last and is kept.
func TestUnknownLabel(t *testing.T) {
	c := schema.Column{Name: "mood", Type: schema.Type{Kind: schema.KindText, Labels: []string{"sad", "ok"}}}
	for _, o := range []tuple.Order{{}, {Desc: true}} {
		k := newKey(t, []schema.Column{c, c}, o, o)
		row := schema.Row{schema.Text([]byte("happy")), schema.Text([]byte("ok"))}
		b := k.Append(nil, row, nil)
		got, _, err := k.Decode(b, nil, nil)
		if err != nil || !got.Identical(row) {
			t.Errorf("%x is decoded as %v, %v", b, got, err)
		}
		swapped := k.Append(nil, row, []int{1, 0})
		if (bytes.Compare(swapped, b) < 0) == o.Desc {
			t.Errorf("%x and %x do not sort by place", swapped, b)
		}
	}
}

// A value that was not sent is no NULL, even where it should never be (I5).
func TestUnknownIsNotNull(t *testing.T) {
	k := newKey(t, []schema.Column{column(schema.KindInt)})
	if bytes.Equal(k.Append(nil, schema.Row{schema.Unknown()}, nil), k.Append(nil, schema.Row{schema.Null()}, nil)) {
		t.Fatal("unknown is encoded as NULL")
	}
}

func TestRefusedKeys(t *testing.T) {
	elem := schema.Type{Kind: schema.KindJSON, Name: "json"}
	for name, c := range map[string]schema.Column{
		"json":                       {Type: elem},
		"json[]":                     {Type: schema.Type{Kind: schema.KindArray, Elem: &elem}},
		"an array of unknown type":   {Type: schema.Type{Kind: schema.KindArray}},
		"a collation without a care": {Type: schema.Type{Kind: schema.KindText}, Collation: schema.Collation{Name: "ci"}},
		"no kind":                    {},
	} {
		if _, err := tuple.NewKey([]schema.Column{c}, nil); err == nil {
			t.Errorf("%s became a key", name)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	cols, row := wide()
	k := newKey(t, cols)
	dst := make([]byte, 0, 1<<12)
	if n := testing.AllocsPerRun(100, func() { dst = k.Append(dst[:0], row, nil) }); n != 0 {
		t.Errorf("%v allocations per tuple", n)
	}
}

// wide is a row with a value of every type.
func wide() ([]schema.Column, schema.Row) {
	cols := sqlColumns()
	row := schema.Row{
		schema.Bool(true), schema.Int(123_456), schema.Float(1.5), schema.Float(math.Pi), schema.Decimal([]byte("-1234.5600")),
		schema.Text([]byte("some text of a usual length")), schema.Text([]byte("padded  ")), schema.Bytes([]byte{0, 1, 2}), schema.Date(20_000),
		schema.Time(3_600_000_000), schema.Timestamp(800_000_000_000_000), schema.Timestamp(-1), schema.Interval(1, -2, 3), schema.UUID(bytes.Repeat([]byte{7}, 16)),
		schema.Text([]byte("happy")), array([]schema.Value{schema.Int(1), schema.Null()}), array(nil), array([]schema.Value{schema.Text([]byte("x"))}),
	}
	return cols, row
}

func FuzzDecode(f *testing.F) {
	cols, row := wide()
	orders := make([]tuple.Order, len(cols))
	for i := range cols {
		for _, orders[i].Desc = range []bool{false, true} {
			f.Add(uint8(i), orders[i].Desc, newKey(f, cols[i:i+1], orders[i]).Append(nil, row[i:i+1], nil))
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, desc bool, b []byte) {
		c := cols[int(at)%len(cols)]
		k := newKey(t, []schema.Column{c, c}, tuple.Order{Desc: desc}, tuple.Order{Desc: !desc})
		got, _, err := k.Decode(b, nil, nil)
		if err != nil {
			return
		}
		canonical := k.Append(nil, got, nil)
		again, _, err := k.Decode(canonical, nil, nil)
		if err != nil || !bytes.Equal(k.Append(nil, again, nil), canonical) {
			t.Fatalf("%x is decoded as %v, encoded as %x and decoded as %v, %v", b, got, canonical, again, err)
		}
		if head, tail, err := k.Split(b, len(got)); err != nil || len(head) != len(b) || len(tail) != 0 {
			t.Fatalf("%x is split into %x and %x, %v", b, head, tail, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	cols, row := wide()
	for i := range cols {
		k := newKey(b, cols[i:i+1])
		b.Run(cols[i].Name, func(b *testing.B) {
			dst := make([]byte, 0, 1<<10)
			b.ReportAllocs()
			for b.Loop() {
				dst = k.Append(dst[:0], row[i:i+1], nil)
			}
		})
	}
}
