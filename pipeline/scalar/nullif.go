package scalar

import "github.com/evertdb/evert/schema"

// lookupNullif makes NULLIF of the operator = on its arguments; its type is that
// of the operator's left side.
func lookupNullif(args []schema.Type) (Func, error) {
	op, err := Lookup("=", args)
	if err != nil {
		return Func{}, err
	}
	f := Func{Name: "nullif", Args: op.Args, Result: op.Args[0], Loose: true, Needs: op.Needs}
	f.eval = func(v []schema.Value) (schema.Value, error) {
		same, err := op.Eval(v)
		if err != nil || True(same) {
			return schema.Null(), err
		}
		return v[0], nil
	}
	return f, nil
}
