package scalar

import (
	"bytes"

	"github.com/evertdb/evert/schema"
)

// cases change letters of ASCII, which is what they do under collation C.
func cases() []overload {
	return needing(CCollation,
		unary("upper", Text, Text, func(v schema.Value) (schema.Value, error) { return text(upperASCII(v.Ref())), nil }),
		unary("lower", Text, Text, func(v schema.Value) (schema.Value, error) { return text(lowerASCII(v.Ref())), nil }),
		unary("initcap", Text, Text, func(v schema.Value) (schema.Value, error) { return text(initcap(v.Ref())), nil }))
}

func upperASCII(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if c >= 'a' && c <= 'z' {
			out[i] = c - 'a' + 'A'
		}
	}
	return out
}

func lowerASCII(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c - 'A' + 'a'
		}
	}
	return out
}

func initcap(b []byte) []byte {
	out := lowerASCII(b)
	inside := false
	for i, c := range out {
		if !inside && c >= 'a' && c <= 'z' {
			out[i] = c - 'a' + 'A'
		}
		inside = c >= 'a' && c <= 'z' || isDigit(c)
	}
	return out
}
