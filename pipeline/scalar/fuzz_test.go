package scalar

import (
	"bytes"
	"testing"

	"github.com/evertdb/evert/pipeline/scalar/pattern"
	"github.com/evertdb/evert/schema"
)

// What any type's input takes, its output prints so that it is taken again, for
// the same value; and nothing panics.
func FuzzParse(f *testing.F) {
	for id, list := range edgesOf {
		for _, s := range list {
			f.Add(uint8(id), []byte(s))
			f.Add(uint8(id.Array()), []byte("{"+s+"}"))
		}
	}
	f.Add(uint8(Interval), []byte("1.5 years -3 weeks 04:05:06.7 ago"))
	f.Add(uint8(Timestamptz), []byte("2024-01-01T00:00:00.1234567+05:30:15 BC"))
	f.Fuzz(func(t *testing.T, b uint8, input []byte) {
		id := ID(b)
		if id.Elem() < Bool || id.Elem() > JSONB {
			return
		}
		typ := id.Type()
		v, err := Parse(&typ, input)
		if err != nil {
			return
		}
		printed := typ.AppendText(nil, v)
		again, err := Parse(&typ, printed)
		if err != nil {
			t.Fatalf("%s: %q is printed as %q, which is refused: %v", id, input, printed, err)
		}
		if ordered(&typ) && compare(&typ, v, again) != 0 {
			t.Fatalf("%s: %q is printed as %q, which is another value", id, input, printed)
		}
	})
}

// The order of values is one: reflexive, antisymmetric and, of three, transitive.
func FuzzCompare(f *testing.F) {
	for id, list := range edgesOf {
		for i := range list {
			f.Add(uint8(id), []byte(list[i]), []byte(list[(i+1)%len(list)]), []byte(list[(i+2)%len(list)]))
		}
	}
	f.Fuzz(func(t *testing.T, b uint8, x, y, z []byte) {
		id := ID(b)
		if id.Elem() < Bool || id.Elem() > JSONB {
			return
		}
		typ := id.Type()
		if !ordered(&typ) {
			return
		}
		var v [3]schema.Value
		for i, input := range [][]byte{x, y, z} {
			var err error
			if v[i], err = Parse(&typ, input); err != nil {
				return
			}
		}
		sign := func(i, j int) int {
			c := compare(&typ, v[i], v[j])
			return max(-1, min(c, 1))
		}
		for i := range v {
			for j := range v {
				if sign(i, j) != -sign(j, i) || sign(i, i) != 0 {
					t.Fatalf("%s: %q and %q", id, x, y)
				}
			}
		}
		if sign(0, 1) <= 0 && sign(1, 2) <= 0 && sign(0, 2) > 0 {
			t.Fatalf("%s: %q <= %q <= %q, but not the first and the last", id, x, y, z)
		}
	})
}

// Patterns from anywhere are compiled or refused, and match in bounded time.
func FuzzPattern(f *testing.F) {
	f.Add([]byte("a%_b"), []byte("axxb"))
	f.Add([]byte(`(\w+)@[[:alpha:]]{2,4}$`), []byte("me@example"))
	f.Fuzz(func(t *testing.T, p, text []byte) {
		if len(p) > 200 || len(text) > 1000 {
			return
		}
		if l, err := pattern.CompileLike(p, pattern.Options{}); err == nil {
			l.Match(text)
		}
		if r, err := pattern.CompileRegex(p, true); err == nil {
			_ = r.Replace(text, []byte(`<\1\&>`), true)
		}
	})
}

// compare orders two values of type t as Postgres's btree does, texts by their
// bytes (collation C): negative, 0 or positive. NULLs come last and are equal to
// each other; within arrays too. Values of a type without an order are compared
// by their bytes.
func compare(t *schema.Type, a, b schema.Value) int {
	if a.IsNull() || b.IsNull() {
		return order(a.IsNull(), b.IsNull())
	}
	f, err := comparer(t)
	if err != nil {
		return bytes.Compare(a.Ref(), b.Ref())
	}
	return f(a, b)
}

// ordered reports whether values of t have an order, and so equality.
func ordered(t *schema.Type) bool {
	_, err := comparer(t)
	return err == nil
}
