package scalar

import (
	"bytes"
	"cmp"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/jsonb"
	"github.com/evertdb/evert/schema"
)

// comparer gives what orders two values of type t as Postgres's btree does, texts by their
// bytes (collation C): negative, 0 or positive. Within arrays NULLs come last and are equal
// to each other. Its error says that t has no order.
func comparer(t *schema.Type) (func(a, b schema.Value) int, error) {
	id := Identify(t)
	switch {
	case id.IsArray():
		return arrayComparer(t)
	case id == Enum:
		return enumComparer(t.Labels), nil
	case id == Interval:
		return compareIntervals, nil
	}
	if f := scalarComparer(id); f != nil {
		return f, nil
	}
	return nil, fault.New("42883", "could not identify a comparison function for type %s", typeName(t))
}

func scalarComparer(id ID) func(a, b schema.Value) int {
	switch id {
	case Bool, Int2, Int4, Int8, Date, Time, Timestamp, Timestamptz:
		return func(a, b schema.Value) int { return cmp.Compare(a.Int(), b.Int()) }
	case Float4, Float8:
		return func(a, b schema.Value) int { return compareFloat(a.Float(), b.Float()) }
	case Numeric:
		return func(a, b schema.Value) int { return decimal.Compare(a.Ref(), b.Ref()) }
	case BPChar:
		return func(a, b schema.Value) int { return bytes.Compare(unpad(a.Ref()), unpad(b.Ref())) }
	case Text, Varchar, Bytea, UUID, Unknown:
		return func(a, b schema.Value) int { return bytes.Compare(a.Ref(), b.Ref()) }
	case JSONB:
		return func(a, b schema.Value) int { return jsonb.Compare(a.Ref(), b.Ref()) }
	}
	return nil
}

// unpad drops the spaces at the end, which do not count in char(n).
func unpad(b []byte) []byte { return bytes.TrimRight(b, " ") }

// enumComparer orders labels as the type lists them; what is none comes last.
func enumComparer(labels []string) func(a, b schema.Value) int {
	place := make(map[string]int, len(labels))
	for i, l := range labels {
		place[l] = i
	}
	at := func(v schema.Value) int {
		if i, ok := place[string(v.Ref())]; ok {
			return i
		}
		return len(labels)
	}
	return func(a, b schema.Value) int {
		if c := cmp.Compare(at(a), at(b)); c != 0 {
			return c
		}
		return bytes.Compare(a.Ref(), b.Ref())
	}
}

// arrayComparer is array_cmp: element by element, NULL last; then the number of
// elements, then the dimensions.
func arrayComparer(t *schema.Type) (func(a, b schema.Value) int, error) {
	elem, err := comparer(t.Elem)
	if err != nil {
		return nil, err
	}
	return func(a, b schema.Value) int {
		x, y := flat(nil, a), flat(nil, b)
		for i := range min(len(x), len(y)) {
			if x[i].IsNull() || y[i].IsNull() {
				if c := order(x[i].IsNull(), y[i].IsNull()); c != 0 {
					return c
				}
			} else if c := elem(x[i], y[i]); c != 0 {
				return c
			}
		}
		if c := cmp.Compare(len(x), len(y)); c != 0 {
			return c
		}
		return compareShape(a, b)
	}, nil
}

// flat gives the elements of an array of any dimensions.
func flat(dst []schema.Value, v schema.Value) []schema.Value {
	for _, e := range v.Elements() {
		if e.Kind() == schema.KindArray {
			dst = flat(dst, e)
		} else {
			dst = append(dst, e)
		}
	}
	return dst
}

// dimensions gives the lengths of an array, outermost first; none for an empty
// one.
func dimensions(v schema.Value) []int {
	var dims []int
	for v.Kind() == schema.KindArray && v.Len() > 0 {
		dims = append(dims, v.Len())
		for _, e := range v.Elements() {
			v = e
			break
		}
	}
	return dims
}

func compareShape(a, b schema.Value) int {
	x, y := dimensions(a), dimensions(b)
	if c := cmp.Compare(len(x), len(y)); c != 0 {
		return c
	}
	for i := range x {
		if c := cmp.Compare(x[i], y[i]); c != 0 {
			return c
		}
	}
	return 0
}

// comparisonOverloads are = <> < <= > >= and IS DISTINCT FROM of every pair of
// types that has them.
func comparisonOverloads() []overload {
	var list []overload
	for _, id := range [...]ID{Bool, Numeric, Text, BPChar, Bytea, Time, Interval, UUID, JSONB} {
		list = append(list, comparisons(id, id, scalarOrInterval(id))...)
	}
	for _, group := range [...][]ID{{Int2, Int4, Int8}, {Float4, Float8}} {
		for _, a := range group {
			for _, b := range group {
				list = append(list, comparisons(a, b, scalarComparer(a))...)
			}
		}
	}
	list = append(list, dateComparisons()...)
	return append(list, genericComparisons()...)
}

