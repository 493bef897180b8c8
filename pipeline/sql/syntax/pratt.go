package syntax

import "slices"

// How tightly operators bind, from the loosest.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindIs
	bindCompare
	bindLike // BETWEEN, IN, LIKE
	bindOperator
	bindAdd
	bindMultiply
	bindPower
	bindZone
	bindCollate
	bindMinus // the prefix
	bindCast
	bindPrimary
)

// binding gives how tightly an operator of a symbol binds.
func binding(op string) int {
	switch op {
	case "<", ">", "=", "<=", ">=", "<>":
		return bindCompare
	case "+", "-":
		return bindAdd
	case "*", "/", "%":
		return bindMultiply
	case "^":
		return bindPower
	}
	return bindOperator
}

// expr reads an expression.
func (p *parser) expr() Expr { return p.binary(bindOr, false) }

// narrow reads an expression without AND, OR, NOT, IN, LIKE, BETWEEN, COLLATE,
// AT TIME ZONE and IS, which the grammar asks for where AND or IN follows.
func (p *parser) narrow() Expr { return p.binary(bindOr, true) }

func (p *parser) exprList() []Expr {
	list := []Expr{p.expr()}
	for p.take(",") {
		list = append(list, p.expr())
	}
	return list
}

// binary reads an expression of operators that bind at least as tightly as low.
func (p *parser) binary(low int, narrow bool) Expr {
	p.deeper()
	defer p.shallower()
	left := p.prefix(narrow)
	for n := 0; ; n++ {
		bind := p.infix(narrow)
		if bind == 0 || bind < low {
			return left
		}
		left = p.behind(left, bind, narrow)
		p.chain(n)
	}
}

// infix gives how tightly what follows an expression binds; 0 if it is no
// operator.
func (p *parser) infix(narrow bool) int {
	t := &p.tok
	switch {
	case t.kind == tokOperator:
		return binding(t.text)
	case t.punct("::"):
		return bindCast
	case t.kind != tokName:
		return 0
	case narrow:
		return p.narrowInfix()
	}
	switch t.text {
	case "or":
		return bindOr
	case "and":
		return bindAnd
	case "is", "isnull", "notnull":
		return bindIs
	case "between", "in", "like", "ilike", "similar":
		return bindLike
	case "not":
		if slices.Contains([]string{"between", "in", "like", "ilike", "similar"}, p.nameAhead()) {
			return bindLike
		}
	case "at":
		if p.look(1).word("time") || p.look(1).word("local") {
			return bindZone
		}
	case "collate":
		return bindCollate
	case "overlaps":
		p.unsupported(t.at, "OVERLAPS is not supported in views", "compare the ends: a.from < b.to AND b.from < a.to")
	case "operator":
		if p.look(1).punct("(") {
			p.unsupported(t.at, "OPERATOR( ) is not supported in views", "write the operator itself")
		}
	}
	return 0
}

// narrowInfix: IS [NOT] DISTINCT FROM alone is allowed there.
func (p *parser) narrowInfix() int {
	if p.tok.word("is") && (p.look(1).word("distinct") || p.look(1).word("not") && p.look(2).word("distinct")) {
		return bindIs
	}
	return 0
}

func (p *parser) nameAhead() string {
	if t := p.look(1); t.kind == tokName {
		return t.text
	}
	return ""
}

// prefix reads what an expression begins with: a prefix operator and its
// operand, or a primary.
func (p *parser) prefix(narrow bool) Expr {
	at := place(p.tok.at)
	switch {
	case p.tok.word("not") && !narrow:
		p.advance()
		return &Unary{place: at, Op: "NOT", X: p.binary(bindNot, narrow)}
	case p.tok.kind == tokOperator:
		op := p.tok.text
		if op != "+" && op != "-" && (op == "*" || binding(op) != bindOperator) {
			p.unexpected("an expression cannot begin with this operator")
		}
		p.advance()
		if op == "+" || op == "-" {
			return &Unary{place: at, Op: op, X: p.binary(bindMinus, narrow)}
		}
		return &Unary{place: at, Op: op, X: p.binary(bindOperator+1, narrow)}
	}
	return p.primary()
}

// behind reads the operator that follows left, and its right side.
func (p *parser) behind(left Expr, bind int, narrow bool) Expr {
	at := place(p.tok.at)
	switch {
	case p.tok.kind == tokOperator:
		return p.symbol(left, bind, narrow)
	case p.take("::"):
		return &Cast{place: at, X: left, Type: p.typeName()}
	case bind == bindIs:
		return p.is(left, narrow)
	case bind == bindLike:
		return p.like(left)
	case p.take("collate"):
		return &Collate{place: at, X: left, Name: p.dotted([]Name{p.columnName("a collation")}, "a collation")}
	case bind == bindZone:
		return p.zone(left)
	}
	op := map[int]string{bindOr: "OR", bindAnd: "AND"}[bind]
	p.advance()
	return &Binary{place: at, Op: op, L: left, R: p.binary(bind+1, narrow)}
}

// symbol reads left op right, or left op ANY (array).
func (p *parser) symbol(left Expr, bind int, narrow bool) Expr {
	at, op := place(p.tok.at), p.tok.text
	p.advance()
	if !narrow && p.quantifierAhead() {
		return p.quantified(left, at, op)
	}
	right := p.binary(bind+1, narrow)
	p.alone(bind, bindCompare, narrow)
	return &Binary{place: at, Op: op, L: left, R: right}
}

