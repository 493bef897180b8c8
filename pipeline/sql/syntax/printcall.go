package syntax

import "strings"

func (p *printer) call(c *Call) {
	switch c.Syntax {
	case ZoneSyntax:
		p.expr(c.Args[1], bindZone)
		p.put(" AT TIME ZONE ")
		p.expr(c.Args[0], bindZone+1)
		return
	case Plain:
		p.name(c.Name)
		p.arguments(c)
	case KeywordSyntax:
		p.list(strings.ToUpper(c.Name[0].Text)+"(", c.Args, ")")
	default:
		p.grammatical(c)
	}
	if c.Filter != nil {
		p.put(" FILTER (WHERE ")
		p.wide(c.Filter)
		p.put(")")
	}
}

func (p *printer) arguments(c *Call) {
	p.put("(")
	if c.Star {
		p.put("*")
	}
	if c.Distinct {
		p.put("DISTINCT ")
	}
	p.list("", c.Args, "")
	for i := range c.Order {
		p.put(comma(i, " ORDER BY "))
		p.order(&c.Order[i])
	}
	p.put(")")
}

func (p *printer) order(o *Order) {
	p.wide(o.X)
	if o.Desc {
		p.put(" DESC")
	}
	if o.Nulls != "" {
		p.put(" NULLS ", o.Nulls)
	}
}

// grammatical writes a call in the grammar of its own.
func (p *printer) grammatical(c *Call) {
	switch c.Syntax {
	case ExtractSyntax:
		p.put("EXTRACT(", field(c.Args[0]), " FROM ")
		p.wide(c.Args[1])
	case PositionSyntax:
		p.put("POSITION(")
		p.narrowExpr(c.Args[1], bindOr)
		p.put(" IN ")
		p.narrowExpr(c.Args[0], bindOr)
	case SubstringSyntax:
		p.worded("SUBSTRING(", c.Args, " FROM ", " FOR ")
	case OverlaySyntax:
		p.worded("OVERLAY(", c.Args, " PLACING ", " FROM ", " FOR ")
	case TrimSyntax:
		p.trim(c)
	}
	p.put(")")
}

// field writes the field of EXTRACT.
func field(x Expr) string {
	text := x.(*Literal).Text
	if isField(text) {
		return strings.ToUpper(text)
	}
	return QuoteString(text)
}

// worded writes arguments with words between them.
func (p *printer) worded(open string, args []Expr, words ...string) {
	p.put(open)
	for i, x := range args {
		if i > 0 {
			p.put(words[i-1])
		}
		p.wide(x)
	}
}

func (p *printer) trim(c *Call) {
	p.put("TRIM(", map[string]string{"btrim": "BOTH ", "ltrim": "LEADING ", "rtrim": "TRAILING "}[c.Name[0].Text])
	if len(c.Args) == 2 {
		p.wide(c.Args[1])
		p.put(" FROM ")
		p.wide(c.Args[0])
		return
	}
	p.list("", c.Args, "")
}
