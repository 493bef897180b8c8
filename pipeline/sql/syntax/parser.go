package syntax

import (
	"strings"
	"unicode/utf8"
)

// Bounds on what one text may ask of the parser and of whoever walks its tree.
const (
	LongestText   = 1 << 20 // bytes
	deepest       = 100     // brackets in brackets
	longestChain  = 1000    // operators behind one another
	mostListItems = 1664    // columns of a result, as in Postgres
)

// A parser reads one text. Its methods stand on a token and leave it behind
// what they have read.
type parser struct {
	lexer
	tok   token // where it stands
	ahead []token
	depth int
	said  Errors // refused, and parsed on
}

// Parse reads the SELECT of a view. The error is an Errors, in the order of the
// text.
func Parse(text string) (q *Query, err error) {
	err = parse(text, func(p *parser) { q = p.statement() })
	if err != nil {
		return nil, err
	}
	return q, nil
}

// ParseExpr reads one expression and nothing behind it. The error is an Errors.
func ParseExpr(text string) (x Expr, err error) {
	err = parse(text, func(p *parser) {
		x = p.expr()
		p.end("write one expression")
	})
	if err != nil {
		return nil, err
	}
	return x, nil
}

// ParseItem reads one entry of a SELECT list: an expression with or without a
// name behind it, or *. The error is an Errors.
func ParseItem(text string) (it Item, err error) {
	err = parse(text, func(p *parser) {
		it = p.item()
		p.end("write one column, as in upper(name) AS name")
	})
	if err != nil {
		return Item{}, err
	}
	return it, nil
}

// parse runs read over a text.
func parse(text string, read func(p *parser)) (err error) {
	p := parser{lexer: lexer{text: text}}
	defer func() {
		if thrown := recover(); thrown != nil {
			s, ok := thrown.(stop)
			if !ok {
				panic(thrown)
			}
			err = append(p.said, s.err)
		}
	}()
	p.checkText()
	p.advance()
	read(&p)
	if len(p.said) > 0 {
		return p.said
	}
	return nil
}

func (p *parser) end(mend string) {
	if p.tok.kind != tokEnd {
		p.unexpected(mend)
	}
}

func (p *parser) checkText() {
	switch {
	case len(p.text) > LongestText:
		p.unsupported(0, "the text has more than 1 MiB", "split it into views on views")
	case !utf8.ValidString(p.text):
		p.fail(invalidAt(p.text), "the text is not UTF-8", "save it as UTF-8")
	case strings.IndexByte(p.text, 0) >= 0:
		p.fail(strings.IndexByte(p.text, 0), "the text holds a zero byte", "")
	}
}

func invalidAt(s string) int {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return len(s)
}

// refuse notes a construct that views do not have; parsing goes on behind it.
func (p *parser) refuse(at int, what, mend string) {
	p.said = append(p.said, Fault(p.text, at, CodeUnsupported, what, mend))
}

// Moving on.

func (p *parser) advance() {
	if len(p.ahead) > 0 {
		p.tok, p.ahead = p.ahead[0], p.ahead[1:]
		return
	}
	p.tok = p.next()
}

// look gives the token n places ahead, from 1.
func (p *parser) look(n int) *token {
	for len(p.ahead) < n {
		p.ahead = append(p.ahead, p.next())
	}
	return &p.ahead[n-1]
}

// take goes on if the parser stands on the word or punctuation w.
func (p *parser) take(w string) bool {
	if p.tok.word(w) || p.tok.punct(w) {
		p.advance()
		return true
	}
	return false
}

// takeAll goes on if the next words are these.
func (p *parser) takeAll(list ...string) bool {
	for i, w := range list {
		t := &p.tok
		if i > 0 {
			t = p.look(i)
		}
		if !t.word(w) {
			return false
		}
	}
	for range list {
		p.advance()
	}
	return true
}

func (p *parser) expect(w, where string) {
	if !p.take(w) {
		p.unexpected("expected " + strings.ToUpper(w) + " " + where)
	}
}

// unexpected ends the parsing at the token it stands on.
func (p *parser) unexpected(mend string) {
	p.fail(p.tok.at, "syntax error at "+p.described(&p.tok), mend)
}

func (p *parser) described(t *token) string {
	if t.kind == tokEnd {
		return "the end"
	}
	word := p.text[t.at:t.end]
	if len(word) > 40 {
		word = strings.ToValidUTF8(word[:40], "") + "…"
	}
	return `"` + word + `"`
}

// deeper bounds recursion; every call has its shallower.
func (p *parser) deeper() {
	p.depth++
	if p.depth > deepest {
		p.unsupported(p.tok.at, "the expression or query is nested too deeply", "split it: name parts of it in WITH, or in a view of their own")
	}
}

func (p *parser) shallower() { p.depth-- }

// Names.

func (p *parser) nameToken() Name {
	n := Name{Text: p.tok.text, Pos: p.tok.at}
	p.advance()
	return n
}

func (p *parser) columnName(what string) Name {
	if !p.tok.namesColumn() {
		p.unexpectedName(what)
	}
	return p.nameToken()
}

func (p *parser) unexpectedName(what string) {
	if p.tok.kind == tokName {
		p.fail(p.tok.at, "expected "+what+", not the keyword "+strings.ToUpper(p.tok.text), `in quotes it is a name: "`+p.tok.text+`"`)
	}
	p.unexpected("expected " + what)
}

// dotted reads the parts of a name behind its first.
func (p *parser) dotted(parts []Name, what string) []Name {
	for p.take(".") {
		if !p.tok.namesAnything() {
			p.unexpected("expected " + what + " behind the dot")
		}
		parts = append(parts, p.nameToken())
	}
	return parts
}

// columnNames reads a list of names in brackets, from behind the opening one.
func (p *parser) columnNames() []Name {
	list := []Name{p.columnName("a column's name")}
	for p.take(",") {
		list = append(list, p.columnName("a column's name"))
	}
	p.expect(")", "behind the names")
	return list
}
