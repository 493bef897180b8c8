package scalar

import (
	"bytes"
	"slices"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// arrayOverloads are the functions of arrays. Subscripts begin at 1.
func arrayOverloads() []overload {
	list := []overload{
		{name: "array", args: []ID{anyCompatible}, rest: anyCompatible, result: anyCompatibleArray, loose: true, make: construct},
		{name: "[]", args: []ID{anyArray, Int4}, result: anyElement, eval: func(v []schema.Value) (schema.Value, error) {
			if len(dimensions(v[0])) > 1 {
				return schema.Null(), nil
			}
			return elementAt(v[0], v[1].Int()), nil
		}},
		measure("cardinality", func(v schema.Value) (int, bool) { return len(flat(nil, v)), true }),
		measure("array_ndims", func(v schema.Value) (int, bool) { n := len(dimensions(v)); return n, n > 0 }),
	}
	for _, name := range [...]string{"array_length", "array_upper"} {
		list = append(list, dimension(name, func(n int) int64 { return int64(n) }))
	}
	list = append(list, dimension("array_lower", func(int) int64 { return 1 }))
	list = append(list, arrayTests()...)
	return append(list, arrayEdits()...)
}

// construct makes ARRAY[…]; arrays in it become a further dimension.
func construct(args []schema.Type, result *schema.Type) (evalFunc, error) {
	if args[0].Elem == nil {
		return func(v []schema.Value) (schema.Value, error) { return schema.Array(schema.AppendArray(nil, v...)), nil }, nil
	}
	*result = args[0]
	return nest, nil
}

// nest makes one array of several; those that are NULL or empty must be alone.
func nest(v []schema.Value) (schema.Value, error) {
	filled := 0
	for _, a := range v {
		if !a.IsNull() && a.Len() > 0 {
			filled++
		}
	}
	if filled == 0 {
		return schema.Array(schema.AppendArray(nil)), nil
	}
	out := schema.Array(schema.AppendArray(nil, v...))
	if filled < len(v) || !rectangular(out) {
		return schema.Null(), fault.New("2202E", "multidimensional arrays must have array expressions with matching dimensions")
	}
	return out, nil
}

func elementAt(v schema.Value, place int64) schema.Value {
	for i, e := range v.Elements() {
		if int64(i)+1 == place {
			return e
		}
	}
	return schema.Null()
}

func measure(name string, f func(v schema.Value) (int, bool)) overload {
	return overload{name: name, args: []ID{anyArray}, result: Int4, eval: func(v []schema.Value) (schema.Value, error) {
		n, ok := f(v[0])
		if !ok {
			return schema.Null(), nil
		}
		return schema.Int(int64(n)), nil
	}}
}

func dimension(name string, f func(length int) int64) overload {
	return overload{name: name, args: []ID{anyArray, Int4}, result: Int4, eval: func(v []schema.Value) (schema.Value, error) {
		dims, n := dimensions(v[0]), v[1].Int()
		if n < 1 || n > int64(len(dims)) {
			return schema.Null(), nil
		}
		return schema.Int(f(dims[n-1])), nil
	}}
}

// arrayTests are @> <@ && and array_position.
func arrayTests() []overload {
	test := func(name string, f func(eq func(a, b schema.Value) int, x, y []schema.Value) bool) overload {
		return overload{name: name, args: []ID{anyArray, anyArray}, result: Bool, needs: BytesCollation, make: elementwise(
			func(eq func(a, b schema.Value) int, v []schema.Value) (schema.Value, error) {
				return truth(f(eq, flat(nil, v[0]), flat(nil, v[1])))
			})}
	}
	return []overload{
		test("@>", func(eq func(a, b schema.Value) int, x, y []schema.Value) bool { return containsAll(eq, x, y) }),
		test("<@", func(eq func(a, b schema.Value) int, x, y []schema.Value) bool { return containsAll(eq, y, x) }),
		test("&&", func(eq func(a, b schema.Value) int, x, y []schema.Value) bool {
			return slices.ContainsFunc(x, func(e schema.Value) bool { return hasEqual(eq, y, e) })
		}),
		{name: "array_position", args: []ID{anyCompatibleArray, anyCompatible}, result: Int4, loose: true, needs: BytesCollation,
			make: elementwise(position)},
		{name: "array_positions", args: []ID{anyCompatibleArray, anyCompatible}, result: Int4.Array(), loose: true, needs: BytesCollation,
			make: elementwise(positions)},
		{name: "array_remove", args: []ID{anyCompatibleArray, anyCompatible}, result: anyCompatibleArray, loose: true, needs: BytesCollation,
			make: elementwise(remove)},
		{name: "array_replace", args: []ID{anyCompatibleArray, anyCompatible, anyCompatible}, result: anyCompatibleArray, loose: true,
			needs: BytesCollation, make: elementwise(replaceElements)},
	}
}

// elementwise makes a function that compares elements of its first argument.
func elementwise(f func(eq func(a, b schema.Value) int, v []schema.Value) (schema.Value, error)) maker {
	return func(args []schema.Type, _ *schema.Type) (evalFunc, error) {
		eq, err := comparer(args[0].Elem)
		if err != nil {
			return nil, err
		}
		return func(v []schema.Value) (schema.Value, error) { return f(eq, v) }, nil
	}
}

// hasEqual finds no NULLs: they equal nothing.
func hasEqual(eq func(a, b schema.Value) int, list []schema.Value, e schema.Value) bool {
	return !e.IsNull() && slices.ContainsFunc(list, func(x schema.Value) bool { return !x.IsNull() && eq(x, e) == 0 })
}

func containsAll(eq func(a, b schema.Value) int, list, part []schema.Value) bool {
	return !slices.ContainsFunc(part, func(e schema.Value) bool { return !hasEqual(eq, list, e) })
}

// alikeValues also takes NULL for NULL.
func alikeValues(eq func(a, b schema.Value) int, a, b schema.Value) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	return eq(a, b) == 0
}

