package registry

import (
	"errors"
	"fmt"
)

// ErrNotFound says that there is no such id, subject, version or schema.
var ErrNotFound = errors.New("not in the registry")

// ErrIncompatible says that a schema does not get along with the earlier ones
// of its subject.
var ErrIncompatible = errors.New("schema is incompatible with an earlier version of its subject")

// ErrRefused says that the registry does not take a schema, whatever its
// content: its mode forbids it, or the one who asks may not.
var ErrRefused = errors.New("the registry takes no schema")

// A Code is an error code of Confluent's protocol. Its first three digits are
// the status of the HTTP answer.
type Code int

// The codes, and where Confluent's documentation has them: "Schema Registry API
// reference", Errors.
const (
	CodeNotAcceptable      Code = 406   // a body that is not JSON is 400
	CodeBadRequest         Code = 400   //
	CodeNoSubject          Code = 40401 //
	CodeNoVersion          Code = 40402 //
	CodeNoSchema           Code = 40403 //
	CodeSubjectDeleted     Code = 40404 // softly, and would be once more
	CodeSubjectNotDeleted  Code = 40405 // softly, and so not permanently
	CodeVersionDeleted     Code = 40406 //
	CodeVersionNotDeleted  Code = 40407 //
	CodeNoSubjectConfig    Code = 40408 //
	CodeNoSubjectMode      Code = 40409 //
	CodeIncompatible       Code = 409   //
	CodeInvalidSchema      Code = 42201 //
	CodeInvalidVersion     Code = 42202 //
	CodeInvalidLevel       Code = 42203 //
	CodeInvalidMode        Code = 42204 //
	CodeNotPermitted       Code = 42205 // by the mode
	CodeReferenced         Code = 42206 // by another schema
	CodeInvalidSubject     Code = 42208 //
	CodeSchemaTooLarge     Code = 42209 //
	CodeStore              Code = 50001 // the log failed
	CodeTimeout            Code = 50002 //
	CodeUnauthorized       Code = 40101 //
	CodeTooManyRequests    Code = 50301 // ours: limits.requests
	CodeCrossSite          Code = 40301 // ours: a browser on another site asks
	CodeNoSuchPath         Code = 404   //
	CodeMethodNotSupported Code = 405   //
)

// Status gives the status of the HTTP answer.
func (c Code) Status() int {
	if c >= 10000 {
		return int(c) / 100
	}
	return int(c)
}

// An Error is a refusal of the registry as its protocol tells it.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Is makes the sentinels of a code.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Code.Status() == 404
	case ErrIncompatible:
		return e.Code == CodeIncompatible
	case ErrRefused:
		return e.Code == CodeNotPermitted
	}
	return false
}

func refuse(code Code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

func noSubject(name string) error {
	return refuse(CodeNoSubject, "Subject '%s' not found.", name)
}

func noVersion(number int) error { return refuse(CodeNoVersion, "Version %d not found.", number) }
