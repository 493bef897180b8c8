package scalar

import (
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// lookupQuantified makes x op ANY(array) or ALL(array) of the operator on the
// element type.
func lookupQuantified(name, base, word string, args []schema.Type) (Func, error) {
	elem, err := elementOf(&args[0], &args[1])
	if err != nil {
		return Func{}, err
	}
	op, err := Lookup(base, []schema.Type{args[0], elem})
	if err != nil {
		return Func{}, err
	}
	if Identify(&op.Result) != Bool {
		return Func{}, fault.New("42809", "op ANY/ALL (array) requires operator to yield boolean")
	}
	f := Func{Name: name, Args: []schema.Type{op.Args[0], ArrayOf(op.Args[1])}, Result: op.Result, Loose: true, Needs: op.Needs}
	f.eval = func(v []schema.Value) (schema.Value, error) { return quantify(&op, v[0], v[1], word == "any") }
	return f, nil
}

// elementOf is the element type of the array; a literal takes that of the left
// side.
func elementOf(left, array *schema.Type) (schema.Type, error) {
	switch id := Identify(array); {
	case id == Unknown:
		return *left, nil
	case !id.IsArray():
		return schema.Type{}, fault.New("42809", "op ANY/ALL (array) requires array on right side")
	}
	return *array.Elem, nil
}

// quantify stops at the first true (ANY) or false (ALL); NULLs make the answer
// NULL unless it is settled.
func quantify(op *Func, left, array schema.Value, anyOf bool) (schema.Value, error) {
	if array.IsNull() {
		return schema.Null(), nil
	}
	answer := schema.Bool(!anyOf)
	var pair [2]schema.Value
	for _, e := range flat(nil, array) {
		pair[0], pair[1] = left, e
		v, err := op.Eval(pair[:])
		switch {
		case err != nil:
			return v, err
		case v.IsNull():
			answer = v
		case v.Bool() == anyOf:
			return v, nil
		}
	}
	return answer, nil
}
