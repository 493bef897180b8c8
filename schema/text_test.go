package schema_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
)

var (
	double  = schema.Type{Kind: schema.KindFloat, Bits: 64}
	single  = schema.Type{Kind: schema.KindFloat, Bits: 32}
	texts   = schema.Type{Kind: schema.KindArray, Elem: &schema.Type{Kind: schema.KindText}}
	numbers = schema.Type{Kind: schema.KindArray, Elem: &schema.Type{Kind: schema.KindInt, Bits: 32}}
	plain   = schema.Type{}
	zoned   = schema.Type{Kind: schema.KindTimestamp, Zoned: true}
)

func array(elems ...schema.Value) schema.Value {
	return schema.Array(schema.AppendArray(nil, elems...))
}

func word(s string) schema.Value { return schema.Text([]byte(s)) }

// Each text is what Postgres 15 prints for the value. json is what AppendJSON
// prints where it is not the text as a string.
var printed = []struct {
	typ   schema.Type
	value schema.Value
	text  string
	json  string
}{
	{plain, schema.Bool(true), `t`, ``},
	{plain, schema.Bool(false), `f`, ``},
	{plain, schema.Int(math.MinInt64), `-9223372036854775808`, `-9223372036854775808`},
	{plain, schema.Int(9007199254740993), `9007199254740993`, `9007199254740993`},
	{plain, schema.Decimal([]byte("18446744073709551615")), `18446744073709551615`, `18446744073709551615`},
	{plain, schema.Decimal([]byte("-12.30")), `-12.30`, `-12.30`},
	{plain, schema.Decimal([]byte("0.00")), `0.00`, `0.00`},
	{plain, schema.Decimal([]byte("NaN")), `NaN`, `"NaN"`},
	{plain, schema.Decimal([]byte("-Infinity")), `-Infinity`, `"-Infinity"`},
	{plain, word(`say "hi" \ é`), `say "hi" \ é`, `"say \"hi\" \\ é"`},
	{plain, schema.Bytes([]byte{0, 0x1f, 0xff}), `\x001fff`, `"\\x001fff"`},
	{plain, schema.Bytes(nil), `\x`, `"\\x"`},
	{plain, schema.JSON([]byte(`{"a": 1}`)), `{"a": 1}`, `"{\"a\": 1}"`},
	{plain, schema.UUID([]byte("0123456789abcdef")), `30313233-3435-3637-3839-616263646566`, ``},

	{double, schema.Float(0.1), `0.1`, ``},
	{double, schema.Float(1), `1`, ``},
	{double, schema.Float(math.Copysign(0, -1)), `-0`, ``},
	{double, schema.Float(1e15), `1e+15`, ``},
	{double, schema.Float(123456789012345), `123456789012345`, ``},
	{double, schema.Float(1e-4), `0.0001`, ``},
	{double, schema.Float(1e-5), `1e-05`, ``},
	{double, schema.Float(math.MaxFloat64), `1.7976931348623157e+308`, ``},
	{double, schema.Float(5e-324), `5e-324`, ``},
	{double, schema.Float(49855148038683776), `4.9855148038683776e+16`, ``}, // halfway: one digit more than strconv
	{double, schema.Float(math.NaN()), `NaN`, ``},
	{double, schema.Float(math.Inf(1)), `Infinity`, ``},
	{double, schema.Float(math.Inf(-1)), `-Infinity`, ``},
	{single, schema.Float(float64(float32(0.1))), `0.1`, ``},
	{single, schema.Float(100000), `100000`, ``},
	{single, schema.Float(1e6), `1e+06`, ``},
	{single, schema.Float(33554432), `3.3554432e+07`, ``},
	{single, schema.Float(60000002048), `6.0000002e+10`, ``},

	{plain, schema.Date(0), `1970-01-01`, ``},
	{plain, schema.Date(11_016), `2000-02-29`, ``},
	{plain, schema.Date(-719_528), `0001-01-01 BC`, ``},
	{plain, schema.Date(-719_162), `0001-01-01`, ``},
	{plain, schema.Date(-2_440_588), `4714-11-24 BC`, ``},
	{plain, schema.Date(2_145_042_905), `5874897-12-31`, ``},
	{plain, schema.Date(schema.DateInfinity), `infinity`, ``},
	{plain, schema.Date(schema.DateMinusInfinity), `-infinity`, ``},
	{plain, schema.Time(0), `00:00:00`, ``},
	{plain, schema.Time(schema.MicrosPerDay), `24:00:00`, ``},
	{plain, schema.Time(45_296_789_000), `12:34:56.789`, ``},
	{plain, schema.Time(1), `00:00:00.000001`, ``},
	{plain, schema.Timestamp(0), `2000-01-01 00:00:00`, ``},
	{plain, schema.Timestamp(-1), `1999-12-31 23:59:59.999999`, ``},
	{plain, schema.Timestamp(500_000), `2000-01-01 00:00:00.5`, ``},
	{plain, schema.Timestamp(9_223_371_331_199_999_999), `294276-12-31 23:59:59.999999`, ``},
	{plain, schema.Timestamp(-211_813_488_000_000_000), `4714-11-24 00:00:00 BC`, ``},
	{plain, schema.Timestamp(schema.TimestampInfinity), `infinity`, ``},
	{plain, schema.Timestamp(schema.TimestampMinusInfinity), `-infinity`, ``},
	{zoned, schema.Timestamp(120_000), `2000-01-01 00:00:00.12+00`, ``},
	{zoned, schema.Timestamp(-746_117 * schema.MicrosPerDay), `0044-03-15 00:00:00+00 BC`, ``},
	{zoned, schema.Timestamp(schema.TimestampInfinity), `infinity`, ``},

	{plain, schema.Interval(0, 0, 0), `00:00:00`, ``},
	{plain, schema.Interval(14, 3, 14_706_789_000), `1 year 2 mons 3 days 04:05:06.789`, ``},
	{plain, schema.Interval(-14, -3, -14_706_789_000), `-1 years -2 mons -3 days -04:05:06.789`, ``},
	{plain, schema.Interval(-1, 1, 0), `-1 mons +1 day`, ``},
	{plain, schema.Interval(12, 0, -1), `1 year -00:00:00.000001`, ``},
	{plain, schema.Interval(0, -1, 1), `-1 days +00:00:00.000001`, ``},
	{plain, schema.Interval(0, 1, 1_000_000), `1 day 00:00:01`, ``},
	{plain, schema.Interval(math.MinInt32, math.MinInt32, math.MinInt64+1),
		`-178956970 years -8 mons -2147483648 days -2562047788:00:54.775807`, ``},

	{texts, array(), `{}`, ``},
	{texts, array(word("a"), schema.Null(), word("")), `{a,NULL,""}`, `"{a,NULL,\"\"}"`},
	{texts, array(word("null"), word("NuLL"), word("nulls")), `{"null","NuLL",nulls}`, `"{\"null\",\"NuLL\",nulls}"`},
	{texts, array(word(`a"b`), word(`a\b`), word(`{`), word(`a,b`), word(" "), word("\v")), `{"a\"b","a\\b","{","a,b"," ","` + "\v" + `"}`, `-`},
	{numbers, array(schema.Int(1), schema.Int(-2)), `{1,-2}`, ``},
	{numbers, array(array(schema.Int(1)), array(schema.Null())), `{{1},{NULL}}`, ``},
	{schema.Type{Elem: &zoned}, array(schema.Timestamp(0)), `{"2000-01-01 00:00:00+00"}`, `"{\"2000-01-01 00:00:00+00\"}"`},
	{schema.Type{Elem: &schema.Type{Name: "box", Kind: schema.KindText}}, array(word("(1,2),(3,4)"), word("(5,6),(7,8)")), `{(1,2),(3,4);(5,6),(7,8)}`, ``},
	{schema.Type{Elem: &schema.Type{Name: "gis.geometry(Point,4326)", Kind: schema.KindText}}, array(word("0101"), word("0102")), `{0101:0102}`, ``},
	{schema.Type{Elem: &plain}, array(schema.Bytes([]byte{1})), `{"\\x01"}`, `"{\"\\\\x01\"}"`},
}

