package scalar

import (
	"math/bits"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/jsonb"
	"github.com/evertdb/evert/schema"
)

// sundryOverloads are functions that belong nowhere else.
func sundryOverloads() []overload {
	nulls := func(want bool) evalFunc {
		return func(v []schema.Value) (schema.Value, error) {
			n := int64(0)
			for _, x := range v {
				if x.IsNull() == want {
					n++
				}
			}
			return schema.Int(n), nil
		}
	}
	return append([]overload{
		{name: "num_nulls", args: []ID{anyType}, rest: anyType, result: Int4, loose: true, eval: nulls(true)},
		{name: "num_nonnulls", args: []ID{anyType}, rest: anyType, result: Int4, loose: true, eval: nulls(false)},
		unary("bit_count", Bytea, Int8, func(v schema.Value) (schema.Value, error) {
			n := 0
			for _, b := range v.Ref() {
				n += bits.OnesCount8(b)
			}
			return schema.Int(int64(n)), nil
		}),
		binary("get_byte", Bytea, Int4, Int4, func(v, i schema.Value) (schema.Value, error) {
			if i.Int() < 0 || i.Int() >= int64(len(v.Ref())) {
				return schema.Null(), fault.New("2202E", "index %d out of valid range", i.Int())
			}
			return schema.Int(int64(v.Ref()[i.Int()])), nil
		}),
		binary("trim_array", anyArray, Int4, anyArray, trimArray),
	}, jsonSundries()...)
}

func trimArray(v, n schema.Value) (schema.Value, error) {
	if n.Int() < 0 || n.Int() > int64(v.Len()) {
		return schema.Null(), fault.New("2202E", "number of elements to trim must be between 0 and %d", v.Len())
	}
	keep := int64(v.Len()) - n.Int()
	return schema.Array(schema.AppendArray(nil, elementsOf(v)[:keep]...)), nil
}

// jsonSundries are the rarer functions of json.
func jsonSundries() []overload {
	set := func(v []schema.Value, change func(n jsonb.Node, path [][]byte, value jsonb.Node) (jsonb.Node, error)) (schema.Value, error) {
		n, err := jsonb.Parse(v[0].Ref())
		if err != nil {
			return schema.Null(), err
		}
		path, err := keysOf(v[1], false)
		if err != nil {
			return schema.Null(), err
		}
		value, err := jsonb.Parse(v[2].Ref())
		if err == nil {
			n, err = change(n, path, value)
		}
		if err != nil {
			return schema.Null(), err
		}
		return schema.JSON(n.Append(nil)), nil
	}
	jsonbSet := func(v []schema.Value) (schema.Value, error) {
		return set(v, func(n jsonb.Node, path [][]byte, value jsonb.Node) (jsonb.Node, error) {
			return jsonb.Set(n, path, value, len(v) < 4 || v[3].Bool())
		})
	}
	return []overload{
		many("jsonb_set", []ID{JSONB, Text.Array(), JSONB}, JSONB, jsonbSet),
		many("jsonb_set", []ID{JSONB, Text.Array(), JSONB, Bool}, JSONB, jsonbSet),
		unary("jsonb_pretty", JSONB, Text, func(v schema.Value) (schema.Value, error) {
			n, err := jsonb.Parse(v.Ref())
			return orNull(text(n.Pretty(nil, 0)), err)
		}),
		{name: "array_to_json", args: []ID{anyArray}, result: JSON, make: jsonMaker(toOne, false)},
	}
}