func scalarOrInterval(id ID) func(a, b schema.Value) int {
	if id == Interval {
		return compareIntervals
	}
	return scalarComparer(id)
}

// dateComparisons compare dates and timestamps with each other; a date is the
// midnight it begins with.
func dateComparisons() []overload {
	var list []overload
	for _, a := range [...]ID{Date, Timestamp, Timestamptz} {
		for _, b := range [...]ID{Date, Timestamp, Timestamptz} {
			f := scalarComparer(a)
			if (a == Date) != (b == Date) {
				f = func(x, y schema.Value) int { return compareMoments(a, x, b, y) }
			}
			list = append(list, comparisons(a, b, f)...)
		}
	}
	return list
}

// tests are what the operators ask of an order.
var tests = [...]struct {
	name string
	need Need
	test func(c int) bool
}{
	{"=", BytesCollation, func(c int) bool { return c == 0 }},
	{"<>", BytesCollation, func(c int) bool { return c != 0 }},
	{"<", CCollation, func(c int) bool { return c < 0 }},
	{"<=", CCollation, func(c int) bool { return c <= 0 }},
	{">", CCollation, func(c int) bool { return c > 0 }},
	{">=", CCollation, func(c int) bool { return c >= 0 }},
}

func comparisons(a, b ID, f func(a, b schema.Value) int) []overload {
	var list []overload
	for _, t := range tests {
		o := binary(t.name, a, b, Bool, func(x, y schema.Value) (schema.Value, error) { return truth(t.test(f(x, y))) })
		if a == Text || a == BPChar {
			o.needs = t.need
		}
		list = append(list, o)
	}
	if a == Text {
		list[0] = equality("=", true)
		list[1] = equality("<>", false)
	}
	distinct := func(want bool) evalFunc {
		return func(v []schema.Value) (schema.Value, error) {
			if v[0].IsNull() || v[1].IsNull() {
				return truth((v[0].IsNull() != v[1].IsNull()) == want)
			}
			return truth((f(v[0], v[1]) != 0) == want)
		}
	}
	needs := NoCollation
	if a == Text || a == BPChar {
		needs = BytesCollation
	}
	return append(list,
		overload{name: "is distinct from", args: []ID{a, b}, result: Bool, loose: true, needs: needs, eval: distinct(true)},
		overload{name: "is not distinct from", args: []ID{a, b}, result: Bool, loose: true, needs: needs, eval: distinct(false)})
}

// equality is that of texts, which asks for no order.
func equality(name string, want bool) overload {
	o := binary(name, Text, Text, Bool, func(x, y schema.Value) (schema.Value, error) {
		return truth(bytes.Equal(x.Ref(), y.Ref()) == want)
	})
	o.needs = BytesCollation
	return o
}

// genericComparisons are those of enums and arrays, whose order is their type's.
func genericComparisons() []overload {
	var list []overload
	for _, id := range [...]ID{anyEnum, anyArray} {
		for _, t := range tests {
			list = append(list, overload{name: t.name, args: []ID{id, id}, result: Bool, needs: needOf(id, t.need),
				make: comparing(func(f func(a, b schema.Value) int) evalFunc {
					return func(v []schema.Value) (schema.Value, error) { return truth(t.test(f(v[0], v[1]))) }
				})})
		}
		for name, want := range map[string]bool{"is distinct from": true, "is not distinct from": false} {
			list = append(list, overload{name: name, args: []ID{id, id}, result: Bool, loose: true, needs: needOf(id, BytesCollation),
				make: comparing(distinct(want))})
		}
	}
	return list
}

// distinct makes IS DISTINCT FROM, or its opposite, for which NULL is a value like another.
func distinct(want bool) func(f func(a, b schema.Value) int) evalFunc {
	return func(f func(a, b schema.Value) int) evalFunc {
		return func(v []schema.Value) (schema.Value, error) {
			if v[0].IsNull() || v[1].IsNull() {
				return truth((v[0].IsNull() != v[1].IsNull()) == want)
			}
			return truth((f(v[0], v[1]) != 0) == want)
		}
	}
}

func needOf(id ID, n Need) Need {
	if id == anyEnum {
		return NoCollation
	}
	return n
}

func comparing(use func(f func(a, b schema.Value) int) evalFunc) maker {
	return func(args []schema.Type, _ *schema.Type) (evalFunc, error) {
		f, err := comparer(&args[0])
		if err != nil {
			return nil, err
		}
		return use(f), nil
	}
}
