package scalar

import (
	"bytes"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// textOverloads are the functions of text that know characters.
func textOverloads() []overload {
	var list []overload
	for _, name := range [...]string{"length", "char_length", "character_length"} {
		list = append(list, unary(name, Text, Int4, characters), unary(name, BPChar, Int4, func(v schema.Value) (schema.Value, error) {
			return characters(text(unpad(v.Ref())))
		}))
	}
	for _, id := range [...]ID{Text, BPChar, Bytea} {
		list = append(list,
			unary("octet_length", id, Int4, func(v schema.Value) (schema.Value, error) { return schema.Int(int64(len(v.Ref()))), nil }))
	}
	list = append(list, concatenations()...)
	list = append(list, trims()...)
	list = append(list, pads()...)
	list = append(list, parts()...)
	list = append(list, rewrites()...)
	return append(list, cases()...)
}

func characters(v schema.Value) (schema.Value, error) {
	return schema.Int(int64(utf8.RuneCount(v.Ref()))), nil
}

// concatenations are || and concat.
func concatenations() []overload {
	join := func(a, b schema.Value) (schema.Value, error) { return text(joined(a.Ref(), b.Ref())), nil }
	return []overload{
		binary("||", Text, Text, Text, join),
		binary("||", Bytea, Bytea, Bytea, func(a, b schema.Value) (schema.Value, error) { return schema.Bytes(joined(a.Ref(), b.Ref())), nil }),
		{name: "||", args: []ID{Text, anyNonArray}, result: Text, make: joining},
		{name: "||", args: []ID{anyNonArray, Text}, result: Text, make: joining},
		{name: "concat", args: []ID{anyType}, rest: anyType, result: Text, loose: true, make: printing(concat)},
		{name: "concat_ws", args: []ID{Text, anyType}, rest: anyType, result: Text, loose: true, make: printing(concatWith)},
	}
}

// joining casts both sides to text, which is not always what they print.
func joining(types []schema.Type, result *schema.Type) (evalFunc, error) {
	left, err := changer(&types[0], result, Explicit)
	if err != nil {
		return nil, err
	}
	right, err := changer(&types[1], result, Explicit)
	if err != nil {
		return nil, err
	}
	return func(v []schema.Value) (schema.Value, error) {
		a, err := left(v[0])
		if err != nil {
			return a, err
		}
		b, err := right(v[1])
		if err != nil {
			return b, err
		}
		return text(joined(a.Ref(), b.Ref())), nil
	}, nil
}

func joined(a, b []byte) []byte { return append(append(make([]byte, 0, len(a)+len(b)), a...), b...) }

// A printed is a value with its type, for functions that take any.
type printed struct {
	schema.Value
	typ *schema.Type
}

// printing makes a function of values that prints them.
func printing(f func(args []printed) schema.Value) maker {
	return func(types []schema.Type, _ *schema.Type) (evalFunc, error) {
		return func(v []schema.Value) (schema.Value, error) {
			args := make([]printed, len(v))
			for i := range v {
				args[i] = printed{v[i], &types[i]}
			}
			return f(args), nil
		}, nil
	}
}

func concat(args []printed) schema.Value {
	out := []byte{}
	for _, a := range args {
		out = a.typ.AppendText(out, a.Value)
	}
	return text(out)
}

func concatWith(args []printed) schema.Value {
	if args[0].IsNull() {
		return schema.Null()
	}
	out, first := []byte{}, true
	for _, a := range args[1:] {
		if a.IsNull() {
			continue
		}
		if !first {
			out = append(out, args[0].Ref()...)
		}
		out, first = a.typ.AppendText(out, a.Value), false
	}
	return text(out)
}

// trims cut characters of a set, or spaces.
func trims() []overload {
	var list []overload
	for name, cut := range map[string]func(b []byte, set string) []byte{"btrim": bytes.Trim, "ltrim": bytes.TrimLeft, "rtrim": bytes.TrimRight} {
		list = append(list,
			unary(name, Text, Text, func(v schema.Value) (schema.Value, error) { return text(cut(v.Ref(), " ")), nil }),
			binary(name, Text, Text, Text, func(v, set schema.Value) (schema.Value, error) { return text(cut(v.Ref(), string(set.Ref()))), nil }),
			binary(name, Bytea, Bytea, Bytea, func(v, set schema.Value) (schema.Value, error) {
				return schema.Bytes(cutBytes(v.Ref(), set.Ref(), name != "rtrim", name != "ltrim")), nil
			}))
	}
	return list
}

func cutBytes(b, set []byte, left, right bool) []byte {
	for left && len(b) > 0 && bytes.IndexByte(set, b[0]) >= 0 {
		b = b[1:]
	}
	for right && len(b) > 0 && bytes.IndexByte(set, b[len(b)-1]) >= 0 {
		b = b[:len(b)-1]
	}
	return b
}

// maxText bounds the texts that a function may make. Postgres's own bound is
// 1 GiB; a record holds far less.
const maxText = 64 << 20

func tooLarge() error { return fault.New("54000", "requested length too large") }

func pads() []overload {
	space := text([]byte(" "))
	list := []overload{binary("repeat", Text, Int4, Text, func(v, n schema.Value) (schema.Value, error) {
		times := max(n.Int(), 0)
		if int64(len(v.Ref()))*times > maxText {
			return schema.Null(), tooLarge()
		}
		if len(v.Ref()) == 0 {
			times = 0
		}
		return text(bytes.Repeat(v.Ref(), int(times))), nil
	})}
	for name, left := range map[string]bool{"lpad": true, "rpad": false} {
		list = append(list,
			binary(name, Text, Int4, Text, func(v, n schema.Value) (schema.Value, error) { return padded(v, n, space, left) }),
			many(name, []ID{Text, Int4, Text}, Text, func(v []schema.Value) (schema.Value, error) { return padded(v[0], v[1], v[2], left) }))
	}
	return list
}

// padded cuts or fills to a number of characters.
func padded(v, n, fill schema.Value, left bool) (schema.Value, error) {
	b, want := v.Ref(), max(int(n.Int()), 0)
	if len(fill.Ref()) == 0 {
		want = min(want, utf8.RuneCount(b))
	}
	if want > maxText/utf8.UTFMax {
		return schema.Null(), tooLarge()
	}
	missing := want - utf8.RuneCount(b)
	if missing <= 0 {
		return text(b[:offsetOf(b, want)]), nil
	}
	pad := filler(fill.Ref(), missing)
	if left {
		return text(joined(pad, b)), nil
	}
	return text(joined(b, pad)), nil
}

// filler repeats fill, which is not empty, to n characters.
func filler(fill []byte, n int) []byte {
	size := utf8.RuneCount(fill)
	out := bytes.Repeat(fill, n/size)
	return append(out, fill[:offsetOf(fill, n%size)]...)
}

// rewrites change characters.
func rewrites() []overload {
	return []overload{
		needing(BytesCollation, many("replace", []ID{Text, Text, Text}, Text, func(v []schema.Value) (schema.Value, error) {
			if len(v[1].Ref()) == 0 {
				return v[0], nil
			}
			return bounded(len(v[0].Ref())/len(v[1].Ref())*len(v[2].Ref()), func() []byte { return bytes.ReplaceAll(v[0].Ref(), v[1].Ref(), v[2].Ref()) })
		}))[0],
		many("translate", []ID{Text, Text, Text}, Text, translate),
		unary("reverse", Text, Text, func(v schema.Value) (schema.Value, error) { return text(reversed(v.Ref())), nil }),
		many("overlay", []ID{Text, Text, Int4, Int4}, Text, func(v []schema.Value) (schema.Value, error) { return overlay(Text, v, v[3].Int()) }),
		many("overlay", []ID{Text, Text, Int4}, Text, func(v []schema.Value) (schema.Value, error) {
			return overlay(Text, v, int64(utf8.RuneCount(v[1].Ref())))
		}),
		many("overlay", []ID{Bytea, Bytea, Int4, Int4}, Bytea, func(v []schema.Value) (schema.Value, error) { return overlay(Bytea, v, v[3].Int()) }),
		many("overlay", []ID{Bytea, Bytea, Int4}, Bytea, func(v []schema.Value) (schema.Value, error) { return overlay(Bytea, v, int64(len(v[1].Ref()))) }),
		unary("quote_literal", Text, Text, func(v schema.Value) (schema.Value, error) { return text(quoteLiteral(v.Ref())), nil }),
		{name: "quote_nullable", args: []ID{Text}, result: Text, loose: true, eval: func(v []schema.Value) (schema.Value, error) {
			if v[0].IsNull() {
				return textOf("NULL"), nil
			}
			return text(quoteLiteral(v[0].Ref())), nil
		}},
		unary("ascii", Text, Int4, func(v schema.Value) (schema.Value, error) {
			if len(v.Ref()) == 0 {
				return schema.Int(0), nil
			}
			r, _ := utf8.DecodeRune(v.Ref())
			return schema.Int(int64(r)), nil
		}),
		unary("chr", Int4, Text, chr),
	}
}

func bounded(size int, f func() []byte) (schema.Value, error) {
	if size > maxText {
		return schema.Null(), tooLarge()
	}
	return text(f()), nil
}

func translate(v []schema.Value) (schema.Value, error) {
	from, to := []rune(string(v[1].Ref())), []rune(string(v[2].Ref()))
	return text(bytes.Map(func(r rune) rune {
		for i, f := range from {
			switch {
			case f != r:
			case i < len(to):
				return to[i]
			default:
				return -1
			}
		}
		return r
	}, v[0].Ref())), nil
}

func reversed(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		_, size := utf8.DecodeLastRune(b)
		out = append(out, b[len(b)-size:]...)
		b = b[:len(b)-size]
	}
	return out
}

