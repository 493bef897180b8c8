package handover

import (
	"fmt"
	"testing"
)

// A place is that of a character, by lines of the condition, and its beginning for one
// that lies outside.
func TestWhere(t *testing.T) {
	t.Parallel()
	w := Where{SQL: "ä > 1 AND\n  b -- c", At: func(line, column int) string { return fmt.Sprintf("f:%d:%d", line, column) }}
	for at, want := range map[int]string{0: "f:1:1", 4: "f:1:5", 12: "f:2:3", 99: "f:1:1", -1: "f:1:1"} {
		if got := w.Place("s.t", at); got != want+": the condition of s.t" {
			t.Errorf("%d: %s, want %s", at, got, want)
		}
	}
	if got := w.InBrackets(); got != "("+w.SQL+"\n)" {
		t.Error(got)
	}
	other := Where{SQL: w.SQL + " "}
	if a, b := w.Fingerprint(), other.Fingerprint(); a == b || a == "" || (Where{}).Fingerprint() != "" || other.Place("s.t", 3) != "s.t" {
		t.Error(a, b)
	}
}
