package syntax

import (
	"strings"
	"unicode/utf8"
)

// A lexer cuts a text into tokens by Postgres's rules.
type lexer struct {
	text string
	pos  int
}

// A stop ends the parsing; it is thrown inside the package and caught by Parse.
type stop struct{ err *Error }

func (l *lexer) fail(at int, what, mend string) {
	panic(stop{Fault(l.text, at, CodeSyntax, what, mend)})
}

func (l *lexer) unsupported(at int, what, mend string) {
	panic(stop{Fault(l.text, at, CodeUnsupported, what, mend)})
}

// next gives the next token; at the end, tokEnd for ever.
func (l *lexer) next() token {
	l.skipSpace()
	start := l.pos
	t := l.token()
	t.at, t.end = start, l.pos
	return t
}

func (l *lexer) token() token {
	if l.pos == len(l.text) {
		return token{kind: tokEnd}
	}
	c := l.text[l.pos]
	switch {
	case isDigit(c) || c == '.' && isDigit(l.peek(1)):
		return l.number()
	case isNameStart(c):
		return l.nameOrPrefixed(c)
	case c == '\'':
		return token{kind: tokString, text: l.quoted()}
	case c == '"':
		return token{kind: tokQuoted, text: l.quotedName()}
	case c == '$':
		return l.dollar()
	case strings.IndexByte("()[],;:.", c) >= 0:
		return l.punctuation()
	case strings.IndexByte(operatorChars, c) >= 0:
		return l.operator()
	}
	r, _ := utf8.DecodeRuneInString(l.text[l.pos:])
	l.fail(l.pos, "the character "+quoteRune(r)+" stands for nothing in SQL", "")
	return token{}
}

func quoteRune(r rune) string { return "'" + string(r) + "'" }

// peek gives the byte n places ahead, 0 behind the end.
func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.text) {
		return l.text[l.pos+n]
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isNamePart(c byte) bool { return isNameStart(c) || isDigit(c) || c == '$' }

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// skipSpace passes white space and comments; those with slashes nest.
func (l *lexer) skipSpace() {
	for l.pos < len(l.text) {
		switch {
		case isSpace(l.text[l.pos]):
			l.pos++
		case strings.HasPrefix(l.text[l.pos:], "--"):
			l.skipLine()
		case strings.HasPrefix(l.text[l.pos:], "/*"):
			l.skipComment()
		default:
			return
		}
	}
}

func (l *lexer) skipLine() {
	n := strings.IndexAny(l.text[l.pos:], "\n\r")
	if n < 0 {
		n = len(l.text) - l.pos
	}
	l.pos += n
}

func (l *lexer) skipComment() {
	start, depth := l.pos, 0
	for l.pos < len(l.text) {
		switch {
		case strings.HasPrefix(l.text[l.pos:], "/*"):
			depth++
			l.pos += 2
		case strings.HasPrefix(l.text[l.pos:], "*/"):
			depth--
			l.pos += 2
			if depth == 0 {
				return
			}
		default:
			l.pos++
		}
	}
	l.fail(start, "the comment that begins here has no end", "close it with */")
}

func (l *lexer) nameOrPrefixed(c byte) token {
	if l.peek(1) == '\'' {
		switch c {
		case 'e', 'E':
			l.pos++
			return token{kind: tokString, text: l.escaped()}
		case 'b', 'B', 'x', 'X':
			l.unsupported(l.pos, "bit strings are not supported in views", "")
		case 'n', 'N':
			l.unsupported(l.pos, "national strings are not supported in views", "leave the N out: "+"'…'")
		}
	}
	if (c == 'u' || c == 'U') && l.peek(1) == '&' && (l.peek(2) == '\'' || l.peek(2) == '"') {
		l.unsupported(l.pos, "U& strings and names are not supported in views", `write the characters themselves, or E'\uXXXX'`)
	}
	start := l.pos
	for l.pos < len(l.text) && isNamePart(l.text[l.pos]) {
		l.pos++
	}
	return token{kind: tokName, text: l.named(start, foldCase(l.text[start:l.pos]))}
}

// foldCase is Postgres's: ASCII alone, so that it depends on no locale.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// longestName is NAMEDATALEN-1; Postgres cuts longer names off.
const longestName = 63

func (l *lexer) named(at int, name string) string {
	if len(name) > longestName {
		l.fail(at, "the name has more than 63 bytes; Postgres would cut it off", "use a shorter name")
	}
	return name
}

func (l *lexer) quotedName() string {
	start := l.pos
	name := l.until('"', "the quoted name that begins here has no end", `close it with "`)
	if name == "" {
		l.fail(start, "a quoted name cannot be empty", "")
	}
	return l.named(start, name)
}

// until reads a quoted text whose quote is doubled inside.
func (l *lexer) until(quote byte, what, mend string) string {
	start := l.pos
	var b strings.Builder
	for l.pos++; l.pos < len(l.text); l.pos++ {
		c := l.text[l.pos]
		if c == quote {
			l.pos++
			if l.peek(0) != quote {
				return b.String()
			}
		}
		b.WriteByte(c)
	}
	l.fail(start, what, mend)
	return ""
}

const (
	openString = "the string that begins here has no end"
	closeIt    = "close it with '"
)

// quoted reads a string, and those behind it on further lines, which belong to it.
func (l *lexer) quoted() string {
	text := l.until('\'', openString, closeIt)
	for l.continued() {
		text += l.until('\'', openString, closeIt)
	}
	return text
}

// continued goes to a string on a later line, if only white space with a line
// break lies between.
func (l *lexer) continued() bool {
	before, broken := l.pos, false
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case isSpace(c):
			broken = broken || c == '\n' || c == '\r'
			l.pos++
		case strings.HasPrefix(l.text[l.pos:], "--"):
			l.skipLine()
		case c == '\'' && broken:
			return true
		default:
			l.pos = before
			return false
		}
	}
	l.pos = before
	return false
}