func TestAppendText(t *testing.T) {
	for _, p := range printed {
		if got := string(p.typ.AppendText([]byte("head "), p.value)); got != "head "+p.text {
			t.Errorf("%s of kind %s: printed %s", p.text, p.value.Kind(), got)
		}
	}
	if got := plain.AppendText(nil, schema.Null()); got != nil {
		t.Errorf("NULL is %q", got)
	}
}

func TestAppendPadded(t *testing.T) {
	numbers := []int64{0, 1, 9, 10, 99, 100, 101, 999, 1000, 1234, 9999, 10_000, 56_789, 99_999, 100_000, 123_456, 999_999, 1_000_000, 1_000_001, 1<<63 - 1}
	for width := range 8 {
		for _, n := range numbers {
			want := fmt.Sprintf("%0*d", width, n)
			if width == 0 && n == 0 {
				want = ""
			}
			if got := string(schema.AppendPadded([]byte("x"), n, width)); got != "x"+want {
				t.Errorf("%d to %d digits: %s, want %s", n, width, got[1:], want)
			}
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for _, p := range printed {
		got := p.typ.AppendJSON([]byte("head "), p.value)
		want := p.json
		if want == "" {
			want = `"` + p.text + `"`
		}
		if want != "-" && string(got) != "head "+want {
			t.Errorf("%s of kind %s: JSON %s, want %s", p.text, p.value.Kind(), got, want)
		}
		if !json.Valid(got[5:]) {
			t.Errorf("%s is not JSON", got[5:])
		}
	}
	for _, v := range []schema.Value{schema.Null(), schema.Unknown()} {
		if got := string(plain.AppendJSON(nil, v)); got != "null" {
			t.Errorf("%s is %s", v.Kind(), got)
		}
	}
	for _, odd := range []string{"", "-", "01", "1.", ".5", "1e5", "+1", "1.5x"} {
		if got := string(plain.AppendJSON(nil, schema.Decimal([]byte(odd)))); !strings.HasPrefix(got, `"`) {
			t.Errorf("%q is the number %s", odd, got)
		}
	}
}

func TestRowJSON(t *testing.T) {
	table := &schema.Table{Columns: []schema.Column{{Name: "id"}, {Name: `odd "name"`}, {Name: "gone"}, {Name: "note"}}}
	row := schema.Row{schema.Int(1), schema.Null(), schema.Unknown(), word("x\ny\x01")}
	const want = `{"id":1,"odd \"name\"":null,"note":"x\ny\u0001"}`
	if got := string(table.AppendJSON(nil, row)); got != want {
		t.Errorf("row is %s, want %s", got, want)
	}
	if got := string(table.AppendJSON(nil, nil)); got != "null" {
		t.Errorf("no row is %s", got)
	}
}
