package scalar

import (
	"bytes"
	"math"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// parts are functions that give a part of a text, or its place.
func parts() []overload {
	list := []overload{
		binary("left", Text, Int4, Text, func(v, n schema.Value) (schema.Value, error) { return text(leftOf(v.Ref(), n.Int())), nil }),
		binary("right", Text, Int4, Text, func(v, n schema.Value) (schema.Value, error) { return text(rightOf(v.Ref(), n.Int())), nil }),
		needing(BytesCollation, many("split_part", []ID{Text, Text, Int4}, Text, splitPart))[0],
		needing(BytesCollation, binary("strpos", Text, Text, Int4, place))[0],
		needing(BytesCollation, binary("position", Text, Text, Int4, place))[0],
		binary("position", Bytea, Bytea, Int4, func(v, part schema.Value) (schema.Value, error) {
			return schema.Int(int64(bytes.Index(v.Ref(), part.Ref()) + 1)), nil
		}),
		needing(BytesCollation, binary("starts_with", Text, Text, Bool, startsWith))[0],
		needing(BytesCollation, binary("^@", Text, Text, Bool, startsWith))[0],
	}
	for _, name := range [...]string{"substring", "substr"} {
		for _, id := range [...]ID{Text, Bytea} {
			list = append(list,
				binary(name, id, Int4, id, func(v, from schema.Value) (schema.Value, error) {
					return substring(id, v, from.Int(), 1<<40)
				}),
				many(name, []ID{id, Int4, Int4}, id, func(v []schema.Value) (schema.Value, error) {
					return substring(id, v[0], v[1].Int(), v[2].Int())
				}))
		}
	}
	return list
}

// substring counts from 1; what lies before counts for the length.
func substring(id ID, v schema.Value, from, size int64) (schema.Value, error) {
	if size < 0 {
		return schema.Null(), fault.New("22011", "negative substring length not allowed")
	}
	start, end := max(from, 1)-1, max(from+size-1, 0)
	b := v.Ref()
	if id == Bytea {
		n := int64(len(b))
		return schema.Bytes(b[min(start, n):max(min(end, n), min(start, n))]), nil
	}
	b = b[offsetOf(b, int(min(start, int64(len(b))))):]
	return text(b[:offsetOf(b, int(min(max(end-start, 0), int64(len(b)))))]), nil
}

// leftOf gives the first n characters, or all but the last -n.
func leftOf(b []byte, n int64) []byte {
	if n < 0 {
		n = max(int64(utf8.RuneCount(b))+n, 0)
	}
	return b[:offsetOf(b, int(n))]
}

// rightOf gives the last n characters, or all but the first -n.
func rightOf(b []byte, n int64) []byte {
	skip := -n
	if n == math.MinInt32 {
		return b // Postgres negates it in 32 bits
	}
	if n >= 0 {
		skip = max(int64(utf8.RuneCount(b))-n, 0)
	}
	return b[offsetOf(b, int(skip)):]
}

func place(v, part schema.Value) (schema.Value, error) {
	at := bytes.Index(v.Ref(), part.Ref())
	if at < 0 {
		return schema.Int(0), nil
	}
	return schema.Int(int64(utf8.RuneCount(v.Ref()[:at])) + 1), nil
}

func startsWith(v, part schema.Value) (schema.Value, error) {
	return truth(bytes.HasPrefix(v.Ref(), part.Ref()))
}

// splitPart gives field n of a text, counted from the end if n is negative.
func splitPart(v []schema.Value) (schema.Value, error) {
	b, sep, n := v[0].Ref(), v[1].Ref(), v[2].Int()
	if n == 0 {
		return schema.Null(), fault.Parameter("field position must not be zero")
	}
	var fields [][]byte
	switch {
	case len(b) == 0:
	case len(sep) == 0:
		fields = [][]byte{b}
	default:
		fields = bytes.Split(b, sep)
	}
	if n < 0 {
		n += int64(len(fields)) + 1
	}
	if n < 1 || n > int64(len(fields)) {
		return text([]byte{}), nil
	}
	return text(fields[n-1]), nil
}
