package sandbox

import (
	"errors"
	"fmt"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Limits bound one call of a script.
type Limits struct {
	Steps uint64 // abstract steps
	Bytes int64  // that it may make
}

// A Kind says why a script ended.
type Kind uint8

// The kinds of errors.
const (
	Wrong    Kind = iota // the text is no script, or has no function transform
	Failed               // it fails for a row
	TooLong              // it took too many steps
	TooLarge             // it made too many bytes
)

// An Error is where a script ended, and why. It holds no value of a row.
type Error struct {
	Kind         Kind
	Line, Column int // from 1; 1:1 if it is the script as a whole
	What         string
}

func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.What) }

// A Program is a script that is ready to run. One goroutine uses it.
type Program struct {
	limits  Limits
	main    *starlark.Function
	names   map[string]bool // texts and attributes that stand in it
	meter   *meter
	globals starlark.StringDict
}

const entry = "transform"

// Compile reads a script and runs what stands outside of its functions, within the
// limits of one call.
func Compile(text string, l Limits) (*Program, error) {
	file, err := (&syntax.FileOptions{}).Parse("script", text, 0)
	if err != nil {
		return nil, wrong(err)
	}
	p := &Program{limits: l, names: map[string]bool{}, meter: &meter{}}
	r := &rewriter{names: p.names}
	r.statements(file.Stmts)
	if r.err != nil {
		return nil, r.err
	}
	given := p.meter.builtins()
	program, err := starlark.FileProgram(file, given.Has)
	if err != nil {
		return nil, wrong(err)
	}
	thread := p.thread()
	p.globals, err = program.Init(thread, given)
	if err != nil {
		return nil, p.failed(err)
	}
	p.globals.Freeze()
	main, ok := p.globals[entry].(*starlark.Function)
	if !ok || main.NumParams() != 1 || main.HasVarargs() || main.HasKwargs() {
		return nil, &Error{Wrong, 1, 1, "the script has no function transform(row)"}
	}
	p.main = main
	return p, nil
}

// Mentions reports whether a name stands in the script, so that it may look at the
// column of that name.
func (p *Program) Mentions(name string) bool { return p.names[name] }

// thread is fresh for each call: nothing is left of the one before.
func (p *Program) thread() *starlark.Thread {
	t := &starlark.Thread{Name: "transform", Print: func(*starlark.Thread, string) {}}
	t.SetMaxExecutionSteps(p.limits.Steps)
	*p.meter = meter{limits: p.limits}
	return t
}

// wrong is what is wrong with the text.
func wrong(err error) error {
	var s syntax.Error
	var r resolve.ErrorList
	switch {
	case errors.As(err, &s):
		return &Error{Wrong, int(s.Pos.Line), int(s.Pos.Col), s.Msg}
	case errors.As(err, &r) && len(r) > 0:
		return &Error{Wrong, int(r[0].Pos.Line), int(r[0].Pos.Col), r[0].Msg}
	}
	return &Error{Wrong, 1, 1, err.Error()}
}

// failed says where the script failed. The interpreter's words stay here.
func (p *Program) failed(err error) error {
	e := &Error{Kind: Failed, Line: 1, Column: 1, What: "the script fails for a row here"}
	var eval *starlark.EvalError
	if errors.As(err, &eval) {
		for _, frame := range eval.CallStack { // the innermost that is of the script comes last
			if frame.Pos.Filename() == "script" && frame.Pos.Line > 0 {
				e.Line, e.Column = int(frame.Pos.Line), int(frame.Pos.Col)
			}
		}
	}
	switch {
	case p.meter.full:
		e.Kind, e.What = TooLarge, fmt.Sprintf("the script makes more than %d bytes for a row", p.limits.Bytes)
	case p.meter.long || eval != nil && eval.Msg == "Starlark computation cancelled: too many steps":
		e.Kind, e.What = TooLong, fmt.Sprintf("the script takes more than %d steps for a row", p.limits.Steps)
	case p.meter.why != "":
		e.What = p.meter.why
	}
	return e
}
