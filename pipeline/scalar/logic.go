package scalar

import (
	"github.com/evertdb/evert/schema"
)

// logicOverloads are the connectives of three-valued logic and the tests that
// are never NULL.
func logicOverloads() []overload {
	loose := func(name string, args []ID, r ID, f evalFunc) overload {
		return overload{name: name, args: args, result: r, loose: true, eval: f}
	}
	two, one := []ID{Bool, Bool}, []ID{Bool}
	list := []overload{
		loose("and", two, Bool, func(v []schema.Value) (schema.Value, error) { return And(v[0], v[1]), nil }),
		loose("or", two, Bool, func(v []schema.Value) (schema.Value, error) { return Or(v[0], v[1]), nil }),
		loose("not", one, Bool, func(v []schema.Value) (schema.Value, error) { return Not(v[0]), nil }),
		loose("is null", []ID{anyType}, Bool, func(v []schema.Value) (schema.Value, error) { return truth(v[0].IsNull()) }),
		loose("is not null", []ID{anyType}, Bool, func(v []schema.Value) (schema.Value, error) { return truth(!v[0].IsNull()) }),
	}
	for name, test := range map[string]func(v schema.Value) bool{
		"true": True, "false": func(v schema.Value) bool { return !v.IsNull() && !v.Bool() }, "unknown": schema.Value.IsNull,
	} {
		list = append(list,
			loose("is "+name, one, Bool, func(v []schema.Value) (schema.Value, error) { return truth(test(v[0])) }),
			loose("is not "+name, one, Bool, func(v []schema.Value) (schema.Value, error) { return truth(!test(v[0])) }))
	}
	return append(list, chooseOverloads()...)
}

// chooseOverloads pick one of their arguments. All are evaluated; a binder that
// wants SQL's laziness compiles COALESCE and NULLIF itself.
func chooseOverloads() []overload {
	return []overload{
		{name: "coalesce", args: []ID{anyCompatible}, rest: anyCompatible, result: anyCompatible, loose: true,
			eval: func(v []schema.Value) (schema.Value, error) {
				for _, x := range v {
					if !x.IsNull() {
						return x, nil
					}
				}
				return schema.Null(), nil
			}},
		{name: "greatest", args: []ID{anyCompatible}, rest: anyCompatible, result: anyCompatible, loose: true, needs: CCollation, make: extreme(1)},
		{name: "least", args: []ID{anyCompatible}, rest: anyCompatible, result: anyCompatible, loose: true, needs: CCollation, make: extreme(-1)},
	}
}

// extreme makes GREATEST (sign 1) or LEAST (-1), which leave out NULLs and keep
// the first of equals.
func extreme(sign int) maker {
	return func(_ []schema.Type, result *schema.Type) (evalFunc, error) {
		less, err := comparer(result)
		if err != nil {
			return nil, err
		}
		return func(v []schema.Value) (schema.Value, error) {
			best := schema.Null()
			for _, x := range v {
				if best.IsNull() || !x.IsNull() && less(x, best)*sign > 0 {
					best = x
				}
			}
			return best, nil
		}, nil
	}
}

// True reports whether a condition holds: it is neither false nor NULL.
func True(v schema.Value) bool { return !v.IsNull() && v.Bool() }

// And is a AND b.
func And(a, b schema.Value) schema.Value {
	switch {
	case !a.IsNull() && !a.Bool() || !b.IsNull() && !b.Bool():
		return schema.Bool(false)
	case a.IsNull() || b.IsNull():
		return schema.Null()
	}
	return schema.Bool(true)
}

// Or is a OR b.
func Or(a, b schema.Value) schema.Value {
	switch {
	case True(a) || True(b):
		return schema.Bool(true)
	case a.IsNull() || b.IsNull():
		return schema.Null()
	}
	return schema.Bool(false)
}

// Not is NOT a.
func Not(a schema.Value) schema.Value {
	if a.IsNull() {
		return a
	}
	return schema.Bool(!a.Bool())
}