const operatorChars = "~!@#^&|`?+-*/%<>="

// operator reads the longest run of operator characters, cut where a comment
// begins; one of several that ends in + or - has to hold a character that the
// standard's operators do not.
func (l *lexer) operator() token {
	run := l.text[l.pos:]
	for i := 0; i < len(run); i++ {
		if strings.IndexByte(operatorChars, run[i]) < 0 {
			run = run[:i]
		}
	}
	for _, comment := range []string{"--", "/*"} {
		if i := strings.Index(run, comment); i > 0 {
			run = run[:i]
		}
	}
	for len(run) > 1 && strings.HasSuffix(strings.ReplaceAll(run, "-", "+"), "+") && !strings.ContainsAny(run, "~!@#^&|`?%") {
		run = run[:len(run)-1]
	}
	if len(run) > longestName {
		l.fail(l.pos, "the operator is too long", "")
	}
	l.pos += len(run)
	switch run {
	case "!=":
		run = "<>"
	case "=>":
		return token{kind: tokPunct, text: run}
	}
	return token{kind: tokOperator, text: run}
}

func (l *lexer) punctuation() token {
	for _, two := range []string{"::", ":=", ".."} {
		if strings.HasPrefix(l.text[l.pos:], two) {
			l.pos += 2
			return token{kind: tokPunct, text: two}
		}
	}
	l.pos++
	return token{kind: tokPunct, text: l.text[l.pos-1 : l.pos]}
}

// number reads 12, 1.5, .5, 1. and 1e-3. What some versions of Postgres read
// and others do not is refused.
func (l *lexer) number() token {
	start, kind := l.pos, tokInteger
	l.digits()
	if l.peek(0) == '.' && l.peek(1) != '.' {
		kind = tokDecimal
		l.pos++
		l.digits()
	}
	if c := l.peek(0); (c == 'e' || c == 'E') && (isDigit(l.peek(1)) || strings.IndexByte("+-", l.peek(1)) >= 0 && isDigit(l.peek(2))) {
		kind = tokDecimal
		l.pos += 2
		l.digits()
	}
	if isNamePart(l.peek(0)) {
		l.fail(start, "a number cannot be followed by a letter", "write numbers in decimal digits, with a space behind them")
	}
	return token{kind: kind, text: l.text[start:l.pos]}
}

func (l *lexer) digits() {
	for isDigit(l.peek(0)) {
		l.pos++
	}
}
