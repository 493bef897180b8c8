package syntax

import (
	"slices"
	"strings"
)

// call reads the arguments of a function and what stands behind them.
func (p *parser) call(at place, name []Name) Expr {
	c := &Call{place: at, Name: name}
	if len(name) > 2 {
		p.fail(int(at), "a function's name has at most two parts", "")
	}
	p.advance()
	p.arguments(c)
	p.expect(")", "behind the arguments")
	if p.tok.kind == tokString {
		p.unexpected("a function cannot be followed by a string")
	}
	p.behindCall(c)
	return c
}

func (p *parser) arguments(c *Call) {
	switch {
	case p.tok.punct(")"):
		return
	case p.take("*"):
		c.Star = true
		return
	case p.take("distinct"):
		c.Distinct = true
	case p.take("all"):
	}
	c.Args = []Expr{p.argument()}
	for p.take(",") {
		c.Args = append(c.Args, p.argument())
	}
	if p.takeAll("order", "by") {
		c.Order = p.orderBy()
	}
}

func (p *parser) argument() Expr {
	switch {
	case p.tok.word("variadic"):
		p.unsupported(p.tok.at, "VARIADIC is not supported in views", "write the arguments one by one")
	case p.tok.namesAnything() && (p.look(1).punct("=>") || p.look(1).punct(":=")):
		p.unsupported(p.tok.at, "arguments by name are not supported in views", "write the arguments in their order")
	case p.startsSubquery():
		p.unexpected("a query as an argument needs brackets of its own")
	}
	return p.expr()
}

// behindCall reads FILTER, and refuses OVER and WITHIN GROUP.
func (p *parser) behindCall(c *Call) {
	if p.tok.word("within") && p.look(1).word("group") {
		p.unsupported(p.tok.at, "WITHIN GROUP is not supported in views", "min, max, avg, string_agg and array_agg are")
	}
	if p.tok.word("filter") && p.look(1).punct("(") {
		p.advance()
		p.advance()
		p.expect("where", "behind FILTER (")
		c.Filter = p.expr()
		p.expect(")", "behind the condition of FILTER")
	}
	if next := p.look(1); p.tok.word("over") && (next.punct("(") || next.namesColumn()) {
		p.refuse(p.tok.at, noWindow, useGroup)
		p.advance()
		for n := p.windowTokens(); n > 0; n-- {
			p.advance()
		}
	}
}

// windowTokens counts what stands behind OVER.
func (p *parser) windowTokens() int {
	if !p.tok.punct("(") {
		return 1
	}
	for depth, n := 1, 1; ; n++ {
		switch t := p.look(n); {
		case t.kind == tokEnd:
			return n
		case t.punct("("):
			depth++
		case t.punct(")"):
			if depth--; depth == 0 {
				return n + 1
			}
		}
	}
}

// special reads a function with a grammar of its own, from its name; nil if w
// names none.
func (p *parser) special(w string) Expr {
	at, name := place(p.tok.at), Name{Text: w, Pos: p.tok.at}
	c := &Call{place: at, Name: []Name{name}}
	read := map[string]func(*Call){
		"extract": p.extract, "position": p.position, "substring": p.substring, "trim": p.trim, "overlay": p.overlay,
		"coalesce": p.keywordCall, "nullif": p.nullIf, "greatest": p.keywordCall, "least": p.keywordCall,
	}[w]
	if read == nil {
		return nil
	}
	p.advance()
	p.advance()
	read(c)
	p.expect(")", "behind the arguments")
	p.behindCall(c)
	if c.Syntax == KeywordSyntax && c.Filter != nil {
		p.fail(int(at), "FILTER belongs to aggregates", "")
	}
	return c
}

func (p *parser) keywordCall(c *Call) {
	c.Syntax = KeywordSyntax
	c.Args = p.exprList()
}

func (p *parser) nullIf(c *Call) {
	c.Syntax = KeywordSyntax
	first := p.expr()
	p.expect(",", "between the arguments of NULLIF")
	c.Args = []Expr{first, p.expr()}
}

func (p *parser) extract(c *Call) {
	c.Syntax = ExtractSyntax
	if !p.tok.extractField() {
		p.unexpected("expected a field such as YEAR or EPOCH; in quotes it may be any: 'year'")
	}
	field := &Literal{place: place(p.tok.at), Kind: StringLiteral, Text: p.tok.text}
	p.advance()
	p.expect("from", "behind the field of EXTRACT")
	c.Args = []Expr{field, p.expr()}
}

const fieldWords = ` century day decade dow doy epoch hour isodow isoyear julian microseconds millennium milliseconds minute month quarter ` +
	`second timezone timezone_hour timezone_minute week year `

func isField(word string) bool { return slices.Contains(strings.Fields(fieldWords), word) }

func (t *token) extractField() bool {
	return t.kind == tokQuoted || t.kind == tokString || t.kind == tokName && isField(t.text)
}

func (p *parser) position(c *Call) {
	c.Syntax = PositionSyntax
	part := p.narrow()
	p.expect("in", "in POSITION(part IN text)")
	c.Args = []Expr{p.narrow(), part}
}

// substring reads SUBSTRING(x FROM a FOR b) and its kin, or plain arguments.
func (p *parser) substring(c *Call) {
	if p.tok.punct(")") {
		return
	}
	c.Args = []Expr{p.argument()}
	switch {
	case p.take("from"):
		c.Syntax = SubstringSyntax
		c.Args = append(c.Args, p.expr())
		if p.take("for") {
			c.Args = append(c.Args, p.expr())
		}
	case p.take("for"):
		p.substringFor(c)
	case p.tok.word("similar"):
		p.unsupported(p.tok.at, "SUBSTRING … SIMILAR is not supported in views", "write SUBSTRING(x FROM 'regular expression')")
	default:
		p.plainRest(c)
	}
}

// substringFor reads FOR b [FROM a]; without FROM it begins at 1.
func (p *parser) substringFor(c *Call) {
	c.Syntax = SubstringSyntax
	length := p.expr()
	start := Expr(&Literal{place: place(length.At()), Kind: IntegerLiteral, Text: "1"})
	if p.take("from") {
		start = p.expr()
	} else {
		length = &Cast{place: place(length.At()), X: length, Type: TypeName{Pos: length.At(), Name: []Name{{Text: "integer"}}, Keyword: true}}
	}
	c.Args = append(c.Args, start, length)
}

func (p *parser) plainRest(c *Call) {
	for p.take(",") {
		c.Args = append(c.Args, p.argument())
	}
}

// trim reads TRIM([BOTH | LEADING | TRAILING] [chars] FROM text), or TRIM(text[, chars]).
func (p *parser) trim(c *Call) {
	c.Syntax = TrimSyntax
	c.Name[0].Text = "btrim"
	switch {
	case p.take("both"):
	case p.take("leading"):
		c.Name[0].Text = "ltrim"
	case p.take("trailing"):
		c.Name[0].Text = "rtrim"
	}
	if p.take("from") {
		c.Args = p.exprList()
		return
	}
	first := p.expr()
	if p.take("from") {
		c.Args = append(p.exprList(), first)
		return
	}
	c.Args = []Expr{first}
	p.plainRest(c)
}

func (p *parser) overlay(c *Call) {
	c.Args = []Expr{p.argument()}
	if !p.take("placing") {
		p.plainRest(c)
		return
	}
	c.Syntax = OverlaySyntax
	c.Args = append(c.Args, p.expr())
	p.expect("from", "in OVERLAY(x PLACING y FROM a)")
	c.Args = append(c.Args, p.expr())
	if p.take("for") {
		c.Args = append(c.Args, p.expr())
	}
}
