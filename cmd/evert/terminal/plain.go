package terminal

import (
	"strings"
	"unicode"
)

// Plain gives s on one line and without what a terminal would obey: a row's text
// must not move the cursor, colour the screen or set its title. Such characters
// become a space or U+FFFD.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
