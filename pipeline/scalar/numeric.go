package scalar

import (
	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// numericOverloads are the operators and functions of numeric whose result
// Postgres defines to the last digit.
func numericOverloads() []overload {
	two := func(name string, f func(x, y decimal.Decimal) (decimal.Decimal, error)) overload {
		return binary(name, Numeric, Numeric, Numeric, func(a, b schema.Value) (schema.Value, error) {
			x, errX := decimalOf(a)
			y, errY := decimalOf(b)
			if errX != nil || errY != nil {
				return schema.Null(), fault.Syntax("numeric")
			}
			return numericOrError(f(x, y))
		})
	}
	one := func(name string, f func(x decimal.Decimal) (decimal.Decimal, error)) overload {
		return unary(name, Numeric, Numeric, func(v schema.Value) (schema.Value, error) {
			x, err := decimalOf(v)
			if err != nil {
				return v, err
			}
			return numericOrError(f(x))
		})
	}
	total := func(f func(decimal.Decimal) decimal.Decimal) func(decimal.Decimal) (decimal.Decimal, error) {
		return func(d decimal.Decimal) (decimal.Decimal, error) { return f(d), nil }
	}
	list := []overload{
		two("+", decimal.Decimal.Add), two("-", decimal.Decimal.Sub), two("*", decimal.Decimal.Mul), two("/", decimal.Decimal.Div),
		two("%", decimal.Decimal.Mod), two("mod", decimal.Decimal.Mod), two("div", decimal.Decimal.DivInt),
		one("-", total(decimal.Decimal.Neg)), one("+", total(func(d decimal.Decimal) decimal.Decimal { return d })),
		one("@", total(decimal.Decimal.Abs)), one("abs", total(decimal.Decimal.Abs)),
		one("ceil", total(decimal.Decimal.Ceil)), one("ceiling", total(decimal.Decimal.Ceil)), one("floor", total(decimal.Decimal.Floor)),
		one("sign", total(signNumeric)), one("sqrt", decimal.Decimal.Sqrt), one("trim_scale", total(decimal.Decimal.TrimScale)),
		one("round", func(d decimal.Decimal) (decimal.Decimal, error) { return d.Round(0) }),
		one("trunc", total(func(d decimal.Decimal) decimal.Decimal { return d.Trunc(0) })),
	}
	return append(list, numericScales()...)
}

// numericScales are those with a scale as an argument or a result.
func numericScales() []overload {
	return []overload{
		binary("round", Numeric, Int4, Numeric, func(v, n schema.Value) (schema.Value, error) {
			x, err := decimalOf(v)
			if err != nil {
				return v, err
			}
			return numericOrError(x.Round(int(n.Int())))
		}),
		binary("trunc", Numeric, Int4, Numeric, func(v, n schema.Value) (schema.Value, error) {
			x, err := decimalOf(v)
			return numeric(x.Trunc(int(n.Int()))), err
		}),
		{name: "to_char", args: []ID{Numeric, Text}, result: Text, make: numberFormat},
		{name: "to_char", args: []ID{Int4, Text}, result: Text, make: numberFormat},
		{name: "to_char", args: []ID{Int8, Text}, result: Text, make: numberFormat},
		unary("scale", Numeric, Int4, scaleOf(decimal.Decimal.Scale)),
		unary("min_scale", Numeric, Int4, scaleOf(decimal.Decimal.MinScale)),
	}
}

// numberFormat makes to_char of numbers.
func numberFormat(args []schema.Type, _ *schema.Type) (evalFunc, error) {
	compile := remembered(decimal.CompileFormat)
	whole := args[0].Kind == schema.KindInt
	return func(v []schema.Value) (schema.Value, error) {
		f, err := compile(v[1].Ref())
		if err != nil {
			return schema.Null(), err
		}
		d := decimal.Int(v[0].Int())
		if !whole {
			if d, err = decimalOf(v[0]); err != nil {
				return schema.Null(), err
			}
		}
		out, err := f.Append(nil, d)
		return orNull(text(out), err)
	}, nil
}

func scaleOf(f func(decimal.Decimal) int) func(schema.Value) (schema.Value, error) {
	return func(v schema.Value) (schema.Value, error) {
		x, err := decimalOf(v)
		if err != nil || !x.IsFinite() {
			return schema.Null(), err
		}
		return schema.Int(int64(f(x))), nil
	}
}

func signNumeric(d decimal.Decimal) decimal.Decimal {
	if d.IsNaN() {
		return d
	}
	return decimal.Int(int64(d.Sign()))
}

func decimalOf(v schema.Value) (decimal.Decimal, error) { return decimal.Parse(v.Ref()) }

func numeric(d decimal.Decimal) schema.Value { return schema.Decimal(d.Append(nil)) }

func numericOrError(d decimal.Decimal, err error) (schema.Value, error) {
	if err != nil {
		return schema.Null(), err
	}
	return numeric(d), nil
}
