package tuple_test

import (
	"fmt"
	"math"
	"strings"

	"github.com/evertdb/evert/schema"
	"pgregory.net/rapid"
)

// sqlColumns are columns of every type that can be a key. Their names are what
// Postgres calls the types.
func sqlColumns() []schema.Column {
	c := schema.Collation{Name: "C", Deterministic: true}
	padded := schema.Collation{Name: "C", Deterministic: true, Pad: true}
	integer := schema.Type{Kind: schema.KindInt, Bits: 64}
	number := schema.Type{Kind: schema.KindDecimal, Precision: -1, Scale: -1}
	text := schema.Type{Kind: schema.KindText}
	list := []schema.Column{
		{Name: "boolean", Type: schema.Type{Kind: schema.KindBool}},
		{Name: "bigint", Type: integer},
		{Name: "real", Type: schema.Type{Kind: schema.KindFloat, Bits: 32}},
		{Name: "double precision", Type: schema.Type{Kind: schema.KindFloat, Bits: 64}},
		{Name: "numeric", Type: number},
		{Name: "text", Type: text, Collation: c},
		{Name: "char(8)", Type: text, Collation: padded},
		{Name: "bytea", Type: schema.Type{Kind: schema.KindBytes}},
		{Name: "date", Type: schema.Type{Kind: schema.KindDate}},
		{Name: "time", Type: schema.Type{Kind: schema.KindTime}},
		{Name: "timestamp", Type: schema.Type{Kind: schema.KindTimestamp}},
		{Name: "timestamptz", Type: schema.Type{Kind: schema.KindTimestamp, Zoned: true}},
		{Name: "interval", Type: schema.Type{Kind: schema.KindInterval}},
		{Name: "uuid", Type: schema.Type{Kind: schema.KindUUID}},
		{Name: "mood", Type: schema.Type{Kind: schema.KindText, Labels: []string{"sad", "", "happy", "a\x01b"}}},
		{Name: "bigint[]", Type: schema.Type{Kind: schema.KindArray, Elem: &integer}},
		{Name: "numeric[]", Type: schema.Type{Kind: schema.KindArray, Elem: &number}},
		{Name: "text[]", Type: schema.Type{Kind: schema.KindArray, Elem: &text}, Collation: c},
	}
	for i := range list {
		list[i].Type.Name = list[i].Name
	}
	return list
}

// genValue draws a value of type t, often one near another.
func genValue(rt *rapid.T, t *schema.Type) schema.Value {
	if rapid.IntRange(0, 9).Draw(rt, "null") == 0 {
		return schema.Null()
	}
	if t.Labels != nil {
		return schema.Text([]byte(rapid.SampledFrom(t.Labels).Draw(rt, "label")))
	}
	switch t.Kind {
	case schema.KindBool:
		return schema.Bool(rapid.Bool().Draw(rt, "bool"))
	case schema.KindInt:
		return schema.Int(rapid.Int64().Draw(rt, "int"))
	case schema.KindFloat:
		return genFloat(rt, t.Bits)
	case schema.KindDecimal:
		return schema.Decimal([]byte(genDecimal(rt)))
	case schema.KindText:
		return schema.Text([]byte(rapid.StringOfN(rapid.RuneFrom([]rune{1, 2, ' ', 'a', 'b', 'ÿ', '語'}), 0, 8, -1).Draw(rt, "text")))
	case schema.KindBytes:
		return schema.Bytes(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 3, 254, 255}), 0, 6).Draw(rt, "bytes"))
	case schema.KindUUID:
		return schema.UUID(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 255}), 16, 16).Draw(rt, "uuid"))
	case schema.KindArray:
		return genArray(rt, t)
	}
	return genTemporal(rt, t.Kind)
}

func genFloat(rt *rapid.T, bits int) schema.Value {
	odd := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1, -1, math.MaxFloat32, math.SmallestNonzeroFloat32}
	if rapid.Bool().Draw(rt, "odd") {
		return schema.Float(rapid.SampledFrom(odd).Draw(rt, "float"))
	}
	if bits == 32 {
		return schema.Float(float64(rapid.Float32().Draw(rt, "float")))
	}
	return schema.Float(rapid.Float64().Draw(rt, "float"))
}

func genDecimal(rt *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(rt, "special") == 0 {
		return rapid.SampledFrom([]string{"NaN", "Infinity", "-Infinity", "0", "0.000"}).Draw(rt, "decimal")
	}
	digits := rapid.StringOfN(rapid.RuneFrom([]rune("0159")), 1, 6, -1)
	whole := digits.Draw(rt, "whole") + strings.Repeat("0", rapid.SampledFrom([]int{0, 0, 0, 1, 2, 90, 300}).Draw(rt, "scale up"))
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if rapid.Bool().Draw(rt, "fraction") {
		whole += "." + strings.Repeat("0", rapid.SampledFrom([]int{0, 0, 1, 2, 81, 200}).Draw(rt, "scale down")) + digits.Draw(rt, "fraction")
	}
	if rapid.Bool().Draw(rt, "negative") && strings.Trim(whole, "0.") != "" {
		return "-" + whole
	}
	return whole
}

func genTemporal(rt *rapid.T, k schema.Kind) schema.Value {
	switch k {
	case schema.KindDate:
		odd := rapid.SampledFrom([]int32{schema.DateInfinity, schema.DateMinusInfinity, 0, -1})
		return schema.Date(rapid.OneOf(odd, rapid.Int32Range(-2_400_000, 9_000_000)).Draw(rt, "date"))
	case schema.KindTime:
		return schema.Time(rapid.Int64Range(0, schema.MicrosPerDay).Draw(rt, "time"))
	case schema.KindTimestamp:
		odd := rapid.SampledFrom([]int64{schema.TimestampInfinity, schema.TimestampMinusInfinity, 0, -1})
		return schema.Timestamp(rapid.OneOf(odd, rapid.Int64Range(-2_000_000*schema.MicrosPerDay/10, 9_000_000*schema.MicrosPerDay/10)).Draw(rt, "timestamp"))
	}
	if k == schema.KindInterval {
		return genInterval(rt)
	}
	panic(fmt.Sprintf("no values of kind %s", k))
}

// genInterval draws intervals that are often equal in total.
func genInterval(rt *rapid.T) schema.Value {
	few := rapid.Int32Range(-2, 2)
	months, days := rapid.OneOf(few, rapid.Int32Range(-1<<20, 1<<20)).Draw(rt, "months"), rapid.OneOf(few, rapid.Just[int32](30)).Draw(rt, "days")
	day := rapid.Map(few, func(n int32) int64 { return int64(n) * schema.MicrosPerDay })
	return schema.Interval(months, days, rapid.OneOf(day, rapid.Int64Range(-1<<50, 1<<50)).Draw(rt, "micros"))
}

// genArray draws an array of one or two dimensions.
func genArray(rt *rapid.T, t *schema.Type) schema.Value {
	width := rapid.IntRange(0, 3).Draw(rt, "width")
	if width == 0 || rapid.Bool().Draw(rt, "flat") {
		return array(genElements(rt, t, width))
	}
	rows := make([]schema.Value, rapid.IntRange(1, 3).Draw(rt, "height"))
	for i := range rows {
		rows[i] = array(genElements(rt, t, width))
	}
	return array(rows)
}

func genElements(rt *rapid.T, t *schema.Type, n int) []schema.Value {
	elems := make([]schema.Value, n)
	for i := range elems {
		elems[i] = genValue(rt, t.Elem)
	}
	return elems
}

func array(elems []schema.Value) schema.Value {
	return schema.Array(schema.AppendArray(nil, elems...))
}
