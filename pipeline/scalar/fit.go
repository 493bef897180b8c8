package scalar

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/temporal"
	"github.com/evertdb/evert/schema"
)

// fitter makes a value fit the modifiers of its type; nil if there are none, or
// the value already had them.
func fitter(from, to *schema.Type, in Context) changeFunc {
	id := Identify(to)
	if id.IsArray() {
		var have *schema.Type
		if have = from.Elem; have == nil {
			have = from
		}
		if elem := fitter(have, to.Elem, in); elem != nil {
			return func(v schema.Value) (schema.Value, error) { return mapArray(v, elem) }
		}
		return nil
	}
	if Identify(from) == id && from.Precision == to.Precision && from.Scale == to.Scale && length(from) == length(to) {
		return nil
	}
	switch id {
	case Numeric:
		return numericFitter(to)
	case Varchar, BPChar:
		return lengthFitter(id, length(to), in)
	case Time, Timestamp, Timestamptz, Interval:
		return fractionFitter(id, to.Precision)
	}
	return nil
}

func numericFitter(t *schema.Type) changeFunc {
	if t.Precision <= 0 {
		return nil
	}
	precision, scale := t.Precision, t.Scale
	return func(v schema.Value) (schema.Value, error) {
		d, err := decimal.Parse(v.Ref())
		if err != nil {
			return v, err
		}
		return numericOrError(d.Fit(precision, scale))
	}
}

// lengthFitter cuts or pads a text. What is cut must be spaces, unless the cast
// is explicit.
func lengthFitter(id ID, n int, in Context) changeFunc {
	if n < 0 {
		return nil
	}
	return func(v schema.Value) (schema.Value, error) {
		b := v.Ref()
		end := offsetOf(b, n)
		if end == len(b) {
			return text(pad(id, b, n)), nil
		}
		if in != Explicit && len(unpad(b[end:])) > 0 {
			return schema.Null(), fault.TooLong(id.String() + lengthText(n))
		}
		return text(b[:end]), nil
	}
}

func lengthText(n int) string { return "(" + strconv.Itoa(n) + ")" }

// offsetOf is where character n of b begins, len(b) if it has no more than n.
func offsetOf(b []byte, n int) int {
	if len(b) <= n {
		return len(b)
	}
	at := 0
	for ; n > 0 && at < len(b); n-- {
		_, size := utf8.DecodeRune(b[at:])
		at += size
	}
	return at
}

func pad(id ID, b []byte, n int) []byte {
	missing := n - utf8.RuneCount(b)
	if id != BPChar || missing <= 0 {
		return b
	}
	return append(b[:len(b):len(b)], bytes.Repeat([]byte(" "), missing)...)
}

// fractionFitter rounds to the fractional digits of a type.
func fractionFitter(id ID, digits int) changeFunc {
	if digits < 0 || digits >= 6 {
		return nil
	}
	switch id {
	case Time:
		return func(v schema.Value) (schema.Value, error) {
			return schema.Time(temporal.RoundMicros(v.Int(), digits)), nil
		}
	case Interval:
		return func(v schema.Value) (schema.Value, error) { return temporal.Of(v).Round(digits).Value(), nil }
	}
	return func(v schema.Value) (schema.Value, error) {
		return stampOrError(temporal.CheckedStamp(temporal.RoundMicros(v.Int(), digits)))
	}
}
