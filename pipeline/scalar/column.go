package scalar

import (
	"math"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/jsonb"
	"github.com/evertdb/evert/pipeline/scalar/temporal"
	"github.com/evertdb/evert/schema"
)

// OfColumn gives the type that a captured column has in expressions. Most columns
// have their own; an interval is captured as the text its source prints, and a
// domain over char(n) under the domain's name. read turns a value of the column
// into one of the type; it is nil where nothing has to be done, and gets no NULL.
func OfColumn(c *schema.Column) (t schema.Type, read func(v schema.Value) (schema.Value, error)) {
	t = c.Type
	switch {
	case t.Kind == schema.KindText && t.Opaque && isInterval(t.Name):
		t = Interval.Type()
		t.Name = c.Type.Name
		return t, literal(&t)
	case t.Kind == schema.KindText && c.Collation.Pad && Identify(&t) != BPChar:
		return BPChar.Type(), nil
	}
	return t, nil
}

func isInterval(name string) bool {
	word, _, _ := strings.Cut(name, "(")
	return word == "interval" || strings.HasPrefix(word, "interval ")
}

// Canonical gives one value for all that are equal, so that bytes can be compared
// in place of values: a numeric without zeros at its end, a char(n) without spaces,
// one zero and one NaN, an interval of days of 24 hours and months of 30 days. It
// keeps the order of values. NULL stays.
func Canonical(t *schema.Type, v schema.Value) schema.Value {
	if v.IsNull() {
		return v
	}
	switch id := Identify(t); {
	case id.IsArray():
		out, err := mapArray(v, func(e schema.Value) (schema.Value, error) { return Canonical(t.Elem, e), nil })
		if err == nil {
			return out
		}
	case id == Numeric:
		if d, err := decimal.Parse(v.Ref()); err == nil {
			return numeric(d.TrimScale())
		}
	case id == Float4 || id == Float8:
		return canonicalFloat(v)
	case id == BPChar:
		return text(unpad(v.Ref()))
	case id == Interval:
		return temporal.Of(v).Canonical().Value()
	case id == JSONB:
		if n, err := jsonb.Parse(v.Ref()); err == nil {
			n.Trim()
			return schema.JSON(n.Append(nil))
		}
	}
	return v
}

func canonicalFloat(v schema.Value) schema.Value {
	f := v.Float()
	switch {
	case f == 0:
		return schema.Float(0)
	case f != f:
		return schema.Float(math.NaN())
	}
	return v
}
