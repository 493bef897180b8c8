package scalar

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// integerOverloads are the operators of smallint, integer and bigint, in all
// their combinations, and the functions of each.
func integerOverloads() []overload {
	var list []overload
	ids := [...]ID{Int2, Int4, Int8}
	for _, a := range ids {
		list = append(list, integerAlone(a)...)
		for _, b := range ids {
			list = append(list, arithmetic(a, b, max(a, b))...)
		}
	}
	return append(list,
		unary("to_hex", Int4, Text, func(v schema.Value) (schema.Value, error) {
			return text(strconv.AppendUint(nil, uint64(uint32(v.Int())), 16)), nil
		}),
		unary("to_hex", Int8, Text, func(v schema.Value) (schema.Value, error) {
			return text(strconv.AppendUint(nil, uint64(v.Int()), 16)), nil
		}),
		binary("gcd", Int4, Int4, Int4, gcdOf(Int4)), binary("gcd", Int8, Int8, Int8, gcdOf(Int8)),
		binary("lcm", Int4, Int4, Int4, lcmOf(Int4)), binary("lcm", Int8, Int8, Int8, lcmOf(Int8)),
	)
}

// arithmetic gives + - * / of two widths.
func arithmetic(a, b, r ID) []overload {
	return []overload{
		binary("+", a, b, r, checkedInt(r, addInt)),
		binary("-", a, b, r, checkedInt(r, subInt)),
		binary("*", a, b, r, checkedInt(r, mulInt)),
		binary("/", a, b, r, func(x, y schema.Value) (schema.Value, error) { return divInt(r, x.Int(), y.Int()) }),
	}
}

// integerAlone gives what has arguments of one width only.
func integerAlone(id ID) []overload {
	mod := func(x, y schema.Value) (schema.Value, error) { return modInt(x.Int(), y.Int()) }
	abs := func(v schema.Value) (schema.Value, error) {
		return narrowInt(id, absInt(v.Int()), v.Int() != math.MinInt64)
	}
	list := []overload{
		binary("%", id, id, id, mod),
		binary("mod", id, id, id, mod),
		unary("-", id, id, func(v schema.Value) (schema.Value, error) { return narrowInt(id, -v.Int(), v.Int() != math.MinInt64) }),
		unary("+", id, id, func(v schema.Value) (schema.Value, error) { return v, nil }),
		unary("@", id, id, abs),
		unary("abs", id, id, abs),
		unary("~", id, id, func(v schema.Value) (schema.Value, error) { return schema.Int(^v.Int()), nil }),
		binary("<<", id, Int4, id, func(x, y schema.Value) (schema.Value, error) { return shiftLeft(id, x.Int(), y.Int()), nil }),
		binary(">>", id, Int4, id, func(x, y schema.Value) (schema.Value, error) { return shiftRight(id, x.Int(), y.Int()), nil }),
	}
	for _, op := range [...]struct {
		name string
		f    func(a, b int64) int64
	}{
		{"&", func(a, b int64) int64 { return a & b }},
		{"|", func(a, b int64) int64 { return a | b }},
		{"#", func(a, b int64) int64 { return a ^ b }},
	} {
		list = append(list, binary(op.name, id, id, id, func(x, y schema.Value) (schema.Value, error) {
			return schema.Int(op.f(x.Int(), y.Int())), nil
		}))
	}
	return list
}

// checkedInt makes an operator that refuses what does not fit its result.
func checkedInt(r ID, f func(a, b int64) (int64, bool)) func(x, y schema.Value) (schema.Value, error) {
	return func(x, y schema.Value) (schema.Value, error) {
		n, ok := f(x.Int(), y.Int())
		return narrowInt(r, n, ok)
	}
}

// narrowInt gives n as an integer of a width.
func narrowInt(id ID, n int64, ok bool) (schema.Value, error) {
	if !ok || !fitsInt(id, n) {
		return schema.Null(), fault.OutOfRange(id.String())
	}
	return schema.Int(n), nil
}

func fitsInt(id ID, n int64) bool {
	switch id {
	case Int2:
		return n == int64(int16(n))
	case Int4:
		return n == int64(int32(n))
	}
	return true
}

func addInt(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}

func subInt(a, b int64) (int64, bool) {
	diff := a - b
	return diff, (diff < a) == (b > 0)
}

func mulInt(a, b int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	neg := (a < 0) != (b < 0)
	switch {
	case high != 0 || low > 1<<63:
		return 0, false
	case neg:
		return -int64(low), true
	}
	return int64(low), low < 1<<63
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func absInt(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

func divInt(r ID, a, b int64) (schema.Value, error) {
	if b == 0 {
		return schema.Null(), fault.DivisionByZero()
	}
	return narrowInt(r, a/b, a != math.MinInt64 || b != -1)
}

func modInt(a, b int64) (schema.Value, error) {
	if b == 0 {
		return schema.Null(), fault.DivisionByZero()
	}
	return schema.Int(a % b), nil
}

// shiftLeft shifts as the machine does: the count modulo the width, and bits
// that leave it are lost. A smallint is shifted as an integer and then cut.
func shiftLeft(id ID, a, n int64) schema.Value {
	switch id {
	case Int2:
		return schema.Int(int64(int16(int32(a) << (uint(n) & 31))))
	case Int4:
		return schema.Int(int64(int32(a) << (uint(n) & 31)))
	}
	return schema.Int(a << (uint(n) & 63))
}

func shiftRight(id ID, a, n int64) schema.Value {
	if id == Int8 {
		return schema.Int(a >> (uint(n) & 63))
	}
	return schema.Int(a >> (uint(n) & 31))
}

func gcdOf(id ID) func(x, y schema.Value) (schema.Value, error) {
	return func(x, y schema.Value) (schema.Value, error) {
		g := gcd(magnitude(x.Int()), magnitude(y.Int()))
		return narrowInt(id, int64(g), g < 1<<63)
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func lcmOf(id ID) func(x, y schema.Value) (schema.Value, error) {
	return func(x, y schema.Value) (schema.Value, error) {
		a, b := magnitude(x.Int()), magnitude(y.Int())
		if a == 0 || b == 0 {
			return schema.Int(0), nil
		}
		high, low := bits.Mul64(a/gcd(a, b), b)
		return narrowInt(id, int64(low), high == 0 && low < 1<<63)
	}
}
