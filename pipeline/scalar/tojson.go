package scalar

import (
	"bytes"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/jsonb"
	"github.com/evertdb/evert/schema"
)

// jsonMakers make json and jsonb of SQL's values.
func jsonMakers() []overload {
	return []overload{
		{name: "to_jsonb", args: []ID{anyElement}, result: JSONB, make: jsonMaker(toOne, true)},
		{name: "to_json", args: []ID{anyElement}, result: JSON, make: jsonMaker(toOne, false)},
		{name: "jsonb_build_array", rest: anyType, result: JSONB, loose: true, make: jsonMaker(toArray, true)},
		{name: "json_build_array", rest: anyType, result: JSON, loose: true, make: jsonMaker(toArray, false)},
		{name: "jsonb_build_object", rest: anyType, result: JSONB, loose: true, make: objectMaker},
		{name: "json_build_object", rest: anyType, result: JSON, loose: true, make: jsonMaker(toObject, false)},
	}
}

// jsonMaker prints json, and for jsonb reads it again in its own way.
func jsonMaker(write func(dst []byte, args []printed) ([]byte, error), binary bool) maker {
	return func(types []schema.Type, _ *schema.Type) (evalFunc, error) {
		return func(v []schema.Value) (schema.Value, error) {
			args := make([]printed, len(v))
			for i := range v {
				args[i] = printed{v[i], &types[i]}
			}
			out, err := write(nil, args)
			if err == nil && binary {
				out, err = jsonb.Normal(nil, out)
			}
			if err != nil {
				return schema.Null(), err
			}
			return schema.JSON(out), nil
		}, nil
	}
}

func toOne(dst []byte, args []printed) ([]byte, error) {
	return AppendJSON(dst, args[0].typ, args[0].Value), nil
}

func toArray(dst []byte, args []printed) ([]byte, error) {
	dst = append(dst, '[')
	for i, a := range args {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = AppendJSON(dst, a.typ, a.Value)
	}
	return append(dst, ']'), nil
}

func toObject(dst []byte, args []printed) ([]byte, error) {
	if len(args)%2 != 0 {
		return dst, fault.Parameter("argument list must have even number of elements")
	}
	dst = append(dst, '{')
	for i := 0; i < len(args); i += 2 {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		var err error
		if dst, err = appendKey(dst, args[i], i); err != nil {
			return dst, err
		}
		dst = AppendJSON(append(dst, " : "...), args[i+1].typ, args[i+1].Value)
	}
	return append(dst, '}'), nil
}

// appendKey writes a key, which is any scalar's text.
func appendKey(dst []byte, key printed, i int) ([]byte, error) {
	id := Identify(key.typ)
	switch {
	case key.IsNull():
		return dst, fault.Parameter("argument %d cannot be null", i+1)
	case id.IsArray() || id == JSON || id == JSONB:
		return dst, fault.Parameter("key value must be scalar, not array, composite, or json")
	}
	value := AppendJSON(nil, key.typ, key.Value)
	if value[0] == '"' {
		return append(dst, value...), nil
	}
	return append(append(append(dst, '"'), value...), '"'), nil
}

// AppendJSON writes a value as to_json does: numbers and booleans as such, times
// in ISO 8601 with a T, json as it is, arrays element by element, and everything
// else as a string of its text.
func AppendJSON(dst []byte, t *schema.Type, v schema.Value) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	switch v.Kind() {
	case schema.KindBool:
		if v.Bool() {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case schema.KindInt, schema.KindFloat, schema.KindDecimal:
		return appendNumber(dst, t, v)
	case schema.KindJSON:
		return append(dst, v.Ref()...)
	case schema.KindText:
		return jsonb.AppendString(dst, v.Ref())
	case schema.KindTimestamp, schema.KindDate:
		return appendISO(dst, t, v)
	case schema.KindArray:
		return appendElements(dst, t.Elem, v)
	}
	return jsonb.AppendString(dst, t.AppendText(nil, v))
}

func appendNumber(dst []byte, t *schema.Type, v schema.Value) []byte {
	start := len(dst)
	dst = t.AppendText(dst, v)
	if bytes.ContainsAny(dst[start:], "NI") { // NaN, Infinity
		return jsonb.AppendString(dst[:start], bytes.Clone(dst[start:]))
	}
	return dst
}

func appendElements(dst []byte, elem *schema.Type, v schema.Value) []byte {
	dst = append(dst, '[')
	for i, e := range v.Elements() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if e.Kind() == schema.KindArray {
			dst = appendElements(dst, elem, e)
		} else {
			dst = AppendJSON(dst, elem, e)
		}
	}
	return append(dst, ']')
}

// appendISO writes 2000-01-01T00:00:00+00:00, a BC at the end, and infinities by
// their names.
func appendISO(dst []byte, t *schema.Type, v schema.Value) []byte {
	s := t.AppendText(nil, v)
	if v.Kind() == schema.KindTimestamp {
		s = bytes.Replace(s, []byte(" "), []byte("T"), 1)
		s = bytes.Replace(s, []byte("+00"), []byte("+00:00"), 1)
	}
	return append(append(append(dst, '"'), s...), '"')
}
