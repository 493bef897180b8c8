package handover

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// A Where chooses the rows of a table that are copied. Changes that come by the stream
// are not chosen among: a row that was left out is there from its first change on, and
// a copy that is asked for begins with the chosen ones again. The zero Where chooses all.
type Where struct {
	SQL string // a condition of the table's columns, the same for a row whenever it is asked for

	// At tells where a place of SQL stands, for messages; line and column count from 1.
	// nil: nobody knows.
	At func(line, column int) string
}

// InBrackets is the condition in brackets; the line ends whatever comment it ends with.
func (w Where) InBrackets() string { return "(" + w.SQL + "\n)" }

// Fingerprint tells one condition from another, in a state; empty for none.
func (w Where) Fingerprint() string {
	if w.SQL == "" {
		return ""
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(w.SQL))
	return fmt.Sprintf("%016x", h.Sum64())
}

// Place says where a character of the condition of a table stands, for a refusal: its
// beginning for one that lies outside.
func (w Where) Place(table string, at int) string {
	if w.At == nil {
		return table
	}
	return w.At(lineOf(w.SQL, at)) + ": the condition of " + table
}

func lineOf(text string, at int) (line, column int) {
	runes := []rune(text)
	if at < 0 || at > len(runes) {
		return 1, 1
	}
	before := string(runes[:at])
	return 1 + strings.Count(before, "\n"), 1 + len([]rune(before[strings.LastIndex(before, "\n")+1:]))
}
