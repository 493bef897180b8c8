package scalar

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/schema"
)

// An object that is written at once is the one that is printed and read again.
func TestObjectAtOnce(t *testing.T) {
	t.Parallel()
	text := schema.Type{Kind: schema.KindText}
	values := []struct {
		typ  schema.Type
		make func(*rapid.T) schema.Value
	}{
		{text, func(rt *rapid.T) schema.Value { return schema.Text([]byte(rapid.String().Draw(rt, "text"))) }},
		{text, func(*rapid.T) schema.Value { return schema.Null() }},
		{schema.Type{Kind: schema.KindBool}, func(rt *rapid.T) schema.Value { return schema.Bool(rapid.Bool().Draw(rt, "bool")) }},
		{schema.Type{Kind: schema.KindInt, Bits: 64}, func(rt *rapid.T) schema.Value { return schema.Int(rapid.Int64().Draw(rt, "int")) }},
		{schema.Type{Kind: schema.KindDecimal, Precision: -1, Scale: -1}, func(rt *rapid.T) schema.Value {
			return schema.Decimal([]byte(rapid.SampledFrom([]string{"0", "-1.50", "0.000", "12345678901234567890.1", "NaN", "-Infinity"}).Draw(rt, "decimal")))
		}},
		{schema.Type{Kind: schema.KindFloat, Bits: 64}, func(rt *rapid.T) schema.Value { return schema.Float(rapid.Float64().Draw(rt, "float")) }},
		{schema.Type{Kind: schema.KindDate}, func(rt *rapid.T) schema.Value {
			return schema.Date(rapid.Int32Range(-900_000, 900_000).Draw(rt, "date"))
		}},
		{schema.Type{Kind: schema.KindTimestamp, Zoned: true}, func(rt *rapid.T) schema.Value {
			return schema.Timestamp(rapid.Int64Range(-1<<60, 1<<60).Draw(rt, "timestamp"))
		}},
		{schema.Type{Kind: schema.KindJSON, Binary: true}, func(rt *rapid.T) schema.Value {
			return schema.JSON([]byte(rapid.SampledFrom([]string{`{"a": [1, 2.0]}`, `"x"`, `null`, `[]`}).Draw(rt, "jsonb")))
		}},
		{schema.Type{Kind: schema.KindJSON}, func(rt *rapid.T) schema.Value {
			return schema.JSON([]byte(rapid.SampledFrom([]string{`{"b":1,"a":2,"b":3}`, ` 1e2 `}).Draw(rt, "json")))
		}},
	}
	rapid.Check(t, func(rt *rapid.T) {
		var types []schema.Type
		var args []schema.Value
		for range rapid.IntRange(0, 6).Draw(rt, "pairs") {
			key := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "b", "aa", "ä"}), rapid.String()).Draw(rt, "key")
			v := rapid.SampledFrom(values).Draw(rt, "value")
			types, args = append(types, text, v.typ), append(args, schema.Text([]byte(key)), v.make(rt))
		}
		at, err := objectMaker(types, nil)
		if err != nil {
			rt.Fatal(err)
		}
		again, err := jsonMaker(toObject, true)(types, nil)
		if err != nil {
			rt.Fatal(err)
		}
		got, err1 := at(args)
		want, err2 := again(args)
		if (err1 == nil) != (err2 == nil) || err1 == nil && string(got.Ref()) != string(want.Ref()) {
			rt.Fatalf("%s, %v; printed and read again %s, %v", got.Ref(), err1, want.Ref(), err2)
		}
	})
}
