package scalar

import (
	"strings"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// An Error is what Postgres would have raised.
type Error = fault.Error

// A Func is a function or operator whose types are settled. It may be called by
// any number of goroutines.
type Func struct {
	Name   string
	Args   []schema.Type // what each argument has to be, in order
	Result schema.Type
	Loose  bool // it is called with NULLs; otherwise a NULL argument gives NULL
	Needs  Need

	eval evalFunc
}

type evalFunc = func(args []schema.Value) (schema.Value, error)

// Eval applies f to arguments of the types of f.Args. It keeps nothing of args;
// the result may share bytes with them. An error is an *Error.
func (f *Func) Eval(args []schema.Value) (schema.Value, error) {
	if !f.Loose {
		for i := range args {
			if args[i].IsNull() {
				return schema.Null(), nil
			}
		}
	}
	return f.eval(args)
}

// A Need is what a function asks of the collation of its text arguments.
type Need uint8

// The needs, weakest first. Under BytesCollation the collation has to be
// deterministic, so that texts are equal if their bytes are; under CCollation it
// has to be C.
const (
	NoCollation Need = iota
	BytesCollation
	CCollation
)

// Lookup finds the function or operator that Postgres would call with arguments
// of these types. It gives a *Refused for what Postgres has and Evert cannot
// answer exactly, and an *Error of state 42883 (there is none) or 42725 (there
// are several).
func Lookup(name string, args []schema.Type) (Func, error) {
	if r := RefusalOf(name, args); r != nil {
		return Func{}, r
	}
	if base, word, ok := quantified(name); ok && len(args) == 2 {
		return lookupQuantified(name, base, word, args)
	}
	if name == "nullif" && len(args) == 2 {
		return lookupNullif(args)
	}
	candidates := catalogue()[name]
	o, err := resolve(name, candidates, args)
	if err != nil {
		return Func{}, err
	}
	return o.bind(args)
}

// Known reports whether Lookup may find a function of that name, with some
// arguments.
func Known(name string) bool {
	_, _, ok := quantified(name)
	return ok || name == "nullif" || len(catalogue()[name]) > 0
}

// quantified splits "= any" and "<> all".
func quantified(name string) (base, word string, ok bool) {
	base, word, ok = strings.Cut(name, " ")
	return base, word, ok && (word == "any" || word == "all")
}

func undefinedFunction(name string, args []schema.Type) error {
	list := make([]string, len(args))
	for i := range args {
		list[i] = typeName(&args[i])
	}
	if isOperator(name) {
		return fault.New("42883", "operator does not exist: %s", operatorText(name, list))
	}
	return fault.New("42883", "function %s(%s) does not exist", name, strings.Join(list, ", "))
}

func ambiguous(name string, args []schema.Type) error {
	list := make([]string, len(args))
	for i := range args {
		list[i] = typeName(&args[i])
	}
	if isOperator(name) {
		return fault.New("42725", "operator is not unique: %s", operatorText(name, list))
	}
	return fault.New("42725", "function %s(%s) is not unique", name, strings.Join(list, ", "))
}

func operatorText(name string, args []string) string {
	if len(args) == 1 {
		return name + " " + args[0]
	}
	return strings.Join(args, " "+name+" ")
}

func isOperator(name string) bool {
	return name != "" && strings.IndexByte("+-*/<>=~!@#%^&|?[", name[0]) >= 0
}

// typeName is how messages name a type.
func typeName(t *schema.Type) string {
	if id := Identify(t); id != None && id.Elem() != Enum {
		return id.String()
	}
	return t.Name
}

func undefinedType(name string) error { return fault.New("42704", "type %q does not exist", name) }

func badModifier(id ID) error { return fault.Parameter("invalid type modifier for type %s", id) }
