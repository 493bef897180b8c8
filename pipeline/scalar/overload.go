package scalar

import (
	"slices"
	"sync"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// An overload is one row of the catalogue.
type overload struct {
	name   string
	args   []ID
	rest   ID // any number of further arguments of this type; None if there are none
	result ID
	loose  bool
	needs  Need
	eval   evalFunc
	make   maker // instead of eval, where the types of the arguments matter
}

// A maker compiles a function for its argument types; result is the type of the
// overload's result, which it may make more precise.
type maker func(args []schema.Type, result *schema.Type) (evalFunc, error)

// catalogue gives the overloads of each name. It is built once and never
// changed.
var catalogue = sync.OnceValue(func() map[string][]overload {
	byName := map[string][]overload{}
	for _, room := range [...][]overload{
		logicOverloads(), comparisonOverloads(), integerOverloads(), floatOverloads(), numericOverloads(),
		textOverloads(), digestOverloads(), likeOverloads(), momentOverloads(), calendarOverloads(),
		jsonOverloads(), arrayOverloads(), regexOverloads(), sundryOverloads(),
	} {
		for _, o := range room {
			byName[o.name] = append(byName[o.name], o)
		}
	}
	return byName
})

// arity is how o is called with n arguments: its own and as many of rest as it
// takes; ok is false if it cannot be.
func (o *overload) arity(n int) (pattern []ID, ok bool) {
	switch {
	case n == len(o.args):
		return o.args, true
	case n < len(o.args) || o.rest == None:
		return nil, false
	}
	pattern = append(pattern, o.args...)
	for len(pattern) < n {
		pattern = append(pattern, o.rest)
	}
	return pattern, true
}

// bind settles the types of a call that resolve chose o for.
func (o *overload) bind(args []schema.Type) (Func, error) {
	pattern, _ := o.arity(len(args))
	generic, err := unify(pattern, args)
	if err != nil {
		return Func{}, err
	}
	if generic.element == nil && slices.ContainsFunc(pattern, polymorphic) {
		return Func{}, fault.New("42804", "could not determine polymorphic type because input has type unknown")
	}
	f := Func{Name: o.name, Loose: o.loose, Needs: o.needs, eval: o.eval, Args: make([]schema.Type, len(args))}
	for i, id := range pattern {
		f.Args[i] = generic.settle(id, &args[i])
	}
	f.Result = generic.settle(o.result, nil)
	if o.make != nil {
		f.eval, err = o.make(f.Args, &f.Result)
	}
	return f, err
}

// polymorphic reports whether an argument alone gives the others their type.
func polymorphic(id ID) bool { return id == anyElement || id == anyArray || id == anyEnum }

// generics are what the polymorphic types of one call stand for.
type generics struct {
	element    *schema.Type // anyelement, anyarray, anyenum
	compatible *schema.Type // anycompatible, anycompatiblearray
}

// unify finds what the polymorphic types of pattern stand for.
func unify(pattern []ID, args []schema.Type) (generics, error) {
	var g generics
	var common []schema.Type
	for i, id := range pattern {
		switch id {
		case anyElement, anyEnum:
			if err := same(&g.element, &args[i]); err != nil {
				return g, err
			}
		case anyArray:
			if err := same(&g.element, args[i].Elem); err != nil {
				return g, err
			}
		case anyCompatible:
			common = append(common, args[i])
		case anyCompatibleArray:
			if args[i].Elem != nil {
				common = append(common, *args[i].Elem)
			}
		}
	}
	if len(common) == 0 {
		return g, nil
	}
	t, err := CommonType(common...)
	g.compatible = &t
	if err == nil && t.Elem != nil && slices.Contains(pattern, anyCompatibleArray) {
		err = fault.New("42704", "could not find array type for data type %s", typeName(&t))
	}
	return g, err
}

// same keeps the type that several arguments must share; a literal takes it.
func same(have **schema.Type, t *schema.Type) error {
	switch {
	case t == nil || Identify(t) == Unknown:
	case *have == nil:
		*have = t
	case !equalTypes(*have, t):
		return fault.New("42804", "arguments declared \"anyelement\" are not all alike: %s and %s", typeName(*have), typeName(t))
	}
	return nil
}

// settle gives the type that id stands for in this call; arg is the argument's
// own type, nil for the result.
func (g *generics) settle(id ID, arg *schema.Type) schema.Type {
	switch id {
	case anyType, anyNonArray:
		if Identify(arg) == Unknown {
			return Text.Type()
		}
		return *arg
	case anyElement, anyEnum:
		return plain(g.element)
	case anyArray:
		return ArrayOf(plain(g.element))
	case anyCompatible:
		return plain(g.compatible)
	case anyCompatibleArray:
		return ArrayOf(plain(g.compatible))
	}
	return id.Type()
}

// plain is a type without modifiers: results have none.
func plain(t *schema.Type) schema.Type {
	if t == nil {
		return Text.Type()
	}
	id := Identify(t)
	switch {
	case id == Enum:
		return *t
	case id == None:
		return *t
	case id.IsArray():
		return ArrayOf(plain(t.Elem))
	}
	return id.Type()
}

// equalTypes reports whether two types are one but for their modifiers.
func equalTypes(a, b *schema.Type) bool {
	x, y := Identify(a), Identify(b)
	if x != y {
		return false
	}
	switch {
	case x == Enum || x == None:
		return a.Name == b.Name
	case x.IsArray():
		return equalTypes(a.Elem, b.Elem)
	}
	return true
}
