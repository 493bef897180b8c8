package opensearch

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
)

func keyTable(columns ...schema.Column) *schema.Table {
	t := &schema.Table{Schema: "public", Name: "t", Columns: columns}
	for i := range columns {
		t.Key = append(t.Key, i)
	}
	return t
}

// TestDocumentID: S06 the ids that are documented, and that no two keys share one.
func TestDocumentID(t *testing.T) {
	text := schema.Column{Name: "k", Type: schema.Type{Kind: schema.KindText, Name: "text"}}
	number := schema.Column{Name: "n", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}}
	one, two := keyTable(text), keyTable(number, text)
	long := strings.Repeat("é", 257)
	const hashed = "%sha256:"
	for _, c := range []struct {
		t    *schema.Table
		row  schema.Row
		want string
	}{
		{one, schema.Row{schema.Text([]byte("ann"))}, "ann"},
		{one, schema.Row{schema.Text([]byte("a/b%c"))}, "a%2Fb%25c"},
		{one, schema.Row{schema.Text(nil)}, "%E"},
		{one, schema.Row{schema.Null()}, "%N"},
		{one, schema.Row{schema.Text([]byte("%N"))}, "%25N"},
		{two, schema.Row{schema.Int(-7), schema.Text([]byte("x/1"))}, "-7/x%2F1"},
		{one, schema.Row{schema.Text([]byte(long))}, hashed + "*"},
		{one, schema.Row{schema.Text([]byte(long + "x"))}, hashed + "*"},
		{one, schema.Row{schema.Text([]byte("\xff"))}, hashed + "*"},
		{one, schema.Row{schema.Text([]byte("\xfe"))}, hashed + "*"},
		{one, schema.Row{schema.Text([]byte(strings.Repeat("y", 512)))}, strings.Repeat("y", 512)},
	} {
		got := string(appendID([]byte("head"), c.t, c.row))
		got, ok := strings.CutPrefix(got, "head")
		if prefix, any := strings.CutSuffix(c.want, "*"); !ok || any && (!strings.HasPrefix(got, prefix) || len(got) != len(hashed)+64) || !any && got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// FuzzDocumentID: two different keys have two ids, each of at most 512 bytes.
func FuzzDocumentID(f *testing.F) {
	f.Add([]byte("a/"), []byte("b"), []byte("a"), []byte("/b"))
	f.Add([]byte("%2F"), []byte(""), []byte("/"), []byte("%E"))
	text := schema.Column{Name: "k", Type: schema.Type{Kind: schema.KindText, Name: "text"}}
	table := keyTable(text, text)
	f.Fuzz(func(t *testing.T, a, b, c, d []byte) {
		one := appendID(nil, table, schema.Row{schema.Text(a), schema.Text(b)})
		other := appendID(nil, table, schema.Row{schema.Text(c), schema.Text(d)})
		same := string(a) == string(c) && string(b) == string(d)
		if len(one) > mostID || (string(one) == string(other)) != same {
			t.Errorf("%q and %q", one, other)
		}
	})
}

// TestPace: S02 halves when busy, grows slowly, and never above what was too large.
func TestPace(t *testing.T) {
	p := newPace(1000, 1<<20)
	ops := make([]*op, 2000)
	for i := range ops {
		ops[i] = &op{start: i * 100, end: i*100 + 100}
	}
	if n := p.cut(ops); n != 1000 {
		t.Errorf("at first %d", n)
	}
	p.busy()
	p.busy()
	if n := p.cut(ops); n != 250 {
		t.Errorf("after two refusals %d", n)
	}
	for range 20 {
		p.fine()
	}
	if n := p.cut(ops); n != 1000 {
		t.Errorf("recovered to %d", n)
	}
	p.tooLarge(100_000)
	for range 40 {
		p.fine()
	}
	if n := p.cut(ops); n != 500 {
		t.Errorf("beside a limit %d", n)
	}
	for range 40 {
		p.busy()
	}
	if n := p.cut(ops[:1]); n != 1 {
		t.Errorf("one is always taken: %d", n)
	}
}
