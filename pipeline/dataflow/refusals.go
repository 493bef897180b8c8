package dataflow

import (
	"errors"
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// The refusals of this package. Each stops the view whose epoch met it.
const (
	// CodeNotUnique: two rows of the result share the view's key.
	CodeNotUnique pipeline.Code = "VIEW_KEY_NOT_UNIQUE"
	// CodeExpression: an expression or an aggregate has no value, as in the database.
	CodeExpression pipeline.Code = "VIEW_EXPRESSION"
	codeTooLarge   pipeline.Code = "VIEW_GROUP_TOO_LARGE"
	codeState      pipeline.Code = "VIEW_STATE"
)

// exprError is SQL's error of an expression.
func exprError(e Expr, err error) error {
	return &pipeline.Refusal{
		Code: CodeExpression, What: fmt.Sprintf("the expression %s has no value for a row", e), Err: err,
		Mend: "guard the expression, as with CASE or NULLIF, or correct the row in the source",
	}
}

// groupError is SQL's error of an aggregate.
func groupError(agg *Agg, err error) error {
	if pipeline.CodeOf(err) != "" {
		return err
	}
	return &pipeline.Refusal{
		Code: CodeExpression, What: fmt.Sprintf("the aggregate %s has no value for a group", agg.Text), Err: err,
		Mend: "cast the argument to a type that holds the result, as numeric, or correct the rows in the source",
	}
}

// notUnique says that a view's key does not identify its rows.
func notUnique(p *Plan) error {
	return &pipeline.Refusal{
		Code: CodeNotUnique,
		What: fmt.Sprintf("the result has more than one row with the same key (%s)", names(p.Root.Columns(), p.Key)),
		Mend: "add columns to the view's `key` until it identifies a row, or aggregate the rows that share it",
	}
}

// tooLarge says that one value outgrew its bound.
func tooLarge(what string, max int64) error {
	return &pipeline.Refusal{
		Code: codeTooLarge, What: fmt.Sprintf("%s is larger than the bound of %d bytes on what is built for one group", what, max),
		Mend: "group by more columns, FILTER what is aggregated, or raise `limits.memory`",
	}
}

// errState is the cause when an entry of the state cannot be what was written.
var errState = errors.New("an entry is malformed")

// errRetract is the cause when a value or a row is taken away that is not there.
var errRetract = errors.New("more is taken away than there is")

// stateError says that the state does not hold what this plan left in it.
func stateError(what string, err error) error {
	return &pipeline.Refusal{
		Code: codeState, What: "the state of " + what + " is damaged", Err: err,
		Mend: "delete the view's directory of state while Evert is stopped: it is filled again from the log",
	}
}

func names(cols []schema.Column, at []int) string {
	all := make([]string, len(at))
	for i, c := range at {
		all[i] = cols[c].Name
	}
	return strings.Join(all, ", ")
}