// alone refuses a second operator of a kind that does not associate.
func (p *parser) alone(bind, kind int, narrow bool) {
	if bind == kind && p.infix(narrow) == kind {
		p.unexpected("these operators do not associate: put brackets around one of them")
	}
}

func (p *parser) quantifierAhead() bool {
	return (p.tok.word("any") || p.tok.word("some") || p.tok.word("all")) && p.look(1).punct("(")
}

// quantified reads ANY (array), from its first word.
func (p *parser) quantified(left Expr, at place, op string) Expr {
	q := &Quantified{place: at, Op: op, X: left, All: p.tok.word("all")}
	p.advance()
	p.advance()
	if p.startsSubquery() {
		p.skipQuery("a query behind ANY or ALL is not supported in views", joinQuery)
		q.Array = &Literal{place: at, Text: "NULL"}
	} else {
		q.Array = p.expr()
	}
	p.expect(")", "behind the array")
	return q
}

// is reads IS and what is tested.
func (p *parser) is(left Expr, narrow bool) Expr {
	at := place(p.tok.at)
	switch {
	case p.take("isnull"):
		return &Is{place: at, X: left, Test: "NULL"}
	case p.take("notnull"):
		return &Is{place: at, X: left, Test: "NULL", Not: true}
	}
	p.advance()
	not := p.take("not")
	if p.takeAll("distinct", "from") {
		op := "IS DISTINCT FROM"
		if not {
			op = "IS NOT DISTINCT FROM"
		}
		right := p.binary(bindIs+1, narrow)
		p.alone(bindIs, bindIs, narrow)
		return &Binary{place: at, Op: op, L: left, R: right}
	}
	for word, test := range map[string]string{"null": "NULL", "true": "TRUE", "false": "FALSE", "unknown": "UNKNOWN"} {
		if p.take(word) {
			return &Is{place: at, X: left, Test: test, Not: not}
		}
	}
	if p.tok.word("json") || p.tok.word("document") || p.tok.word("normalized") || p.tok.word("nfc") || p.tok.word("of") {
		p.unsupported(int(at), "this IS is not supported in views", "IS takes NULL, TRUE, FALSE, UNKNOWN and DISTINCT FROM")
	}
	p.unexpected("IS takes NULL, TRUE, FALSE, UNKNOWN and DISTINCT FROM")
	return nil
}

// like reads [NOT] LIKE, ILIKE, IN or BETWEEN and its right side.
func (p *parser) like(left Expr) Expr {
	at := place(p.tok.at)
	not := p.take("not")
	switch {
	case p.take("in"):
		return p.in(left, at, not)
	case p.take("between"):
		b := &Between{place: at, X: left, Not: not, Symmetric: p.take("symmetric")}
		if !b.Symmetric {
			p.take("asymmetric")
		}
		b.Low = p.narrow()
		p.expect("and", "behind the lower bound of BETWEEN")
		b.High = p.binary(bindLike+1, false)
		p.alone(bindLike, bindLike, false)
		return b
	case p.tok.word("similar"):
		p.unsupported(p.tok.at, "SIMILAR TO is not supported in views", "write LIKE, or a regular expression with ~")
	}
	l := &Like{place: at, X: left, Not: not, Fold: p.tok.word("ilike")}
	p.advance()
	if p.quantifierAhead() {
		return p.quantified(left, at, l.Symbol())
	}
	l.Pattern = p.binary(bindLike+1, false)
	if p.take("escape") {
		l.Escape = p.binary(bindLike+1, false)
	}
	p.alone(bindLike, bindLike, false)
	return l
}

// Symbol is the operator that Postgres calls.
func (l *Like) Symbol() string {
	op := "~~"
	if l.Fold {
		op += "*"
	}
	if l.Not {
		return "!" + op
	}
	return op
}

func (p *parser) in(left Expr, at place, not bool) Expr {
	p.expect("(", "behind IN")
	in := &In{place: at, X: left, Not: not}
	if p.startsSubquery() {
		mend := "write JOIN (SELECT DISTINCT y FROM …) AS s ON s.y = x"
		if not {
			mend = "write LEFT JOIN (SELECT DISTINCT y FROM …) AS s ON s.y = x … WHERE s.y IS NULL, and mind NULLs"
		}
		p.skipQuery("a query behind IN is not supported in views", mend)
		in.List = []Expr{&Literal{place: at, Text: "NULL"}}
	} else {
		in.List = p.exprList()
	}
	p.expect(")", "behind the list")
	return in
}

func (p *parser) zone(left Expr) Expr {
	at := place(p.tok.at)
	p.advance()
	if p.tok.word("local") {
		p.unsupported(int(at), "AT LOCAL depends on the session's time zone", "write AT TIME ZONE 'Europe/Berlin', or the zone that is meant")
	}
	p.advance()
	p.expect("zone", "behind AT TIME")
	zone := p.binary(bindZone+1, false)
	return &Call{place: at, Name: []Name{{Text: "timezone", Pos: int(at)}}, Args: []Expr{zone, left}, Syntax: ZoneSyntax}
}
