package sandbox

import (
	"go.starlark.net/starlark"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// shown is a value as a script sees it: None, a boolean, an integer, a float, bytes,
// a list; everything else is the text that Postgres prints, also exact decimals,
// dates and JSON.
func (p *Program) shown(t *schema.Type, v schema.Value) starlark.Value {
	switch v.Kind() {
	case schema.KindNull, schema.KindUnknown:
		return starlark.None
	case schema.KindBool:
		return starlark.Bool(v.Bool())
	case schema.KindInt:
		return starlark.MakeInt64(v.Int())
	case schema.KindFloat:
		return starlark.Float(v.Float())
	case schema.KindBytes:
		return starlark.Bytes(v.Ref())
	case schema.KindArray:
		var list []starlark.Value
		for _, e := range v.Elements() {
			list = append(list, p.shown(t.Elem, e))
		}
		return starlark.NewList(list)
	}
	return starlark.String(t.AppendText(nil, v))
}

// taken is a script's value as one of a column's type; ok is false if it is none.
func (f *field) taken(t *schema.Type, v starlark.Value) (out schema.Value, ok bool) {
	switch x := v.(type) {
	case starlark.NoneType:
		return schema.Null(), true
	case starlark.Bool:
		return schema.Bool(bool(x)), t.Kind == schema.KindBool
	case starlark.Bytes:
		return schema.Bytes([]byte(x)), t.Kind == schema.KindBytes
	case starlark.Float:
		return f.parsed(x.String(), t.Kind == schema.KindFloat)
	case starlark.Int:
		return f.parsed(x.String(), t.Kind == schema.KindInt || t.Kind == schema.KindDecimal || t.Kind == schema.KindFloat)
	case starlark.String:
		return f.parsed(string(x), t.Kind != schema.KindBool && t.Kind != schema.KindBytes && t.Kind != schema.KindArray)
	case *starlark.List:
		return elements(t, x)
	}
	return schema.Null(), false
}

// parsed reads a text as the type does, without a word of the text.
func (f *field) parsed(text string, fits bool) (schema.Value, bool) {
	if !fits || f.none {
		return schema.Null(), false
	}
	v, err := f.parse.Eval([]schema.Value{schema.Text([]byte(text))})
	return v, err == nil
}

func elements(t *schema.Type, list *starlark.List) (schema.Value, bool) {
	if t.Kind != schema.KindArray || t.Elem == nil {
		return schema.Null(), false
	}
	f, err := scalar.Cast(scalar.Text.Type(), *t.Elem, scalar.Explicit)
	of := field{parse: f, none: err != nil}
	all := make([]schema.Value, list.Len())
	for i := range all {
		v, ok := of.taken(t.Elem, list.Index(i))
		if !ok {
			return schema.Null(), false
		}
		all[i] = v
	}
	return schema.Array(schema.AppendArray(nil, all...)), true
}
