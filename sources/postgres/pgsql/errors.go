package pgsql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
)

// ServerError leaves out what a server's message may hold of rows: its detail, and
// all of it where it is about a value.
func ServerError(pg *pgconn.PgError) error {
	if AboutValue(pg) {
		return fmt.Errorf("the server cannot evaluate a value (SQLSTATE %s)", pg.Code)
	}
	return fmt.Errorf("%s (SQLSTATE %s)", pg.Message, pg.Code)
}

// AboutValue reports whether an error is of SQLSTATE class 22, whose messages quote
// values: a row filter that casts meets those of rows.
func AboutValue(pg *pgconn.PgError) bool { return strings.HasPrefix(pg.Code, "22") }

// A valueless error is one whose text names no value of a row.
type valueless struct {
	text string
	err  error
}

func (v *valueless) Error() string { return v.text }
func (v *valueless) Unwrap() error { return v.err }

// WithoutValues gives err with a text that names no value of a row, for logs and
// statistics.
func WithoutValues(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || !AboutValue(pg) || pipeline.CodeOf(err) != "" {
		return err
	}
	return &valueless{ServerError(pg).Error(), err}
}

// State gives the SQLSTATE of what the server refused; empty if err is something else.
func State(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// LockedOut reports whether a statement was ended because somebody holds the lock of a
// table. It is tried again later.
func LockedOut(err error) bool { return State(err) == "55P03" }
