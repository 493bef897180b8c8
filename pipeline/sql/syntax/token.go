package syntax

// A kind tells what a token is.
type kind uint8

const (
	tokEnd kind = iota
	tokName
	tokQuoted   // "Name"
	tokString   // 'text', E'text', $$text$$
	tokInteger  // 12
	tokDecimal  // 1.5, 1e3
	tokOperator // + <= ->> ||
	tokPunct    // ( ) [ ] , ; : . and :: := => ..
	tokParam    // $1
)

// A token is one word of a text.
type token struct {
	kind kind
	at   int    // byte offset of its first byte
	end  int    // and behind its last
	text string // names in lower case; strings without quotes and escapes; otherwise as written
}

// word reports whether t is the keyword or unquoted name w.
func (t *token) word(w string) bool { return t.kind == tokName && t.text == w }

// punct reports whether t is the punctuation or operator s.
func (t *token) punct(s string) bool {
	return (t.kind == tokPunct || t.kind == tokOperator) && t.text == s
}