func flatOnly(v schema.Value, what string) error {
	if len(dimensions(v)) > 1 {
		return fault.New("0A000", "%s in multidimensional arrays is not supported", what)
	}
	return nil
}

func position(eq func(a, b schema.Value) int, v []schema.Value) (schema.Value, error) {
	if v[0].IsNull() {
		return schema.Null(), nil
	}
	if err := flatOnly(v[0], "searching for elements"); err != nil {
		return schema.Null(), err
	}
	for i, e := range v[0].Elements() {
		if alikeValues(eq, e, v[1]) {
			return schema.Int(int64(i) + 1), nil
		}
	}
	return schema.Null(), nil
}

func positions(eq func(a, b schema.Value) int, v []schema.Value) (schema.Value, error) {
	if v[0].IsNull() {
		return schema.Null(), nil
	}
	if err := flatOnly(v[0], "searching for elements"); err != nil {
		return schema.Null(), err
	}
	var out []schema.Value
	for i, e := range v[0].Elements() {
		if alikeValues(eq, e, v[1]) {
			out = append(out, schema.Int(int64(i)+1))
		}
	}
	return schema.Array(schema.AppendArray(nil, out...)), nil
}

func remove(eq func(a, b schema.Value) int, v []schema.Value) (schema.Value, error) {
	if v[0].IsNull() {
		return schema.Null(), nil
	}
	if err := flatOnly(v[0], "removing elements"); err != nil {
		return schema.Null(), err
	}
	var out []schema.Value
	for _, e := range v[0].Elements() {
		if !alikeValues(eq, e, v[1]) {
			out = append(out, e)
		}
	}
	return schema.Array(schema.AppendArray(nil, out...)), nil
}

func replaceElements(eq func(a, b schema.Value) int, v []schema.Value) (schema.Value, error) {
	if v[0].IsNull() {
		return schema.Null(), nil
	}
	return replaceIn(eq, v[0], v[1], v[2]), nil
}

func replaceIn(eq func(a, b schema.Value) int, array, from, to schema.Value) schema.Value {
	var out []schema.Value
	for _, e := range array.Elements() {
		switch {
		case e.Kind() == schema.KindArray:
			e = replaceIn(eq, e, from, to)
		case alikeValues(eq, e, from):
			e = to
		}
		out = append(out, e)
	}
	return schema.Array(schema.AppendArray(nil, out...))
}

