package jsonb

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// Parse reads a JSON text as jsonb_in does.
func Parse(text []byte) (Node, error) {
	p := parser{text: text, binary: true}
	return p.document()
}

// ParseText reads a JSON text as json's functions do: objects keep all their
// members in order, numbers their text.
func ParseText(text []byte) (Node, error) {
	p := parser{text: text}
	return p.document()
}

// Check reports whether text is JSON, as json_in does.
func Check(text []byte) error {
	p := parser{text: text, checking: true}
	_, err := p.document()
	return err
}

// maxDepth bounds the nesting; Postgres's own bound is its stack.
const maxDepth = 6000

// A parser reads a text from at on; err is the first thing wrong.
type parser struct {
	text     []byte
	at       int
	depth    int
	binary   bool // as jsonb
	checking bool // strings need not be unescaped
	err      error
}

func (p *parser) document() (Node, error) {
	n := p.value()
	p.spaces()
	if p.at < len(p.text) {
		p.fail()
	}
	return n, p.err
}

func (p *parser) fail() {
	if p.err == nil {
		p.err = fault.Syntax("json")
	}
	p.at = len(p.text)
}

func (p *parser) spaces() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) peek() byte {
	if p.at >= len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) accept(c byte) bool {
	if p.peek() != c || p.at >= len(p.text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) value() (n Node) {
	p.spaces()
	start := p.at
	switch c := p.peek(); {
	case c == '{':
		n = p.nested((*parser).object)
	case c == '[':
		n = p.nested((*parser).array)
	case c == '"':
		n = Node{Kind: String, Text: p.str()}
	case c == '-' || c >= '0' && c <= '9':
		n = p.number()
	case p.word("true"):
		n = Node{Kind: Bool, True: true}
	case p.word("false"):
		n = Node{Kind: Bool}
	case p.word("null"):
	default:
		p.fail()
	}
	if p.err == nil {
		n.Raw = p.text[start:p.at]
	}
	return n
}

func (p *parser) nested(read func(*parser) Node) Node {
	p.at++
	if p.depth++; p.depth > maxDepth {
		p.err = fault.New("54001", "stack depth limit exceeded")
		p.at = len(p.text)
		return Node{}
	}
	n := read(p)
	p.depth--
	return n
}

func (p *parser) word(w string) bool {
	end := p.at + len(w)
	if end > len(p.text) || string(p.text[p.at:end]) != w || end < len(p.text) && isWord(p.text[end]) {
		return false
	}
	p.at = end
	return true
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

func (p *parser) array() Node {
	n := Node{Kind: Array}
	p.spaces()
	if p.accept(']') {
		return n
	}
	for p.err == nil {
		n.Elems = append(n.Elems, p.value())
		p.spaces()
		if p.accept(']') {
			return n
		}
		if !p.accept(',') {
			p.fail()
		}
	}
	return n
}

func (p *parser) object() Node {
	n := Node{Kind: Object}
	p.spaces()
	if p.accept('}') {
		return n
	}
	for p.err == nil {
		p.spaces()
		if p.peek() != '"' {
			p.fail()
			break
		}
		n.Keys = append(n.Keys, p.str())
		p.spaces()
		if !p.accept(':') {
			p.fail()
			break
		}
		n.Elems = append(n.Elems, p.value())
		p.spaces()
		if p.accept('}') {
			break
		}
		if !p.accept(',') {
			p.fail()
		}
	}
	if p.binary && p.err == nil {
		return NewObject(n.Keys, n.Elems)
	}
	return n
}

// number reads JSON's grammar; a letter behind it spoils it.
func (p *parser) number() Node {
	start := p.at
	p.accept('-')
	if !p.accept('0') {
		p.digits()
	}
	if p.accept('.') {
		p.digits()
	}
	if p.accept('e') || p.accept('E') {
		if !p.accept('+') {
			p.accept('-')
		}
		p.digits()
	}
	if p.at < len(p.text) && isWord(p.text[p.at]) {
		p.fail()
	}
	if p.err != nil {
		return Node{}
	}
	n := Node{Kind: Number, Text: p.text[start:p.at]}
	if p.binary {
		d, err := decimal.ParseLiteral(n.Text)
		if err != nil {
			p.err = err
			return n
		}
		n.Text = d.Append(nil)
	}
	return n
}

func (p *parser) digits() {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	if p.at == start {
		p.fail()
	}
}

// str reads a string behind its opening quote; without escapes it shares the
// text's bytes.
func (p *parser) str() []byte {
	p.at++
	start := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[start : p.at-1]
		case c == '\\':
			return p.escaped(append([]byte{}, p.text[start:p.at]...))
		case c < ' ':
			p.fail()
			return nil
		}
		p.at++
	}
	p.fail()
	return nil
}

func (p *parser) escaped(out []byte) []byte {
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			return out
		case c == '\\':
			out = p.escape(out)
		case c < ' ':
			p.fail()
		default:
			out = append(out, c)
		}
	}
	p.fail()
	return nil
}

func (p *parser) escape(out []byte) []byte {
	c := p.peek()
	p.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		return p.unicode(out)
	}
	p.fail()
	return out
}

// unicode reads four hex digits, and the four of the other half of a pair.
func (p *parser) unicode(out []byte) []byte {
	r := p.hex4()
	switch {
	case p.err != nil:
		return out
	case p.checking:
		return out
	case r == 0:
		p.err = fault.New("22P05", "unsupported Unicode escape sequence")
		p.at = len(p.text)
		return out
	case !utf16.IsSurrogate(r):
		return utf8.AppendRune(out, r)
	}
	if p.accept('\\') && p.accept('u') {
		if pair := utf16.DecodeRune(r, p.hex4()); pair != utf8.RuneError && p.err == nil {
			return utf8.AppendRune(out, pair)
		}
	}
	p.fail()
	return out
}

func (p *parser) hex4() rune {
	if p.at+4 > len(p.text) {
		p.fail()
		return 0
	}
	r := rune(0)
	for _, c := range p.text[p.at : p.at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			p.fail()
			return 0
		}
	}
	p.at += 4
	return r
}
