package syntax

import "strings"

// bindingOf gives how tightly the outermost operator of x binds.
func bindingOf(x Expr) int {
	switch x := x.(type) {
	case *Unary:
		return bindingOfPrefix(x.Op)
	case *Binary:
		return bindingOfInfix(x.Op)
	case *Is:
		return bindIs
	case *Between, *In, *Like:
		return bindLike
	case *Quantified:
		return binding(x.Op)
	case *Collate:
		return bindCollate
	case *Cast:
		return bindCast
	case *Call:
		if x.Syntax == ZoneSyntax {
			return bindZone
		}
	}
	return bindPrimary
}

func bindingOfPrefix(op string) int {
	switch op {
	case "NOT":
		return bindNot
	case "+", "-":
		return bindMinus
	}
	return bindOperator
}

func bindingOfInfix(op string) int {
	switch op {
	case "OR":
		return bindOr
	case "AND":
		return bindAnd
	case "IS DISTINCT FROM", "IS NOT DISTINCT FROM":
		return bindIs
	}
	return binding(op)
}

// associates reports whether operators of this kind may stand behind one
// another without brackets; then the left ones belong together.
func associates(bind int) bool { return bind != bindIs && bind != bindCompare && bind != bindLike }

// expr writes x, in brackets if it binds less tightly than low.
func (p *printer) expr(x Expr, low int) {
	bind := bindingOf(x)
	if bind >= low && !(p.narrow && !fitsNarrow(x)) && !(p.full && bind < bindPrimary) {
		p.bare(x, bind)
		return
	}
	narrow := p.narrow
	p.narrow = false
	p.put("(")
	p.bare(x, bind)
	p.put(")")
	p.narrow = narrow
}

// fitsNarrow reports whether x may stand where AND or IN follows.
func fitsNarrow(x Expr) bool {
	switch bindingOf(x) {
	case bindOr, bindAnd, bindNot, bindLike, bindZone, bindCollate:
		return false
	case bindIs:
		_, test := x.(*Is)
		return !test
	}
	_, quantified := x.(*Quantified)
	return !quantified
}

// bare writes x without brackets around it.
func (p *printer) bare(x Expr, bind int) {
	switch x := x.(type) {
	case *Unary:
		p.unary(x, bind)
	case *Binary:
		p.expr(x.L, left(bind))
		p.put(" ", x.Op, " ")
		p.expr(x.R, bind+1)
	case *Is:
		p.expr(x.X, bind+1)
		p.put(" IS ", not(x.Not), x.Test)
	case *Between:
		p.between(x)
	case *In:
		p.expr(x.X, bind+1)
		p.put(" ", not(x.Not), "IN ")
		p.list("(", x.List, ")")
	case *Like:
		p.like(x)
	case *Quantified:
		p.quantified(x, bind)
	case *Collate:
		p.expr(x.X, bind)
		p.put(" COLLATE ")
		p.name(x.Name)
	case *Cast:
		p.expr(x.X, bind)
		p.put("::")
		p.typeName(&x.Type)
	default:
		p.primary(x)
	}
}

// left is what the left side of an operator has to bind like.
func left(bind int) int {
	if associates(bind) {
		return bind
	}
	return bind + 1
}

func not(yes bool) string {
	if yes {
		return "NOT "
	}
	return ""
}

func (p *printer) unary(x *Unary, bind int) {
	p.put(x.Op)
	operand := bind
	inner, nested := x.X.(*Unary)
	if bind == bindOperator {
		operand++
	}
	if x.Op == "NOT" || bind == bindOperator || nested && inner.Op != "NOT" {
		p.put(" ")
	}
	p.expr(x.X, operand)
}

func (p *printer) between(x *Between) {
	p.expr(x.X, bindLike+1)
	p.put(" ", not(x.Not), "BETWEEN ")
	if x.Symmetric {
		p.put("SYMMETRIC ")
	}
	p.narrowExpr(x.Low, bindLike+1)
	p.put(" AND ")
	p.expr(x.High, bindLike+1)
}

func (p *printer) narrowExpr(x Expr, low int) {
	before := p.narrow
	p.narrow = true
	p.expr(x, low)
	p.narrow = before
}

func (p *printer) like(x *Like) {
	p.expr(x.X, bindLike+1)
	word := "LIKE "
	if x.Fold {
		word = "ILIKE "
	}
	p.put(" ", not(x.Not), word)
	p.expr(x.Pattern, bindLike+1)
	if x.Escape != nil {
		p.put(" ESCAPE ")
		p.expr(x.Escape, bindLike+1)
	}
}

func (p *printer) quantified(x *Quantified, bind int) {
	word := " ANY ("
	if x.All {
		word = " ALL ("
	}
	p.expr(x.X, left(bind))
	p.put(" ", x.Op, word)
	p.wide(x.Array)
	p.put(")")
}

// wide writes x inside brackets.
func (p *printer) wide(x Expr) {
	before := p.narrow
	p.narrow = false
	p.expr(x, bindOr)
	p.narrow = before
}

func (p *printer) list(open string, list []Expr, end string) {
	p.put(open)
	for i, x := range list {
		p.put(comma(i, ""))
		p.wide(x)
	}
	p.put(end)
}

func (p *printer) primary(x Expr) {
	switch x := x.(type) {
	case *Column:
		p.name(x.Parts)
	case *Star:
		p.name(x.Table)
		if len(x.Table) > 0 {
			p.put(".")
		}
		p.put("*")
	case *Literal:
		p.literal(x)
	case *Case:
		p.caseOf(x)
	case *Call:
		p.call(x)
	case *Array:
		p.list("ARRAY[", x.Elems, "]")
	case *Index:
		p.index(x)
	}
}

func (p *printer) literal(x *Literal) {
	if x.Kind == StringLiteral {
		p.put(QuoteString(x.Text))
		return
	}
	p.put(x.Text)
}

// QuoteString writes a string constant that every setting of Postgres reads
// alike.
func QuoteString(s string) string {
	quoted := strings.ReplaceAll(s, "'", "''")
	if strings.Contains(s, `\`) {
		return "E'" + strings.ReplaceAll(quoted, `\`, `\\`) + "'"
	}
	return "'" + quoted + "'"
}

func (p *printer) caseOf(x *Case) {
	p.put("CASE")
	if x.X != nil {
		p.put(" ")
		p.wide(x.X)
	}
	for i := range x.Whens {
		p.put(" WHEN ")
		p.wide(x.Whens[i].Cond)
		p.put(" THEN ")
		p.wide(x.Whens[i].Then)
	}
	if x.Else != nil {
		p.put(" ELSE ")
		p.wide(x.Else)
	}
	p.put(" END")
}

func (p *printer) index(x *Index) {
	switch x.X.(type) {
	case *Column, *Index:
		p.expr(x.X, bindPrimary)
	default:
		p.put("(")
		p.wide(x.X)
		p.put(")")
	}
	p.list("[", []Expr{x.I}, "]")
}
