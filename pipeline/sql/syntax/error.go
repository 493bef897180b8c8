package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline"
)

// The codes of what a text can be refused for.
const (
	CodeSyntax      pipeline.Code = "SQL_SYNTAX"      // Postgres would not read it either
	CodeUnsupported pipeline.Code = "SQL_UNSUPPORTED" // Postgres has it, views do not
)

// An Error is one thing wrong with a text.
type Error struct {
	Offset int // in bytes, from 0
	Line   int // from 1
	Column int // in characters, from 1
	Code   pipeline.Code
	What   string // a sentence without a full stop
	Mend   string // what to write instead; may be empty
}

// Error prints `line:column: what [CODE]` and the mend on a line of its own.
func (e *Error) Error() string {
	r := pipeline.Refusal{Code: e.Code, Where: fmt.Sprintf("%d:%d", e.Line, e.Column), What: e.What, Mend: e.Mend}
	return r.Error()
}

// Errors are all things wrong with a text, in its order.
type Errors []*Error

// Error prints one after the other.
func (list Errors) Error() string {
	lines := make([]string, len(list))
	for i, e := range list {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Fault makes an Error at an offset of text.
func Fault(text string, offset int, code pipeline.Code, what, mend string) *Error {
	line, column := Place(text, offset)
	return &Error{Offset: offset, Line: line, Column: column, Code: code, What: what, Mend: mend}
}

// Place gives line and column of an offset, both from 1; columns count
// characters.
func Place(text string, offset int) (line, column int) {
	before := text[:min(max(offset, 0), len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}
