// Package pattern matches texts against LIKE patterns and regular expressions as
// Postgres does.
package pattern

import (
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// A Like is a compiled LIKE pattern: what stands between percent signs, in order.
type Like struct {
	runs  [][]symbol
	open  bool // the pattern begins with %
	tail  bool // and ends with %
	bytes bool // characters are bytes
	fold  bool // letters of ASCII match in either case
}

// A symbol matches one character; any is the underscore.
type symbol struct {
	char rune
	any  bool
}

// Options of a pattern.
type Options struct {
	Fold  bool // ILIKE under collation C
	Bytes bool // of bytea
}

// CompileLike reads a pattern whose escape is the backslash. A pattern that ends
// with it is refused even where Postgres would not get that far.
func CompileLike(pattern []byte, o Options) (*Like, error) {
	l := &Like{bytes: o.Bytes, fold: o.Fold}
	run, percent := []symbol(nil), false
	for i := 0; i < len(pattern); {
		c, size := l.char(pattern[i:])
		i += size
		switch {
		case c == '%':
			l.open = l.open || len(l.runs) == 0 && len(run) == 0
			if len(run) > 0 {
				l.runs, run = append(l.runs, run), nil
			}
			percent = true
			continue
		case c == '\\' && i == len(pattern):
			return nil, fault.New("22025", "LIKE pattern must not end with escape character")
		case c == '\\':
			c, size = l.char(pattern[i:])
			i += size
			run = append(run, symbol{char: l.folded(c)})
		case c == '_':
			run = append(run, symbol{any: true})
		default:
			run = append(run, symbol{char: l.folded(c)})
		}
		percent = false
	}
	if len(run) > 0 {
		l.runs = append(l.runs, run)
	}
	l.tail = percent
	return l, nil
}

func (l *Like) char(b []byte) (rune, int) {
	if l.bytes || b[0] < utf8.RuneSelf {
		return rune(b[0]), 1
	}
	return utf8.DecodeRune(b)
}

func (l *Like) folded(c rune) rune {
	if l.fold && c >= 'A' && c <= 'Z' {
		return c - 'A' + 'a'
	}
	return c
}

// Match reports whether all of text matches. It takes time proportional to the
// product of the lengths at worst.
func (l *Like) Match(text []byte) bool {
	runs := l.runs
	if len(runs) == 0 {
		return l.tail || len(text) == 0
	}
	if !l.open {
		n, ok := l.prefix(text, runs[0])
		if !ok {
			return false
		}
		text, runs = text[n:], runs[1:]
		if len(runs) == 0 {
			return l.tail || len(text) == 0
		}
	}
	last := runs[len(runs)-1]
	if !l.tail {
		runs = runs[:len(runs)-1]
	}
	for _, run := range runs {
		n, ok := l.find(text, run)
		if !ok {
			return false
		}
		text = text[n:]
	}
	return l.tail || l.suffix(text, last)
}

// prefix matches run at the front of text and gives the bytes it takes.
func (l *Like) prefix(text []byte, run []symbol) (int, bool) {
	at := 0
	for _, s := range run {
		if at == len(text) {
			return 0, false
		}
		c, size := l.char(text[at:])
		if !s.any && l.folded(c) != s.char {
			return 0, false
		}
		at += size
	}
	return at, true
}

// find gives the end of the first place where run matches.
func (l *Like) find(text []byte, run []symbol) (int, bool) {
	for at := 0; ; {
		if n, ok := l.prefix(text[at:], run); ok {
			return at + n, true
		}
		if at == len(text) {
			return 0, false
		}
		_, size := l.char(text[at:])
		at += size
	}
}

// suffix reports whether run matches the end of text.
func (l *Like) suffix(text []byte, run []symbol) bool {
	at := len(text)
	for i := len(run) - 1; i >= 0; i-- {
		if at == 0 {
			return false
		}
		size := 1
		if !l.bytes {
			_, size = utf8.DecodeLastRune(text[:at])
		}
		at -= size
		c, _ := l.char(text[at:])
		if !run[i].any && l.folded(c) != run[i].char {
			return false
		}
	}
	return true
}

// Escape turns a pattern with another escape character into one with the
// backslash, as like_escape does; an empty escape stands for none.
func Escape(pattern, escape []byte) ([]byte, error) {
	out := []byte{}
	if len(escape) == 0 {
		for _, c := range pattern {
			if c == '\\' {
				out = append(out, '\\')
			}
			out = append(out, c)
		}
		return out, nil
	}
	esc, size := utf8.DecodeRune(escape)
	if size != len(escape) {
		return nil, fault.New("22025", "invalid escape string")
	}
	if esc == '\\' {
		return pattern, nil
	}
	literal := false // the character before was the escape
	for i := 0; i < len(pattern); {
		c, size := utf8.DecodeRune(pattern[i:])
		switch {
		case c == esc && !literal:
			out, literal = append(out, '\\'), true
			i += size
			continue
		case c == '\\' && !literal:
			out = append(out, '\\')
		}
		out, literal = append(out, pattern[i:i+size]...), false
		i += size
	}
	return out, nil
}
