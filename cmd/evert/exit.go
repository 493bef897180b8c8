package main

import (
	"errors"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// The exit codes of DESIGN §9.2.
const (
	exitOK          = 0
	exitFailed      = 1 // at run time
	exitInvalid     = 2 // configuration or usage
	exitDiffers     = 4 // verify found differences
	exitEnvironment = 3 // directory or port taken; a server that cannot be reached or refuses
)

// errSaid ends a verb that has printed all there is to say.
var errSaid = errors.New("said already")

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error       { return &exitError{exitInvalid, err} }
func invalid(err error) error     { return &exitError{exitInvalid, err} }
func environment(err error) error { return &exitError{exitEnvironment, err} }

// exitCode gives the code for what a verb returned.
func exitCode(err error) int {
	var known *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &known):
		return known.code
	}
	switch pipeline.CodeOf(err) {
	case datadir.CodeTaken, datadir.CodeAccess, api.CodePortTaken, api.CodeSocketPath, api.CodeCertificate, embedded.RefuseTaken:
		return exitEnvironment
	}
	return exitFailed
}
