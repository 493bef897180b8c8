package scalar

import (
	"bytes"
	"math"
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/jsonb"
	"github.com/evertdb/evert/pipeline/scalar/temporal"
	"github.com/evertdb/evert/schema"
)

// direct gives a cast that has a function of its own, nil if text stands between.
func direct(a, b ID) changeFunc {
	switch category(a) {
	case 'N':
		return fromNumber(a, b)
	case 'S':
		return fromText(a, b)
	case 'D', 'T':
		return fromMoment(a, b)
	case 'B':
		return fromBool(b)
	}
	if a == JSONB {
		return fromJSONB(b)
	}
	return nil
}

func fromBool(b ID) changeFunc {
	switch {
	case b == Int4:
		return func(v schema.Value) (schema.Value, error) { return schema.Int(v.Int()), nil }
	case isText(b):
		return func(v schema.Value) (schema.Value, error) { return textOf(strconv.FormatBool(v.Bool())), nil }
	}
	return nil
}

// fromText drops the spaces that pad a char(n).
func fromText(a, b ID) changeFunc {
	switch {
	case !isText(b):
		return nil
	case a == BPChar:
		return func(v schema.Value) (schema.Value, error) { return text(unpad(v.Ref())), nil }
	}
	return unchanged
}

func fromNumber(a, b ID) changeFunc {
	switch {
	case isText(b):
		return nil
	case b == Bool:
		return func(v schema.Value) (schema.Value, error) { return truth(v.Int() != 0) }
	case a == Numeric:
		return fromNumeric(b)
	case a == Float4 || a == Float8:
		return fromFloat(a, b)
	}
	return fromInt(b)
}

func fromInt(b ID) changeFunc {
	switch b {
	case Numeric:
		return func(v schema.Value) (schema.Value, error) {
			return schema.Decimal(strconv.AppendInt(nil, v.Int(), 10)), nil
		}
	case Float4:
		return func(v schema.Value) (schema.Value, error) { return schema.Float(float64(float32(v.Int()))), nil }
	case Float8:
		return func(v schema.Value) (schema.Value, error) { return schema.Float(float64(v.Int())), nil }
	}
	return func(v schema.Value) (schema.Value, error) { return narrowInt(b, v.Int(), true) }
}

func fromNumeric(b ID) changeFunc {
	if b == Float4 || b == Float8 {
		return func(v schema.Value) (schema.Value, error) {
			f, err := parseFloat(string(v.Ref()), b)
			return schema.Float(f), err
		}
	}
	return func(v schema.Value) (schema.Value, error) {
		d, err := decimalOf(v)
		if err != nil {
			return v, err
		}
		if !d.IsFinite() {
			return schema.Null(), fault.New("0A000", "cannot convert %s to %s", notFinite(d), b)
		}
		n, ok := d.Int64()
		return narrowInt(b, n, ok)
	}
}

func notFinite(d decimal.Decimal) string {
	if d.IsNaN() {
		return "NaN"
	}
	return "infinity"
}

func fromFloat(a, b ID) changeFunc {
	switch b {
	case Float8:
		return unchanged
	case Float4:
		return toReal
	case Numeric:
		digits := 15
		if a == Float4 {
			digits = 6
		}
		return func(v schema.Value) (schema.Value, error) { return floatToNumeric(v.Float(), digits) }
	}
	return func(v schema.Value) (schema.Value, error) { return floatToInt(b, v.Float()) }
}

func toReal(v schema.Value) (schema.Value, error) {
	f := float64(float32(v.Float()))
	switch {
	case math.IsInf(f, 0) && !math.IsInf(v.Float(), 0):
		return schema.Null(), overflow()
	case f == 0 && v.Float() != 0:
		return schema.Null(), underflow()
	}
	return schema.Float(f), nil
}

// floatToNumeric keeps the digits that a float is sure of, as Postgres does.
func floatToNumeric(f float64, digits int) (schema.Value, error) {
	switch {
	case math.IsNaN(f):
		return numeric(decimal.NaN()), nil
	case math.IsInf(f, 0):
		return numeric(decimal.Infinity(int(signFloat(f)))), nil
	}
	s := strconv.AppendFloat(nil, f, 'e', digits-1, 64)
	mantissa, exponent, _ := bytes.Cut(s, []byte("e"))
	mantissa = bytes.TrimRight(bytes.TrimRight(mantissa, "0"), ".")
	return numericOrError(decimal.ParseLiteral(append(append(mantissa[:len(mantissa):len(mantissa)], 'e'), exponent...)))
}

// floatToInt rounds halves to even.
func floatToInt(b ID, f float64) (schema.Value, error) {
	r := math.RoundToEven(f)
	if !(r >= math.MinInt64 && r < -float64(math.MinInt64)) {
		return schema.Null(), fault.OutOfRange(b.String())
	}
	return narrowInt(b, int64(r), true)
}

// fromMoment casts among dates, times, timestamps and intervals.
func fromMoment(a, b ID) changeFunc {
	switch {
	case isText(b):
		return nil
	case a == Date:
		return func(v schema.Value) (schema.Value, error) { return stampOrError(temporal.Midnight(v.Int())) }
	case b == Date:
		return func(v schema.Value) (schema.Value, error) { return schema.Date(temporal.DateOf(v.Int())), nil }
	case a == Time && b == Interval:
		return func(v schema.Value) (schema.Value, error) { return schema.Interval(0, 0, v.Int()), nil }
	case a == Interval:
		return func(v schema.Value) (schema.Value, error) {
			return schema.Time(temporal.AddClock(0, temporal.Of(v).Micros)), nil
		}
	case b == Time:
		return func(v schema.Value) (schema.Value, error) {
			if temporal.IsInfinite(v.Int()) {
				return schema.Null(), nil
			}
			return schema.Time(temporal.ClockOf(v.Int())), nil
		}
	}
	return unchanged // between timestamp and timestamptz: the session's zone is UTC
}

func stampOrError(micros int64, err error) (schema.Value, error) {
	if err != nil {
		return schema.Null(), err
	}
	return schema.Timestamp(micros), nil
}

// fromJSONB gives a scalar its SQL type; JSON's null is NULL from version 18 on,
// and refused before.
func fromJSONB(b ID) changeFunc {
	if b == JSON {
		return unchanged
	}
	if b != Bool && category(b) != 'N' {
		return nil
	}
	return func(v schema.Value) (schema.Value, error) {
		n, err := jsonb.Parse(v.Ref())
		switch {
		case err != nil:
			return v, err
		case b == Bool && n.Kind == jsonb.Bool:
			return truth(n.True)
		case b == Bool || n.Kind != jsonb.Number:
			return schema.Null(), fault.Parameter("cannot cast jsonb %s to type %s", n.Kind, b)
		case b == Numeric:
			return schema.Decimal(n.Text), nil
		}
		return fromNumeric(b)(schema.Decimal(n.Text))
	}
}
