package sql

import (
	"errors"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// constantRegex makes sure that a regular expression is one that is matched as
// Postgres would. Only a constant can be looked at before there are rows.
func (b *binder) constantRegex(at int, name string, f *scalar.Func, args []*term) {
	if !isRegex(name, args) {
		return
	}
	pattern := args[1]
	if pattern.op != opConst {
		b.fail(at, codeInexact, "the regular expression of "+describe(name)+" is no constant: whether it is matched as Postgres would cannot be known beforehand",
			"write it as a constant, one CASE branch for each; or use LIKE, position or starts_with")
	}
	probe := make([]schema.Value, len(args))
	for i, t := range args {
		if probe[i] = schema.Text([]byte{}); t.op == opConst && i > 0 {
			probe[i] = t.val
		}
	}
	_, err := f.Eval(probe)
	var e *scalar.Error
	if !errors.As(err, &e) {
		return
	}
	b.fail(pattern.at, regexCode(e), e.Text, mendRegex)
}

const mendRegex = "write another expression, or use LIKE, position, split_part or starts_with"

// regexCode tells a regular expression that Postgres refuses too from one that
// is not matched exactly.
func regexCode(e *scalar.Error) pipeline.Code {
	if e.State == unsupportedState {
		return codeInexact
	}
	return codeType
}

// unsupportedState is what package scalar says of a regular expression that it
// does not match exactly.
const unsupportedState = "0A000"

func isRegex(name string, args []*term) bool {
	return takesRegex(name, len(args)) && scalar.Identify(&args[1].typ) == scalar.Text
}

// takesRegex reports whether the second argument may be a regular expression.
func takesRegex(name string, args int) bool {
	if args < 2 {
		return false
	}
	switch name {
	case "~", "!~", "~*", "!~*":
		return true
	case "substring":
		return args == 2
	}
	return strings.HasPrefix(name, "regexp_")
}
