package scalar

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// digestOverloads are digests, and the texts that stand for bytes.
func digestOverloads() []overload {
	list := []overload{
		binary("encode", Bytea, Text, Text, encode),
		binary("decode", Text, Text, Bytea, decode),
		unary("length", Bytea, Int4, func(v schema.Value) (schema.Value, error) { return schema.Int(int64(len(v.Ref()))), nil }),
	}
	for _, id := range [...]ID{Text, Bytea} {
		list = append(list, unary("md5", id, Text, func(v schema.Value) (schema.Value, error) {
			sum := md5.Sum(v.Ref())
			return text(hex.AppendEncode(nil, sum[:])), nil
		}))
	}
	for name, f := range map[string]func(b []byte) []byte{
		"sha224": func(b []byte) []byte { s := sha256.Sum224(b); return s[:] },
		"sha256": func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		"sha384": func(b []byte) []byte { s := sha512.Sum384(b); return s[:] },
		"sha512": func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
	} {
		list = append(list, unary(name, Bytea, Bytea, func(v schema.Value) (schema.Value, error) { return schema.Bytes(f(v.Ref())), nil }))
	}
	return list
}

func encode(v, format schema.Value) (schema.Value, error) {
	switch string(lowerASCII(format.Ref())) {
	case "hex":
		return text(hex.AppendEncode(nil, v.Ref())), nil
	case "base64":
		return text(mimeLines(base64.StdEncoding.AppendEncode(nil, v.Ref()))), nil
	case "escape":
		return text(escaped(v.Ref())), nil
	}
	return schema.Null(), fault.Parameter("unrecognized encoding")
}

// mimeLines breaks lines after 76 characters.
func mimeLines(b []byte) []byte {
	const width = 76
	out := []byte{}
	for len(b) > width {
		out = append(append(out, b[:width]...), '\n')
		b = b[width:]
	}
	out = append(out, b...)
	if len(b) == width {
		out = append(out, '\n')
	}
	return out
}

func escaped(b []byte) []byte {
	out := []byte{}
	for _, c := range b {
		switch {
		case c == 0 || c >= 0x80:
			out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		case c == '\\':
			out = append(out, '\\', '\\')
		default:
			out = append(out, c)
		}
	}
	return out
}

func decode(v, format schema.Value) (schema.Value, error) {
	blank := func(b []byte) []byte {
		return bytes.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
				return -1
			}
			return r
		}, b)
	}
	switch string(lowerASCII(format.Ref())) {
	case "hex":
		return parseHex(v.Ref())
	case "base64":
		out, err := base64.StdEncoding.AppendDecode(nil, blank(v.Ref()))
		if err != nil {
			return schema.Null(), fault.Parameter("invalid base64 data")
		}
		return schema.Bytes(out), nil
	case "escape":
		return parseEscaped(v.Ref())
	}
	return schema.Null(), fault.Parameter("unrecognized encoding")
}
