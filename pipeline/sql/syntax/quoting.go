package syntax

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// dollar reads $1, or a string in dollar quotes.
func (l *lexer) dollar() token {
	if isDigit(l.peek(1)) {
		start := l.pos
		l.pos++
		l.digits()
		return token{kind: tokParam, text: l.text[start:l.pos]}
	}
	start := l.pos
	end := start + 1
	for end < len(l.text) && isNamePart(l.text[end]) && l.text[end] != '$' {
		end++
	}
	if end == len(l.text) || l.text[end] != '$' {
		l.fail(start, "the character '$' stands for nothing in SQL here", "")
	}
	tag := l.text[start : end+1]
	n := strings.Index(l.text[end+1:], tag)
	if n < 0 {
		l.fail(start, openString, "close it with "+tag)
	}
	l.pos = end + 1 + n + len(tag)
	return token{kind: tokString, text: l.text[end+1 : end+1+n]}
}

// escaped reads the string of E'…', from its quote.
func (l *lexer) escaped() string {
	start := l.pos
	var b strings.Builder
	for {
		l.escapedPart(&b, start)
		if !l.continued() {
			break
		}
	}
	if text := b.String(); !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		l.fail(start, "the string is not UTF-8 once its escapes are read, or holds a zero byte", "for bytes write '\\x…'::bytea")
	}
	return b.String()
}

func (l *lexer) escapedPart(b *strings.Builder, start int) {
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch c := l.text[l.pos]; c {
		case '\\':
			l.pos++
			l.escape(b)
		case '\'':
			if l.peek(1) != '\'' {
				l.pos++
				return
			}
			l.pos++
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	l.fail(start, openString, closeIt)
}

// escape reads what stands behind a backslash, up to its last byte.
func (l *lexer) escape(b *strings.Builder) {
	switch c := l.peek(0); {
	case c == 'b':
		b.WriteByte('\b')
	case c == 'f':
		b.WriteByte('\f')
	case c == 'n':
		b.WriteByte('\n')
	case c == 'r':
		b.WriteByte('\r')
	case c == 't':
		b.WriteByte('\t')
	case c == 'v':
		b.WriteByte('\v')
	case c >= '0' && c <= '7':
		b.WriteByte(byte(l.code(0, 3, 8)))
	case c == 'x' && hexDigit(l.peek(1)):
		b.WriteByte(byte(l.code(1, 2, 16)))
	case c == 'u':
		l.unicode(b, 4)
	case c == 'U':
		l.unicode(b, 8)
	case l.pos < len(l.text):
		b.WriteByte(c)
	}
}

func hexDigit(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// code reads up to n digits that begin skip bytes ahead, and stands on the last.
func (l *lexer) code(skip, n, base int) uint64 {
	first := l.pos + skip
	end := first
	for end < len(l.text) && end < first+n && hexDigit(l.text[end]) && (base == 16 || l.text[end] <= '7') {
		end++
	}
	l.pos = end - 1
	value, _ := strconv.ParseUint(l.text[first:end], base, 32) // at most 8 digits, and all are digits
	return value
}

// unicode reads \uXXXX or \UXXXXXXXX; two surrogates make one character.
func (l *lexer) unicode(b *strings.Builder, n int) {
	at := l.pos - 1
	r := l.codePoint(n)
	if r >= 0xD800 && r < 0xDC00 && l.peek(1) == '\\' && (l.peek(2) == 'u' || l.peek(2) == 'U') {
		l.pos += 2
		low := l.codePoint(map[byte]int{'u': 4, 'U': 8}[l.peek(0)])
		if low < 0xDC00 || low > 0xDFFF {
			l.fail(at, "the string has half a surrogate pair", "write the character itself")
		}
		r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
	}
	if r == 0 || r > utf8.MaxRune || r >= 0xD800 && r < 0xE000 {
		l.fail(at, "the escape is no Unicode character", "write the character itself")
	}
	b.WriteRune(rune(r))
}

func (l *lexer) codePoint(n int) uint64 {
	at, start := l.pos-1, l.pos
	r := l.code(1, n, 16)
	if l.pos-start != n {
		l.fail(at, "a Unicode escape has the form \\uXXXX or \\UXXXXXXXX", "")
	}
	return r
}
