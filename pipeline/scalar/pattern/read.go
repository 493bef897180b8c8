package pattern

import (
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// A reader reads an advanced regular expression. err is the first thing that is
// wrong, or that is not for us.
type reader struct {
	text   []rune
	at     int
	fold   bool
	groups int
	depth  int
	lazy   bool
	err    error
}

func (p *reader) invalid() *node {
	if p.err == nil {
		p.err = fault.New("2201B", "invalid regular expression")
	}
	p.at = len(p.text)
	return &node{}
}

func (p *reader) refuse(what string) *node {
	if p.err == nil {
		p.err = fault.Unsupported("regular expressions with %s are not known exactly", what)
	}
	p.at = len(p.text)
	return &node{}
}

func (p *reader) peek(c rune) bool { return p.at < len(p.text) && p.text[p.at] == c }

func (p *reader) accept(c rune) bool {
	if !p.peek(c) {
		return false
	}
	p.at++
	return true
}

func (p *reader) expression() *node {
	if len(p.text) >= 3 && string(p.text[:3]) == "***" {
		return p.refuse("a director (***)")
	}
	n := p.branches()
	if p.at < len(p.text) {
		return p.invalid() // a bracket that nothing opened
	}
	return n
}

const maxNesting = 100

func (p *reader) branches() *node {
	if p.depth++; p.depth > maxNesting {
		return p.refuse("so many nested brackets")
	}
	defer func() { p.depth-- }()
	n := &node{op: opAlt}
	for {
		n.parts = append(n.parts, p.branch())
		if !p.accept('|') {
			break
		}
	}
	if len(n.parts) == 1 {
		return n.parts[0]
	}
	return n
}

func (p *reader) branch() *node {
	n := &node{op: opCat}
	for p.at < len(p.text) && !p.peek('|') && !p.peek(')') {
		n.parts = append(n.parts, p.piece())
	}
	return n
}

// piece reads an atom and its quantifier.
func (p *reader) piece() *node {
	atom := p.atom()
	low, high, ok := p.quantifier()
	if !ok {
		return atom
	}
	if atom.op == opStart || atom.op == opEnd {
		return p.invalid()
	}
	if p.accept('?') {
		p.lazy = true
	}
	if _, _, again := p.quantifier(); again {
		return p.invalid()
	}
	return &node{op: opRepeat, parts: []*node{atom}, min: low, max: high}
}

func (p *reader) quantifier() (low, high int, ok bool) {
	switch {
	case p.accept('*'):
		return 0, -1, true
	case p.accept('+'):
		return 1, -1, true
	case p.accept('?'):
		return 0, 1, true
	case p.boundAhead():
		p.at++
		return p.bound()
	}
	return 0, 0, false
}

// boundAhead reports whether a brace opens a bound: it does before a digit.
func (p *reader) boundAhead() bool {
	return p.peek('{') && p.at+1 < len(p.text) && isDigit(p.text[p.at+1])
}

func isDigit(c rune) bool { return c >= '0' && c <= '9' }

const maxBound = 255

func (p *reader) bound() (low, high int, ok bool) {
	low = p.number()
	high = low
	if p.accept(',') {
		high = -1
		if !p.peek('}') {
			high = p.number()
		}
	}
	if !p.accept('}') || low > maxBound || high > maxBound || high >= 0 && high < low {
		p.invalid()
	}
	return low, high, true
}

func (p *reader) number() int {
	start := p.at
	for p.at < len(p.text) && isDigit(p.text[p.at]) {
		p.at++
	}
	n, err := strconv.Atoi(string(p.text[start:p.at]))
	if err != nil || n > maxBound {
		return maxBound + 1
	}
	return n
}

func (p *reader) atom() *node {
	c := p.text[p.at]
	p.at++
	switch c {
	case '(':
		return p.bracketed()
	case '[':
		return p.class()
	case '.':
		return &node{op: opChar, class: []span{{0, lastRune}}}
	case '^':
		return &node{op: opStart}
	case '$':
		return &node{op: opEnd}
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return p.invalid()
	case '{':
		if p.at < len(p.text) && isDigit(p.text[p.at]) {
			return p.invalid()
		}
	}
	return p.char(c)
}

func (p *reader) char(c rune) *node {
	class := []span{{c, c}}
	if p.fold {
		class = folded(class)
	}
	return &node{op: opChar, class: class}
}

func (p *reader) bracketed() *node {
	captures := true
	if p.accept('?') {
		if !p.accept(':') {
			return p.refuse("lookaround or embedded options")
		}
		captures = false
	}
	number := 0
	if captures {
		p.groups++
		number = p.groups
	}
	inner := p.branches()
	if !p.accept(')') {
		return p.invalid()
	}
	if !captures {
		return inner
	}
	return &node{op: opGroup, parts: []*node{inner}, group: number}
}

// escape reads what stands behind a backslash outside of a class.
func (p *reader) escape() *node {
	if p.at == len(p.text) {
		return p.invalid()
	}
	c := p.text[p.at]
	switch c {
	case 'A':
		p.at++
		return &node{op: opStart}
	case 'Z':
		p.at++
		return &node{op: opEnd}
	case 'm', 'M', 'y', 'Y':
		return p.refuse("word boundaries")
	}
	if class := shorthand(c); class != nil {
		p.at++
		return &node{op: opChar, class: class}
	}
	if isDigit(c) {
		return p.refuse("backreferences")
	}
	return p.char(p.escaped())
}

func shorthand(c rune) []span {
	switch c {
	case 'd':
		return posix("digit")
	case 's':
		return posix("space")
	case 'w':
		return posix("word")
	case 'D':
		return negated(posix("digit"))
	case 'S':
		return negated(posix("space"))
	case 'W':
		return negated(posix("word"))
	}
	return nil
}

// escaped reads the character that an escape stands for.
func (p *reader) escaped() rune {
	if p.at == len(p.text) {
		p.invalid()
		return 0
	}
	c := p.text[p.at]
	p.at++
	switch c {
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 'B':
		return '\\'
	case 'e':
		return 0x1b
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	case 'u':
		return p.hex(4)
	}
	if isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
		p.refuse("the escape \\" + string(c))
	}
	return c
}

func (p *reader) hex(n int) rune {
	if p.at+n > len(p.text) {
		p.invalid()
		return 0
	}
	v, err := strconv.ParseUint(string(p.text[p.at:p.at+n]), 16, 32)
	if err != nil {
		p.invalid()
		return 0
	}
	p.at += n
	return rune(v)
}
