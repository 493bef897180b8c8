package scalar

import (
	"math"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// floatOverloads are the operators of real and double precision that IEEE 754
// defines to the last bit. Powers, logarithms and trigonometry are not.
func floatOverloads() []overload {
	var list []overload
	for _, id := range [...]ID{Float4, Float8} {
		list = append(list, floatAlone(id)...)
	}
	for _, p := range [...][3]ID{{Float4, Float4, Float4}, {Float8, Float8, Float8}, {Float4, Float8, Float8}, {Float8, Float4, Float8}} {
		list = append(list, floatArithmetic(p[0], p[1], p[2])...)
	}
	for name, f := range map[string]func(float64) float64{
		"ceil": math.Ceil, "ceiling": math.Ceil, "floor": math.Floor, "trunc": math.Trunc, "round": math.RoundToEven, "sign": signFloat,
	} {
		list = append(list, unary(name, Float8, Float8, func(v schema.Value) (schema.Value, error) { return schema.Float(f(v.Float())), nil }))
	}
	list = append(list, angleOverloads()...)
	return append(list, unary("sqrt", Float8, Float8, sqrtFloat), unary("|/", Float8, Float8, sqrtFloat))
}

// radiansPerDegree is Postgres's constant.
const radiansPerDegree = 0.0174532925199432957692

func angleOverloads() []overload {
	return []overload{
		nullary("pi", Float8, func() (schema.Value, error) { return schema.Float(math.Pi), nil }),
		unary("degrees", Float8, Float8, func(v schema.Value) (schema.Value, error) {
			f := v.Float() / radiansPerDegree
			return overflowing(f, v, v)
		}),
		unary("radians", Float8, Float8, func(v schema.Value) (schema.Value, error) {
			f := v.Float() * radiansPerDegree
			if f == 0 && v.Float() != 0 {
				return schema.Null(), underflow()
			}
			return schema.Float(f), nil
		}),
	}
}

func floatAlone(id ID) []overload {
	abs := func(v schema.Value) (schema.Value, error) { return schema.Float(math.Abs(v.Float())), nil }
	return []overload{
		unary("-", id, id, func(v schema.Value) (schema.Value, error) { return schema.Float(-v.Float()), nil }),
		unary("+", id, id, func(v schema.Value) (schema.Value, error) { return v, nil }),
		unary("@", id, id, abs),
		unary("abs", id, id, abs),
	}
}

func floatArithmetic(a, b, r ID) []overload {
	return []overload{
		binary("+", a, b, r, func(x, y schema.Value) (schema.Value, error) {
			s := single(r, x.Float()+y.Float())
			return overflowing(s, x, y)
		}),
		binary("-", a, b, r, func(x, y schema.Value) (schema.Value, error) {
			return overflowing(single(r, x.Float()-y.Float()), x, y)
		}),
		binary("*", a, b, r, func(x, y schema.Value) (schema.Value, error) {
			p := single(r, x.Float()*y.Float())
			if p == 0 && x.Float() != 0 && y.Float() != 0 {
				return schema.Null(), underflow()
			}
			return overflowing(p, x, y)
		}),
		binary("/", a, b, r, func(x, y schema.Value) (schema.Value, error) { return divFloat(r, x.Float(), y.Float()) }),
	}
}

// single rounds to a real where that is the result. Sums, products and quotients
// of reals that are rounded twice are the same as rounded once, because a double
// has more than twice the digits.
func single(r ID, f float64) float64 {
	if r == Float4 {
		return float64(float32(f))
	}
	return f
}

func overflowing(f float64, x, y schema.Value) (schema.Value, error) {
	if math.IsInf(f, 0) && !math.IsInf(x.Float(), 0) && !math.IsInf(y.Float(), 0) {
		return schema.Null(), overflow()
	}
	return schema.Float(f), nil
}

func divFloat(r ID, x, y float64) (schema.Value, error) {
	if y == 0 && !math.IsNaN(x) {
		return schema.Null(), fault.DivisionByZero()
	}
	q := single(r, x/y)
	switch {
	case math.IsInf(q, 0) && !math.IsInf(x, 0):
		return schema.Null(), overflow()
	case q == 0 && x != 0 && !math.IsInf(y, 0):
		return schema.Null(), underflow()
	}
	return schema.Float(q), nil
}

func overflow() error { return fault.New("22003", "value out of range: overflow") }

func underflow() error { return fault.New("22003", "value out of range: underflow") }

func signFloat(f float64) float64 {
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	}
	return 0 // of NaN too, as in Postgres
}

func sqrtFloat(v schema.Value) (schema.Value, error) {
	f := v.Float()
	if f < 0 {
		return schema.Null(), fault.New("2201F", "cannot take square root of a negative number")
	}
	return schema.Float(math.Sqrt(f)), nil
}

// compareFloat is Postgres's order: NaN equals NaN and is greater than all else,
// and there is one zero.
func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return order(math.IsNaN(a), math.IsNaN(b))
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
