package exit

import (
	"errors"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/machine"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// The exit codes of the program.
const (
	OK          = 0
	Failed      = 1 // at run time
	Misused     = 2 // configuration or usage
	Differs     = 4 // verify found differences
	Unavailable = 3 // directory or port taken; a server that cannot be reached or refuses
)

// ErrSaid ends a verb that has printed all there is to say.
var ErrSaid = errors.New("said already")

// Error is an error that knows its exit code.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Usage marks a mistake of whoever called, Invalid one of the file, and Environment what
// a server or this machine refuses.
func Usage(err error) error       { return &Error{Misused, err} }
func Invalid(err error) error     { return &Error{Misused, err} }
func Environment(err error) error { return &Error{Unavailable, err} }

// CodeOf gives the code for what a verb returned.
func CodeOf(err error) int {
	var known *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &known):
		return known.Code
	}
	switch pipeline.CodeOf(err) {
	case datadir.CodeTaken, datadir.CodeAccess, api.CodePortTaken, api.CodeSocketPath, api.CodeCertificate, embedded.RefuseTaken, machine.CodeFiles:
		return Unavailable
	}
	return Failed
}
