package document_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/schema"
)

var (
	bigint  = schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}
	numeric = schema.Type{Kind: schema.KindDecimal, Name: "numeric"}
	double  = schema.Type{Kind: schema.KindFloat, Name: "double precision", Bits: 64}
	text    = schema.Type{Kind: schema.KindText, Name: "text"}
	bytea   = schema.Type{Kind: schema.KindBytes, Name: "bytea"}
	jsonb   = schema.Type{Kind: schema.KindJSON, Name: "jsonb", Binary: true}
	boolean = schema.Type{Kind: schema.KindBool, Name: "boolean"}
	ints    = schema.Type{Kind: schema.KindArray, Name: "bigint[]", Elem: &bigint}
)

// Values of times are held to Postgres's own texts by pipeline/view/query.
func TestValues(t *testing.T) {
	one := schema.Array(schema.AppendArray(nil, schema.Int(1), schema.Null()))
	for _, c := range []struct {
		t    schema.Type
		v    schema.Value
		want string
	}{
		{ints, one, "[1,null]"},
		{ints, schema.Array(schema.AppendArray(nil, one, one)), "[[1,null],[1,null]]"},
		{ints, schema.Array(schema.AppendArray(nil)), "[]"},
		{jsonb, schema.JSON([]byte("{\"a\":\n\t[1]}")), `{"a":  [1]}`},
		{jsonb, schema.JSON([]byte("{broken")), `"{broken"`},
		{bigint, schema.Null(), "null"},
		{bigint, schema.Int(math.MinInt64), "-9223372036854775808"},
		{numeric, schema.Decimal([]byte("1234567890123456789012345.50")), "1234567890123456789012345.50"},
		{numeric, schema.Decimal([]byte("NaN")), `"NaN"`},
		{double, schema.Float(math.Inf(-1)), `"-Infinity"`},
		{boolean, schema.Bool(true), "true"},
		{bytea, schema.Bytes([]byte{0, 255}), `"\\x00ff"`},
		{text, schema.Text([]byte("a\"\\\n\r\u2028é")), `"a\"\\\n\u000d` + "\u2028é" + `"`},
	} {
		if got := string(document.AppendValue(nil, &c.t, c.v)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestRow(t *testing.T) {
	e := document.New([]schema.Column{{Name: "id", Type: bigint}, {Name: `a "b"`, Type: text}, {Name: "history", Type: jsonb}})
	row := schema.Row{schema.Int(7), schema.Null(), schema.JSON([]byte(`[{"id": 1, "total": 2.50}]`))}
	want := `head{"id":7,"a \"b\"":null,"history":[{"id": 1, "total": 2.50}]}`
	if got := string(e.Append([]byte("head"), row)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := string(document.New(nil).Append(nil, nil)); got != "{}" {
		t.Errorf("no columns: %s", got)
	}
}

// FuzzString: whatever the bytes, the document is JSON on one line that reads back
// as what was UTF-8 of them.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\x00\x7f", "é\xff", "\u2028"} {
		f.Add([]byte(s))
	}
	e := document.New([]schema.Column{{Name: "v", Type: text}})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := e.Append(nil, schema.Row{schema.Text(b)})
		var back struct{ V string }
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if want := strings.ToValidUTF8(string(b), "\ufffd"); !sameText(back.V, want) || bytes.ContainsAny(got, "\n\r") {
			t.Errorf("%q reads back as %q from %s", b, back.V, got)
		}
	})
}

// sameText compares texts in which a run of broken bytes may be one U+FFFD or
// several.
func sameText(a, b string) bool {
	squeeze := func(s string) string {
		for strings.Contains(s, "\ufffd\ufffd") {
			s = strings.ReplaceAll(s, "\ufffd\ufffd", "\ufffd")
		}
		return s
	}
	return squeeze(a) == squeeze(b)
}

func BenchmarkRow(b *testing.B) {
	e := document.New([]schema.Column{{Name: "id", Type: bigint}, {Name: "name", Type: text}, {Name: "spent", Type: numeric}, {Name: "history", Type: jsonb}})
	row := schema.Row{schema.Int(7), schema.Text([]byte("Ann of Berlin")), schema.Decimal([]byte("12.50")), schema.JSON([]byte(`[{"id": 1, "total": 2.50}]`))}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = e.Append(dst[:0], row)
	}
}
