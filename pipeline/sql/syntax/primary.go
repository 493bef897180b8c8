package syntax

import "strings"

// primary reads an expression without operators outside of brackets.
func (p *parser) primary() Expr {
	at := place(p.tok.at)
	t := p.tok
	switch t.kind {
	case tokInteger:
		p.advance()
		return &Literal{place: at, Kind: IntegerLiteral, Text: t.text}
	case tokDecimal:
		p.advance()
		return &Literal{place: at, Kind: DecimalLiteral, Text: t.text}
	case tokString:
		p.advance()
		return &Literal{place: at, Kind: StringLiteral, Text: t.text}
	case tokParam:
		p.unsupported(t.at, "parameters are not supported in views", "write the value itself")
	case tokQuoted:
		return p.named()
	case tokName:
		return p.word()
	}
	if t.punct("(") {
		return p.bracketed()
	}
	p.unexpected("expected an expression")
	return nil
}

// word reads an expression that begins with an unquoted word.
func (p *parser) word() Expr {
	at, w := place(p.tok.at), p.tok.text
	switch w {
	case "null", "true", "false":
		p.advance()
		return literalWord(at, w)
	case "case":
		return p.caseOf()
	case "cast":
		return p.cast()
	case "array":
		return p.array()
	}
	p.refuseWord(w)
	if p.look(1).punct("(") {
		if x := p.special(w); x != nil {
			return x
		}
	}
	if p.typedLiteral(w) {
		return p.typed(p.typeName())
	}
	return p.named()
}

func literalWord(at place, w string) Expr {
	if w == "null" {
		return &Literal{place: at, Text: "NULL"}
	}
	return &Literal{place: at, Kind: BoolLiteral, Text: strings.ToUpper(w)}
}

const useColumn = "store the moment in a column and compare with it when you read the view"

// refuseWord refuses words that stand for the time, the user or a row.
func (p *parser) refuseWord(w string) {
	at := p.tok.at
	switch w {
	case "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp":
		p.unsupported(at, strings.ToUpper(w)+" changes while no row does: a view cannot depend on it", useColumn)
	case "current_user", "session_user", "user", "current_role", "current_catalog", "current_schema", "system_user":
		if w != "current_schema" || !p.look(1).punct(".") {
			p.unsupported(at, strings.ToUpper(w)+" depends on who reads: a view cannot", "write the name itself")
		}
	case "default":
		p.fail(at, "DEFAULT stands for nothing in a query", "")
	}
	if !p.look(1).punct("(") {
		return
	}
	switch w {
	case "exists":
		p.unsupported(at, "EXISTS is not supported in views", "write JOIN (SELECT DISTINCT y FROM …) AS s ON s.y = x; for NOT EXISTS a LEFT JOIN and WHERE s.y IS NULL")
	case "row":
		p.unsupported(at, noRows, eachColumn)
	case "grouping":
		p.unsupported(at, "GROUPING is not supported in views", "")
	case "treat", "normalize", "merge_action", "setof":
		p.unsupported(at, strings.ToUpper(w)+" is not supported in views", "")
	}
	if strings.HasPrefix(w, "json_") && classOf(w) == column || w == "json" {
		p.unsupported(at, strings.ToUpper(w)+" is not supported in views", "write jsonb_build_object, jsonb_build_array, jsonb_agg, or the operators -> and ->>")
	}
	if strings.HasPrefix(w, "xml") && classOf(w) == column {
		p.unsupported(at, "XML is not supported in views", "")
	}
}

const (
	noRows     = "rows as values are not supported in views"
	eachColumn = "compare column by column: a.x = b.x AND a.y = b.y"
	joinQuery  = "write the query in FROM and join it: JOIN (SELECT k, … FROM … GROUP BY k) AS s ON s.k = …"
)

// bracketed reads ( … ).
func (p *parser) bracketed() Expr {
	at := p.tok.at
	p.advance()
	if p.startsSubquery() {
		p.skipQuery("a query as a value is not supported in views", joinQuery)
		p.expect(")", "behind the query")
		return &Literal{place: place(at), Text: "NULL"}
	}
	x := p.expr()
	if p.tok.punct(",") {
		p.unsupported(at, noRows, eachColumn)
	}
	p.expect(")", "behind the expression")
	if p.tok.punct(".") {
		p.unsupported(p.tok.at, "fields of composite values are not supported in views", "")
	}
	return p.indexed(x)
}

func (p *parser) startsSubquery() bool {
	return p.tok.word("select") || p.tok.word("with") || p.tok.word("values")
}

// skipQuery reads a query and refuses it.
func (p *parser) skipQuery(what, mend string) {
	p.refuse(p.tok.at, what, mend)
	p.query()
}

