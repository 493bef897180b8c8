package scalar

import "github.com/evertdb/evert/schema"

// Helpers that write rows of the catalogue.

func nullary(name string, r ID, f func() (schema.Value, error)) overload {
	return overload{name: name, result: r, eval: func([]schema.Value) (schema.Value, error) { return f() }}
}

func unary(name string, a, r ID, f func(v schema.Value) (schema.Value, error)) overload {
	return overload{name: name, args: []ID{a}, result: r, eval: func(v []schema.Value) (schema.Value, error) { return f(v[0]) }}
}

func binary(name string, a, b, r ID, f func(x, y schema.Value) (schema.Value, error)) overload {
	return overload{name: name, args: []ID{a, b}, result: r, eval: func(v []schema.Value) (schema.Value, error) { return f(v[0], v[1]) }}
}

// many is a function of any number of arguments of given types.
func many(name string, args []ID, r ID, f evalFunc) overload {
	return overload{name: name, args: args, result: r, eval: f}
}

// needing gives overloads a need of their collation.
func needing(n Need, list ...overload) []overload {
	for i := range list {
		list[i].needs = n
	}
	return list
}

func text(b []byte) schema.Value { return schema.Text(b) }

func textOf(s string) schema.Value { return schema.Text([]byte(s)) }

func truth(b bool) (schema.Value, error) { return schema.Bool(b), nil }
