package transform

import (
	"errors"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// A Step is one transform as it was configured. It is immutable and may be
// shared.
type Step interface {
	// Bind compiles the step for one version of a table. The error says what of
	// the step does not fit the table, each mistake at its place in the file.
	Bind(t *schema.Table) (Bound, error)
}

// A StepFunc is a step that differs by table.
type StepFunc func(t *schema.Table) (Step, error)

// Bind implements Step.
func (f StepFunc) Bind(t *schema.Table) (Bound, error) {
	s, err := f(t)
	if err != nil {
		return nil, err
	}
	return s.Bind(t)
}

// A Bound is a step for one version of a table. One goroutine uses it.
type Bound interface {
	// Tables are all tables that may come out, each with a pointer that never
	// changes: same table in, same tables out (I6).
	Tables() []*schema.Table

	// Apply emits what becomes of a change of the table, in order. The change
	// belongs to the caller, and so do its rows. A Truncate has no rows.
	Apply(c *pipeline.Change, out *Out) error
}

// A Spec is a step with the tables that it is for.
type Spec struct {
	For  func(schema, table string) bool // as the source calls them; nil: all
	Step Step
}

// A Text is a piece of the configuration that knows where it stands.
type Text struct {
	Text  string
	Where string                                                              // file:line:column of its beginning
	Fault func(line, column int, code pipeline.Code, what, mend string) error // makes an error at a place within it; may be nil
}

// At gives the error of something wrong at a place within the text, from 1:1.
func (t Text) at(line, column int, code pipeline.Code, what, mend string) error {
	if t.Fault != nil {
		return t.Fault(line, column, code, what, mend)
	}
	return &pipeline.Refusal{Code: code, Where: fmt.Sprintf("%d:%d", line, column), What: what, Mend: mend}
}

// wrong gives the error of something wrong with the text as a whole.
func (t Text) wrong(code pipeline.Code, what, mend string) error { return t.at(1, 1, code, what, mend) }

// placed puts the errors of an expression where they stand in the file.
func (t Text) placed(err error) error {
	var list syntax.Errors
	if !errors.As(err, &list) {
		return err
	}
	all := make([]error, len(list))
	for i, e := range list {
		all[i] = t.at(e.Line, e.Column, e.Code, e.What, e.Mend)
	}
	return errors.Join(all...)
}

// column finds the column of a table that the text names.
func (t Text) column(of *schema.Table) (int, error) {
	if i := of.Column(t.Text); i >= 0 {
		return i, nil
	}
	return 0, t.wrong(codeColumn, fmt.Sprintf("table %s has no column %s at this step", of, quote(t.Text)), mendColumns(of))
}

// Check finds what is wrong with a step whatever the table: the error joins each
// mistake at its place.
func Check(s Step) error {
	if c, ok := s.(interface{ check() error }); ok {
		return c.check()
	}
	return nil
}

// checkExpr parses an expression.
func checkExpr(t Text) error {
	_, err := syntax.ParseExpr(t.Text)
	return t.placed(err)
}
