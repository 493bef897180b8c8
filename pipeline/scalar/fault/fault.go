// Package fault holds the errors that evaluating SQL gives.
package fault

import "fmt"

// An Error is what Postgres would have raised: its SQLSTATE and a sentence
// that never holds a row value.
type Error struct {
	State string // five characters, as in Postgres's appendix of error codes
	Text  string
}

// Error gives the sentence and the state.
func (e *Error) Error() string { return e.Text + " (SQLSTATE " + e.State + ")" }

// New is an error of a state.
func New(state, format string, args ...any) *Error {
	return &Error{State: state, Text: fmt.Sprintf(format, args...)}
}

// DivisionByZero is 22012.
func DivisionByZero() *Error { return New("22012", "division by zero") }

// OutOfRange says that a result does not fit its type.
func OutOfRange(typ string) *Error { return New("22003", "%s out of range", typ) }

// Syntax says that a text is not a value of a type.
func Syntax(typ string) *Error { return New("22P02", "invalid input syntax for type %s", typ) }

// BadDatetime says that a text is not a date or time.
func BadDatetime(typ string) *Error { return New("22007", "invalid input syntax for type %s", typ) }

// FieldOverflow says that a field of a date or time is beyond what it may be.
func FieldOverflow() *Error { return New("22008", "date/time field value out of range") }

// DatetimeRange says that a date or time does not fit its type.
func DatetimeRange(typ string) *Error { return New("22008", "%s out of range", typ) }

// TooLong says that a text does not fit its type.
func TooLong(typ string) *Error { return New("22001", "value too long for type %s", typ) }

// Parameter says that an argument is not allowed.
func Parameter(format string, args ...any) *Error { return New("22023", format, args...) }

// Unsupported says that Postgres could answer, and Evert not exactly so.
func Unsupported(format string, args ...any) *Error { return New("0A000", format, args...) }
