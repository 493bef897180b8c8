package sql

import (
	"errors"
	"strings"

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
	code := codeType
	if e.State == unsupportedState {
		code = codeInexact
	}
	b.fail(pattern.at, code, e.Text, "write another expression, or use LIKE, position, split_part or starts_with")
}

// unsupportedState is what package scalar says of a regular expression that it
// does not match exactly.
const unsupportedState = "0A000"

func isRegex(name string, args []*term) bool {
	if len(args) < 2 || scalar.Identify(&args[1].typ) != scalar.Text {
		return false
	}
	switch name {
	case "~", "!~", "~*", "!~*":
		return true
	case "substring":
		return len(args) == 2
	}
	return strings.HasPrefix(name, "regexp_")
}
