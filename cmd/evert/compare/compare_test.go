package compare

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/schema"
)

func columns(t *testing.T) *Columns {
	t.Helper()
	c, err := NewColumns([]schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
		{Name: "price", Type: schema.Type{Kind: schema.KindDecimal, Name: "numeric"}},
		{Name: "rate", Type: schema.Type{Kind: schema.KindFloat, Name: "double precision", Bits: 64}},
		{Name: "doc", Type: schema.Type{Kind: schema.KindJSON, Name: "jsonb"}},
	}, []int{0}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// row is the bytes of one: cells are texts, - is NULL.
func row(cells ...string) []byte {
	var b []byte
	for _, c := range cells {
		if c == "-" {
			b = (&Columns{}).AppendCell(b, nil)
			continue
		}
		b = (&Columns{}).AppendCell(b, []byte(c))
	}
	return b
}

// one is a row that is added: none says that it went.
type one struct {
	id    int64
	cells []byte
}

func sorted(t *testing.T, c *Columns, rows ...one) dataflow.Sorter {
	t.Helper()
	pool, err := spill.Open(t.TempDir(), spill.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := pool.NewSorter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, r := range rows {
		if err := s.Add(c.AppendKey(nil, schema.Row{schema.Int(r.id)}), r.cells); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func merged(t *testing.T, c *Columns, here, there dataflow.Sorter, equal func(a, b []byte) bool) Report {
	t.Helper()
	left, err := here.Sort()
	if err != nil {
		t.Fatal(err)
	}
	right, err := there.Sort()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Merge(left, right, equal)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMerge(t *testing.T) {
	c := columns(t)
	v := func(id int64, text string) one { return one{id, row("x", text, "-", "-")} }
	gone := func(id int64) one { return one{id, nil} }
	for _, test := range []struct {
		story       string
		here, there []one
		want        string // rows equal missing surplus differing twice, and the keys
	}{
		{"nothing", nil, nil, "0 0 0 0 0 0"},
		{"the same, in another order", []one{v(2, "b"), v(1, "a")}, []one{v(1, "a"), v(2, "b")}, "2 2 0 0 0 0"},
		{"the newest counts", []one{v(1, "old"), v(1, "a")}, []one{v(1, "a")}, "1 1 0 0 0 0"},
		{"what went and came again", []one{v(1, "a"), gone(1), v(2, "b"), gone(2), v(2, "c")}, []one{v(2, "c")}, "1 1 0 0 0 0"},
		{"a row that is missing", []one{v(1, "a")}, []one{v(0, "z"), v(1, "a"), v(2, "b")}, `3 1 2 0 0 0 missing{"id":0} missing{"id":2}`},
		{"one that should be gone", []one{v(0, "z"), v(1, "a"), v(2, "b")}, []one{v(1, "a")}, `1 1 0 2 0 0 surplus{"id":0} surplus{"id":2}`},
		{"other values", []one{v(1, "a"), v(2, "b")}, []one{v(1, "a"), v(2, "c")}, `2 1 0 0 1 0 differing{"id":2}`},
		{"a key that is none", []one{v(1, "a")}, []one{v(1, "a"), v(1, "a")}, `1 0 0 0 0 1 twice{"id":1}`},
		{"more than are named", nil, []one{v(1, ""), v(2, ""), v(3, ""), v(4, "")}, `4 0 4 0 0 0 missing{"id":1} missing{"id":2} missing{"id":3}`},
	} {
		r := merged(t, c, sorted(t, c, test.here...), sorted(t, c, test.there...), SameTexts)
		got := fmt.Sprint(r.Rows, r.Equal, r.Missing, r.Surplus, r.Differing, r.Twice)
		for _, k := range r.Keys {
			got += " " + k.Kind + string(k.Key)
		}
		if got != test.want || r.Same() != (len(r.Keys) == 0) {
			t.Errorf("%s: %s, want %s", test.story, got, test.want)
		}
	}
}

func TestSameValues(t *testing.T) {
	c := columns(t)
	for _, test := range []struct {
		a, b []string
		want bool
	}{
		{[]string{"1", "1.00", "0.1", "{}"}, []string{"1", "1", "0.1", "{}"}, true},
		{[]string{"1", "-0.00", "0.1", "{}"}, []string{"1", "0", "0.1", "{}"}, true},
		{[]string{"1", "1.01", "0.1", "{}"}, []string{"1", "1.0", "0.1", "{}"}, false},
		{[]string{"1", "10", "0.1", "{}"}, []string{"1", "1", "0.1", "{}"}, false},
		{[]string{"1", "NaN", "NaN", "-"}, []string{"1", "NaN", "NaN", "-"}, true},
		{[]string{"1", "-", "1", "{}"}, []string{"1", "0", "1", "{}"}, false},
		{[]string{"1", "0", "0.30000000000000004", "{}"}, []string{"1", "0", "0.3", "{}"}, true},
		{[]string{"1", "0", "0.3000001", "{}"}, []string{"1", "0", "0.3", "{}"}, false},
		{[]string{"1", "0", "1", `{"a": [1.0, "x"]}`}, []string{"1", "0", "1", `{"a":[1.00,"x"]}`}, true},
		{[]string{"1", "0", "1", `{"a": [1, "x"]}`}, []string{"1", "0", "1", `{"a":["1","x"]}`}, false},
		{[]string{"1", "0", "1", `[1]`}, []string{"1", "0", "1", `[1,2]`}, false},
		{[]string{"2", "0", "1", `[1]`}, []string{"1", "0", "1", `[1]`}, false},
	} {
		if c.SameValues(row(test.a...), row(test.b...)) != test.want {
			t.Errorf("%q and %q: want %t", test.a, test.b, test.want)
		}
	}
}

// An elsewhere is a value that is not in memory.
type elsewhere []byte

func (e elsewhere) Size() int64                  { return int64(len(e)) }
func (e elsewhere) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(e)), nil }
func (e elsewhere) Load() (schema.Value, error)  { return schema.Bytes(e), nil }

// P26: a long text has one form, wherever it lies: its length and a hash of all of it.
func TestLongTexts(t *testing.T) {
	c := columns(t)
	c.Brief = true
	bytea, text := &schema.Type{Kind: schema.KindBytes, Name: "bytea"}, &schema.Type{Kind: schema.KindText, Name: "text"}
	for _, n := range []int{0, 1, 1000, longText/2 - 2, longText / 2, longText - 1, longText, 3 * longText} {
		value := bytes.Repeat([]byte("x"), n)
		for _, typ := range []*schema.Type{bytea, text} {
			v := schema.Bytes(value)
			if typ == text {
				v = schema.Text(value)
			}
			want, _ := c.AppendValue([]byte("row"), typ, v, nil)
			got, err := c.AppendLarge([]byte("row"), typ, elsewhere(value))
			if typ == text && n < longText { // Load gives bytes, which are printed otherwise
				continue
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes of %s: %d and %d bytes, %v", n, typ.Name, len(got), len(want), err)
			}
			if n >= longText && len(got) > 50 {
				t.Errorf("%d bytes of %s take %d", n, typ.Name, len(got))
			}
		}
	}
	last := bytes.Repeat([]byte("x"), longText)
	same, _ := c.AppendLarge(nil, text, elsewhere(last))
	last[longText-1] = 'y'
	if other, _ := c.AppendLarge(nil, text, elsewhere(last)); SameTexts(same, other) {
		t.Error("a text that differs in its last byte is the same")
	}
}
