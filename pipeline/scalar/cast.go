package scalar

import (
	"slices"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// A Context says who asks for a cast: an operator or function that wants another
// type (Implicit), a column that is written (Assignment), or a cast in the text
// (Explicit). Each allows what the ones before it do.
type Context uint8

// The contexts of casts.
const (
	Implicit Context = iota
	Assignment
	Explicit
)

// Cast gives the function of one argument that turns a value of one type into
// another, modifiers included: a numeric(10,2) is rounded, a varchar(3) cut or,
// unless the cast is explicit, refused where it is too long. From Unknown it parses
// a literal. An *Error of state 42846 says that there is no such cast.
func Cast(from, to schema.Type, in Context) (Func, error) {
	change, err := changer(&from, &to, in)
	if err != nil {
		return Func{}, err
	}
	fit := fitter(&from, &to, in)
	f := Func{Name: typeName(&to), Args: []schema.Type{from}, Result: to}
	f.eval = func(v []schema.Value) (schema.Value, error) {
		x, err := change(v[0])
		if err != nil || fit == nil || x.IsNull() {
			return x, err
		}
		return fit(x)
	}
	return f, nil
}

// IsSame reports whether a cast would change nothing, so that a binder can leave
// it out.
func IsSame(from, to schema.Type) bool {
	return equalTypes(&from, &to) && fitter(&from, &to, Implicit) == nil
}

type changeFunc = func(v schema.Value) (schema.Value, error)

// same is the cast that changes nothing.
func unchanged(v schema.Value) (schema.Value, error) { return v, nil }

// changer gives the cast without modifiers.
func changer(from, to *schema.Type, in Context) (changeFunc, error) {
	a, b := Identify(from), Identify(to)
	switch {
	case b == None || a == None:
		return nil, cannotCast(from, to)
	case equalTypes(from, to):
		return unchanged, nil
	case a == Unknown:
		return literal(to), nil
	case a.IsArray() && b.IsArray():
		return arrayChanger(from, to, in)
	case !allowed(a, b, in):
		return nil, cannotCast(from, to)
	}
	if f := direct(a, b); f != nil {
		return f, nil
	}
	if isText(b) {
		return func(v schema.Value) (schema.Value, error) { return text(from.AppendText(nil, v)), nil }, nil
	}
	return literal(to), nil // from text, by the type's input
}

func cannotCast(from, to *schema.Type) error {
	return fault.New("42846", "cannot cast type %s to %s", typeName(from), typeName(to))
}

func isText(id ID) bool { return id == Text || id == Varchar || id == BPChar }

// literal parses the text of a value.
func literal(to *schema.Type) changeFunc {
	return func(v schema.Value) (schema.Value, error) { return Parse(to, v.Ref()) }
}

// arrayChanger casts the elements.
func arrayChanger(from, to *schema.Type, in Context) (changeFunc, error) {
	elem, err := changer(from.Elem, to.Elem, in)
	if err != nil {
		return nil, cannotCast(from, to)
	}
	return func(v schema.Value) (schema.Value, error) { return mapArray(v, elem) }, nil
}

// mapArray applies f to all elements but NULLs, in all dimensions.
func mapArray(v schema.Value, f changeFunc) (schema.Value, error) {
	elems := make([]schema.Value, 0, v.Len())
	for _, e := range v.Elements() {
		var err error
		switch {
		case e.Kind() == schema.KindArray:
			e, err = mapArray(e, f)
		case !e.IsNull():
			e, err = f(e)
		}
		if err != nil {
			return schema.Null(), err
		}
		elems = append(elems, e)
	}
	return schema.Array(schema.AppendArray(nil, elems...)), nil
}

// allowed is pg_cast, and the rule that every type can become text by assignment
// and be made of text explicitly.
func allowed(a, b ID, in Context) bool {
	switch {
	case implicit(a, b):
		return true
	case in == Implicit:
		return false
	case isText(b) || assignable(a, b):
		return true
	}
	return in == Explicit && (isText(a) || explicit(a, b))
}

// assignable lists casts that a column may ask for.
func assignable(a, b ID) bool {
	switch a {
	case Int4, Int8, Numeric, Float4, Float8:
		return slices.Contains([]ID{Int2, Int4, Int8, Numeric, Float4, Float8}, b)
	case Timestamp:
		return b == Date || b == Time
	case Timestamptz:
		return b == Date || b == Time || b == Timestamp
	case Interval:
		return b == Time
	case JSON:
		return b == JSONB
	case JSONB:
		return b == JSON
	}
	return false
}

// explicit lists casts that somebody has to write.
func explicit(a, b ID) bool {
	switch a {
	case Bool:
		return b == Int4
	case Int4:
		return b == Bool
	case JSONB:
		return slices.Contains([]ID{Bool, Int2, Int4, Int8, Numeric, Float4, Float8}, b)
	}
	return false
}
