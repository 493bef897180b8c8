package tuple_test

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"slices"

	"github.com/evertdb/evert/schema"
)

// compare is SQL's order of two values of type t, written without regard to any
// encoding. NULL is greater than all else.
func compare(t *schema.Type, c schema.Collation, v, w schema.Value) int {
	switch {
	case v.IsNull() || w.IsNull():
		return cmp.Compare(b2i(v.IsNull()), b2i(w.IsNull()))
	case t.Labels != nil:
		return cmp.Compare(slices.Index(t.Labels, string(v.Ref())), slices.Index(t.Labels, string(w.Ref())))
	}
	switch t.Kind {
	case schema.KindFloat:
		return compareFloats(v.Float(), w.Float())
	case schema.KindDecimal:
		return compareDecimals(string(v.Ref()), string(w.Ref()))
	case schema.KindText:
		return bytes.Compare(unpad(c, v.Ref()), unpad(c, w.Ref()))
	case schema.KindBytes, schema.KindUUID:
		return bytes.Compare(v.Ref(), w.Ref())
	case schema.KindArray:
		return compareArrays(t, c, v, w)
	case schema.KindInterval:
		return total(v).Cmp(total(w))
	}
	return cmp.Compare(v.Int(), w.Int())
}

// total is an interval's length as Postgres compares it.
func total(v schema.Value) *big.Int {
	months, days, micros := v.Interval()
	n := big.NewInt(int64(months)*30 + int64(days))
	return n.Mul(n, big.NewInt(schema.MicrosPerDay)).Add(n, big.NewInt(micros))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func unpad(c schema.Collation, text []byte) []byte {
	if c.Pad {
		return bytes.TrimRight(text, " ")
	}
	return text
}

// compareFloats has NaN above all others, where Go has it below.
func compareFloats(f, g float64) int {
	if math.IsNaN(f) || math.IsNaN(g) {
		return cmp.Compare(b2i(math.IsNaN(f)), b2i(math.IsNaN(g)))
	}
	return cmp.Compare(f, g)
}

// special ranks the decimals that are no numbers; 0 is a number.
var special = map[string]int{"-Infinity": -1, "Infinity": 1, "NaN": 2}

func compareDecimals(d, e string) int {
	if special[d] != 0 || special[e] != 0 {
		return cmp.Compare(special[d], special[e])
	}
	x, _ := new(big.Rat).SetString(d)
	y, _ := new(big.Rat).SetString(e)
	return x.Cmp(y)
}

func compareArrays(t *schema.Type, c schema.Collation, v, w schema.Value) int {
	left, right := flatten(nil, v), flatten(nil, w)
	for i := range min(len(left), len(right)) {
		if d := compare(t.Elem, c, left[i], right[i]); d != 0 {
			return d
		}
	}
	if d := cmp.Compare(len(left), len(right)); d != 0 {
		return d
	}
	a, b := shape(v), shape(w)
	if d := cmp.Compare(len(a), len(b)); d != 0 {
		return d
	}
	return slices.Compare(a, b)
}

func flatten(dst []schema.Value, v schema.Value) []schema.Value {
	for _, e := range v.Elements() {
		if e.Kind() == schema.KindArray {
			dst = flatten(dst, e)
		} else {
			dst = append(dst, e)
		}
	}
	return dst
}

func shape(v schema.Value) []int {
	if v.Kind() != schema.KindArray || v.Len() == 0 {
		return nil
	}
	for _, e := range v.Elements() {
		return append([]int{v.Len()}, shape(e)...)
	}
	return nil
}