// indexed reads the subscripts behind x.
func (p *parser) indexed(x Expr) Expr {
	for n := 0; p.tok.punct("["); n++ {
		at := place(p.tok.at)
		p.advance()
		if p.tok.punct(":") {
			p.refuseSlice()
		}
		index := &Index{place: at, X: x, I: p.expr()}
		if p.tok.punct(":") {
			p.refuseSlice()
		}
		p.expect("]", "behind the subscript")
		x = index
		p.chain(n * 20)
	}
	if p.tok.punct(".") {
		p.unsupported(p.tok.at, "fields of composite values are not supported in views", "")
	}
	return x
}

func (p *parser) refuseSlice() {
	p.unsupported(p.tok.at, "slices of arrays are not supported in views", "write a single subscript: a[1]")
}

// named reads a column, a call, or a string with its type's name in front.
func (p *parser) named() Expr {
	first, at := p.tok, place(p.tok.at)
	if !first.namesColumn() && !first.namesFunction() {
		p.unexpectedName("an expression")
	}
	parts := p.dottedColumn(first)
	if len(parts) > 1 && !first.namesColumn() {
		p.fail(first.at, "syntax error at "+p.described(&first), `in quotes it is a name: "`+first.text+`"`)
	}
	asFunction := len(parts) > 1 || first.namesFunction()
	switch {
	case p.tok.punct("(") && asFunction:
		return p.call(at, parts)
	case p.tok.kind == tokString && asFunction:
		return p.typed(TypeName{Pos: int(at), Name: parts})
	case !first.namesColumn():
		p.fail(first.at, "syntax error at "+p.described(&first), `in quotes it is a name: "`+first.text+`"`)
	case len(parts) > 4:
		p.fail(first.at, "a column's name has at most four parts", "write table.column")
	}
	return p.indexed(&Column{place: at, Parts: parts})
}

func (p *parser) dottedColumn(first token) []Name {
	parts := []Name{p.nameToken()}
	for p.tok.punct(".") {
		if p.look(1).punct("*") {
			p.unsupported(first.at, "a whole row as a value is not supported in views", "name its columns")
		}
		parts = p.dottedOnce(parts)
	}
	return parts
}

func (p *parser) dottedOnce(parts []Name) []Name {
	p.advance()
	if !p.tok.namesAnything() {
		p.unexpected("expected a name behind the dot")
	}
	return append(parts, p.nameToken())
}

// typed reads the string of type 'string'.
func (p *parser) typed(t TypeName) Expr {
	if p.tok.kind != tokString {
		p.unexpected("expected a string behind the type")
	}
	if len(t.Name) > 2 {
		p.fail(t.Pos, "a type's name has at most two parts", "")
	}
	x := &Literal{place: place(p.tok.at), Kind: StringLiteral, Text: p.tok.text}
	p.advance()
	if t.Name[0].Text == "interval" && t.Keyword && p.tok.kind == tokName && strings.Contains(" year month day hour minute second ", " "+p.tok.text+" ") {
		p.unsupported(p.tok.at, "a unit behind an interval is not supported in views", "put it into the string: interval '1 "+p.tok.text+"'")
	}
	return &Cast{place: place(t.Pos), X: x, Type: t}
}

func (p *parser) caseOf() Expr {
	c := &Case{place: place(p.tok.at)}
	p.advance()
	if !p.tok.word("when") {
		c.X = p.expr()
	}
	for p.take("when") {
		w := When{Cond: p.expr()}
		p.expect("then", "behind the condition of WHEN")
		w.Then = p.expr()
		c.Whens = append(c.Whens, w)
	}
	if c.Whens == nil {
		p.unexpected("expected WHEN")
	}
	if p.take("else") {
		c.Else = p.expr()
	}
	p.expect("end", "behind the branches of CASE")
	return c
}

func (p *parser) cast() Expr {
	at := place(p.tok.at)
	p.advance()
	p.expect("(", "behind CAST")
	c := &Cast{place: at, X: p.expr()}
	p.expect("as", "behind the expression that is cast")
	c.Type = p.typeName()
	p.expect(")", "behind the type")
	return c
}

// array reads ARRAY[…], from its first word; inner lists may leave the word out.
func (p *parser) array() Expr {
	at := p.tok.at
	p.advance()
	if p.tok.punct("(") {
		p.unsupported(at, "ARRAY of a query is not supported in views", "write array_agg(x ORDER BY y) in a query with GROUP BY")
	}
	if !p.tok.punct("[") {
		p.unexpected("expected [ behind ARRAY")
	}
	return p.elements(at)
}

func (p *parser) elements(at int) Expr {
	p.deeper()
	defer p.shallower()
	a := &Array{place: place(at)}
	p.expect("[", "")
	for !p.tok.punct("]") {
		if p.tok.punct("[") {
			a.Elems = append(a.Elems, p.elements(p.tok.at))
		} else {
			a.Elems = append(a.Elems, p.expr())
		}
		if !p.tok.punct("]") {
			p.expect(",", "between the elements of an array")
			if p.tok.punct("]") {
				p.unexpected("expected an element")
			}
		}
	}
	p.advance()
	return a
}