// arrayEdits join arrays, and turn them into text and back.
func arrayEdits() []overload {
	cat := func(v []schema.Value) (schema.Value, error) { return concatArrays(v[0], v[1]) }
	list := []overload{
		{name: "array_to_string", args: []ID{anyArray, Text}, result: Text, make: arrayText},
		{name: "array_to_string", args: []ID{anyArray, Text, Text}, result: Text, loose: true, make: arrayText},
		binaryLoose("string_to_array", Text, Text, Text.Array(), func(v []schema.Value) (schema.Value, error) {
			return splitText(v[0], v[1], schema.Null()), nil
		}),
		{name: "string_to_array", args: []ID{Text, Text, Text}, result: Text.Array(), loose: true, eval: func(v []schema.Value) (schema.Value, error) {
			return splitText(v[0], v[1], v[2]), nil
		}},
	}
	for _, name := range [...]string{"||", "array_cat"} {
		list = append(list, overload{name: name, args: []ID{anyCompatibleArray, anyCompatibleArray}, result: anyCompatibleArray, loose: true, eval: cat})
	}
	for _, name := range [...]string{"||", "array_append"} {
		list = append(list, overload{name: name, args: []ID{anyCompatibleArray, anyCompatible}, result: anyCompatibleArray, loose: true,
			eval: func(v []schema.Value) (schema.Value, error) { return addElement(v[0], v[1], false) }})
	}
	for _, name := range [...]string{"||", "array_prepend"} {
		list = append(list, overload{name: name, args: []ID{anyCompatible, anyCompatibleArray}, result: anyCompatibleArray, loose: true,
			eval: func(v []schema.Value) (schema.Value, error) { return addElement(v[1], v[0], true) }})
	}
	return list
}

func binaryLoose(name string, a, b, r ID, f evalFunc) overload {
	return overload{name: name, args: []ID{a, b}, result: r, loose: true, eval: f}
}

// concatArrays joins arrays of the same number of dimensions, or takes one of one
// less for an element of the other.
func concatArrays(a, b schema.Value) (schema.Value, error) {
	switch {
	case a.IsNull():
		return b, nil
	case b.IsNull():
		return a, nil
	}
	x, y := dimensions(a), dimensions(b)
	var elems []schema.Value
	switch {
	case len(x) == 0:
		return b, nil
	case len(y) == 0:
		return a, nil
	case len(x) == len(y):
		elems = slices.Concat(elementsOf(a), elementsOf(b))
	case len(x) == len(y)+1:
		elems = append(elementsOf(a), b)
	case len(x)+1 == len(y):
		elems = append([]schema.Value{a}, elementsOf(b)...)
	}
	out := schema.Array(schema.AppendArray(nil, elems...))
	if elems == nil || !rectangular(out) {
		return schema.Null(), fault.New("2202E", "cannot concatenate incompatible arrays")
	}
	return out, nil
}

func elementsOf(v schema.Value) []schema.Value {
	var list []schema.Value
	for _, e := range v.Elements() {
		list = append(list, e)
	}
	return list
}

func addElement(array, e schema.Value, front bool) (schema.Value, error) {
	var elems []schema.Value
	if !array.IsNull() {
		if len(dimensions(array)) > 1 {
			return schema.Null(), fault.New("22000", "argument must be empty or one-dimensional array")
		}
		elems = elementsOf(array)
	}
	if front {
		elems = append([]schema.Value{e}, elems...)
	} else {
		elems = append(elems, e)
	}
	return schema.Array(schema.AppendArray(nil, elems...)), nil
}

// arrayText prints the elements with a separator; NULLs are left out, or stand as
// the third argument.
func arrayText(types []schema.Type, _ *schema.Type) (evalFunc, error) {
	elem := types[0].Elem
	return func(v []schema.Value) (schema.Value, error) {
		if v[0].IsNull() || v[1].IsNull() {
			return schema.Null(), nil
		}
		out, first := []byte{}, true
		for _, e := range flat(nil, v[0]) {
			if e.IsNull() && (len(v) < 3 || v[2].IsNull()) {
				continue
			}
			if !first {
				out = append(out, v[1].Ref()...)
			}
			first = false
			if e.IsNull() {
				out = append(out, v[2].Ref()...)
			} else {
				out = elem.AppendText(out, e)
			}
		}
		return text(out), nil
	}, nil
}

// splitText cuts at a separator, or into characters if it is NULL; fields equal
// to null become NULL.
func splitText(v, sep, null schema.Value) schema.Value {
	if v.IsNull() {
		return schema.Null()
	}
	var fields [][]byte
	switch {
	case len(v.Ref()) == 0:
	case sep.IsNull():
		fields = bytes.Split(v.Ref(), nil)
	case len(sep.Ref()) == 0:
		fields = [][]byte{v.Ref()}
	default:
		fields = bytes.Split(v.Ref(), sep.Ref())
	}
	elems := make([]schema.Value, len(fields))
	for i, f := range fields {
		if null.IsNull() || !bytes.Equal(f, null.Ref()) {
			elems[i] = text(f)
		}
	}
	return schema.Array(schema.AppendArray(nil, elems...))
}
