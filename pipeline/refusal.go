package pipeline

import (
	"errors"
	"strings"
)

// A Code names one kind of refusal, as printed in brackets after an error and
// explained by `evert help CODE`. Codes are upper-case words joined by
// underscores; once released, a code keeps its meaning.
type Code string

// A Refusal is an error that a person has to read: it says where, what, and
// the one thing that mends it. It never holds a row value or a secret.
type Refusal struct {
	Code  Code
	Where string // file:line:column, a table, a position; empty when there is only one place
	What  string // a sentence without a full stop
	Mend  string // a statement, a command or a setting; the person can run it as printed
	Err   error  // the cause, if there is one
}

// Error prints `where: what: cause [CODE]` and the mend on a line of its own.
func (r *Refusal) Error() string {
	var b strings.Builder
	if r.Where != "" {
		b.WriteString(r.Where + ": ")
	}
	b.WriteString(r.What)
	if r.Err != nil {
		b.WriteString(": " + r.Err.Error())
	}
	b.WriteString(" [" + string(r.Code) + "]")
	if r.Mend != "" {
		b.WriteString("\n  mend: " + strings.ReplaceAll(r.Mend, "\n", "\n        "))
	}
	return b.String()
}

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// CodeOf gives the code of the first Refusal in err's chain, or "".
func CodeOf(err error) Code {
	if r, ok := errors.AsType[*Refusal](err); ok { // unlike As it allocates nothing: rows pass here
		return r.Code
	}
	return ""
}