// overlay puts v[1] in the place of size characters from v[2] on.
func overlay(id ID, v []schema.Value, size int64) (schema.Value, error) {
	from := v[2].Int()
	if from <= 0 {
		return schema.Null(), fault.New("22011", "negative substring length not allowed")
	}
	if !fitsInt(Int4, from+size) {
		return schema.Null(), fault.OutOfRange("integer")
	}
	head, err := substring(id, v[0], 1, from-1)
	if err != nil {
		return head, err
	}
	tail, err := substring(id, v[0], from+size, 1<<40)
	if err != nil {
		return tail, err
	}
	out := append(joined(head.Ref(), v[1].Ref()), tail.Ref()...)
	if id == Bytea {
		return schema.Bytes(out), nil
	}
	return text(out), nil
}

func quoteLiteral(b []byte) []byte {
	out := []byte{}
	if bytes.IndexByte(b, '\\') >= 0 {
		out = append(out, 'E')
	}
	out = append(out, '\'')
	for _, c := range b {
		if c == '\'' || c == '\\' {
			out = append(out, c)
		}
		out = append(out, c)
	}
	return append(out, '\'')
}

func chr(v schema.Value) (schema.Value, error) {
	n := v.Int()
	switch {
	case n == 0:
		return schema.Null(), fault.New("54000", "null character not permitted")
	case n < 0:
		return schema.Null(), fault.Parameter("character number must be positive")
	case n > utf8.MaxRune || !utf8.ValidRune(rune(n)):
		return schema.Null(), fault.New("54000", "requested character not valid for encoding")
	}
	return text(utf8.AppendRune(nil, rune(n))), nil
}
