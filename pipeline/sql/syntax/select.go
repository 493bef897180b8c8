package syntax

// statement reads the one query of the text.
func (p *parser) statement() *Query {
	if !p.startsQuery() {
		p.unexpected("write one SELECT, or WITH … SELECT; the view's name is its key in the file")
	}
	q := p.query()
	p.take(";")
	if p.tok.kind != tokEnd {
		p.unexpected("")
	}
	return q
}

// startsQuery reports whether it stands at the beginning of a query.
func (p *parser) startsQuery() bool {
	return p.tok.word("select") || p.tok.word("with") || p.tok.word("values") || p.tok.word("table") || p.tok.punct("(")
}

// query reads [WITH …] body and refuses what would follow it in a statement.
func (p *parser) query() *Query {
	p.deeper()
	defer p.shallower()
	q := &Query{Pos: p.tok.at}
	if p.take("with") {
		q.With = p.with()
	}
	q.Body = p.unions()
	p.trailers()
	return q
}

func (p *parser) with() []CTE {
	if p.tok.word("recursive") {
		p.unsupported(p.tok.at, "WITH RECURSIVE is not supported in views", "write WITH without RECURSIVE, and join as many times as the query may go down")
	}
	list := []CTE{p.cte()}
	for p.take(",") {
		list = append(list, p.cte())
	}
	return list
}

func (p *parser) cte() CTE {
	c := CTE{Name: p.columnName("the name of a query")}
	if p.take("(") {
		c.Columns = p.columnNames()
	}
	p.expect("as", "behind the name of a query in WITH")
	switch {
	case p.takeAll("not", "materialized"):
		c.Hint = "NOT MATERIALIZED"
	case p.takeAll("materialized"):
		c.Hint = "MATERIALIZED"
	}
	p.expect("(", "before the query")
	if t := p.tok; t.word("insert") || t.word("update") || t.word("delete") || t.word("merge") {
		p.unsupported(t.at, "a view only reads", "write a SELECT")
	}
	c.Query = p.query()
	p.expect(")", "behind the query")
	return c
}

// unions reads queries with set operations between them, which associate to the
// left.
func (p *parser) unions() Body {
	left := p.unionTerm()
	for n := 0; ; n++ {
		at := p.tok.at
		switch {
		case p.take("union"):
			left = &Union{All: p.setQuantifier(), Left: left, Right: p.unionTerm(), Pos: at}
		case p.tok.word("intersect"):
			p.unsupported(at, "INTERSECT is not supported in views", "write SELECT DISTINCT … FROM a JOIN b USING (…)")
		case p.tok.word("except"):
			p.unsupported(at, "EXCEPT is not supported in views", "write SELECT DISTINCT a.… FROM a LEFT JOIN (SELECT DISTINCT … FROM b) AS b ON … WHERE b.… IS NULL")
		default:
			return left
		}
		p.chain(n)
	}
}

// chain bounds what is written behind one another without brackets.
func (p *parser) chain(n int) {
	if n > longestChain {
		p.unsupported(p.tok.at, "too many operators behind one another", "split the expression or query")
	}
}

func (p *parser) setQuantifier() (all bool) {
	if p.take("all") {
		return true
	}
	p.take("distinct")
	return false
}

func (p *parser) unionTerm() Body {
	switch {
	case p.take("("):
		q := p.query()
		p.expect(")", "behind the query")
		if q.With == nil {
			return q.Body
		}
		return q
	case p.tok.word("values"):
		p.unsupported(p.tok.at, "VALUES is not supported in views", "write SELECT … UNION ALL SELECT …")
	case p.tok.word("table"):
		p.unsupported(p.tok.at, "TABLE is not supported in views", "write SELECT * FROM …")
	}
	return p.selection()
}

func (p *parser) selection() *Select {
	s := &Select{Pos: p.tok.at}
	p.expect("select", "")
	p.quantifier(s)
	s.Items = p.items()
	if p.tok.word("into") {
		p.unsupported(p.tok.at, "SELECT INTO is not supported in views", "leave INTO out: the view is what the query gives")
	}
	if p.take("from") {
		s.From = p.fromList()
	}
	if p.take("where") {
		s.Where = p.expr()
	}
	if p.takeAll("group", "by") {
		s.Grouped = true
		s.GroupBy = p.groupBy()
	}
	if p.take("having") {
		s.Having = p.expr()
	}
	if p.tok.word("window") && p.look(1).namesColumn() {
		p.unsupported(p.tok.at, noWindow, useGroup)
	}
	return s
}

const (
	noWindow = "window functions are not supported in views"
	useGroup = "write an aggregate with GROUP BY in a query in FROM, and join it: JOIN (SELECT k, max(x) AS x FROM … GROUP BY k) AS m ON m.k = …"
)

func (p *parser) quantifier(s *Select) {
	at := p.tok.at
	switch {
	case p.take("all"):
	case p.take("distinct"):
		s.Distinct = true
		if p.take("on") {
			p.refuse(at, "DISTINCT ON is not supported in views", "write a query with min or max and GROUP BY in FROM, and join it: JOIN (SELECT k, max(x) AS x FROM … GROUP BY k) AS m ON m.k = … AND m.x = …")
			p.expect("(", "behind DISTINCT ON")
			p.exprList()
			p.expect(")", "behind DISTINCT ON")
		}
	}
}

func (p *parser) items() []Item {
	list := []Item{p.item()}
	for p.take(",") {
		list = append(list, p.item())
	}
	if len(list) > mostListItems {
		p.fail(p.tok.at, "more than 1664 columns", "select fewer")
	}
	return list
}

func (p *parser) item() Item {
	if p.tok.punct("*") {
		at := p.tok.at
		p.advance()
		return Item{X: &Star{place: place(at)}}
	}
	it := Item{X: p.itemExpr()}
	if _, star := it.X.(*Star); star {
		return it
	}
	switch {
	case p.take("as"):
		if !p.tok.namesAnything() {
			p.unexpected("expected a name behind AS")
		}
		it.Alias = p.nameToken()
	case p.tok.namesBare():
		it.Alias = p.nameToken()
	}
	return it
}

// itemExpr reads an expression, or t.*.
func (p *parser) itemExpr() Expr {
	if !p.tok.namesColumn() || !p.look(1).punct(".") {
		return p.expr()
	}
	for n := 1; p.look(n).punct("."); n += 2 {
		if !p.look(n + 1).punct("*") {
			continue
		}
		star := &Star{place: place(p.tok.at)}
		for n > 0 {
			star.Table = append(star.Table, p.nameToken())
			p.advance()
			n -= 2
		}
		p.advance()
		return star
	}
	return p.expr()
}

func (p *parser) groupBy() []Expr {
	switch at := p.tok.at; {
	case p.take("all"):
	case p.take("distinct"):
		p.refuse(at, "GROUP BY DISTINCT is not supported in views", "leave DISTINCT out")
	}
	list := []Expr{p.group()}
	for p.take(",") {
		list = append(list, p.group())
	}
	return list
}

func (p *parser) group() Expr {
	t, next := &p.tok, p.look(1)
	sets := t.word("grouping") && next.word("sets") || (t.word("rollup") || t.word("cube")) && next.punct("(") || t.punct("(") && next.punct(")")
	if sets {
		p.unsupported(t.at, "grouping sets, ROLLUP and CUBE are not supported in views", "write one SELECT for each grouping and put UNION ALL between them")
	}
	return p.expr()
}

// trailers refuses ORDER BY, LIMIT and their like behind a query.
func (p *parser) trailers() {
	for {
		at := p.tok.at
		switch {
		case p.takeAll("order", "by"):
			p.refuse(at, "a view has no order", "leave ORDER BY out, and read the view with ?order=column.desc; inside an aggregate ORDER BY is welcome: string_agg(x, ',' ORDER BY y)")
			p.orderBy()
		case p.take("limit"):
			p.refuse(at, "LIMIT is not supported in views", "leave it out, and read the view with ?order= and ?limit=")
			if !p.take("all") {
				p.expr()
			}
		case p.take("offset"):
			p.refuse(at, "OFFSET is not supported in views", "leave it out, and read the view with ?order=, ?limit= and ?cursor=")
			p.expr()
			_ = p.take("row") || p.take("rows")
		case p.tok.word("fetch"):
			p.unsupported(at, "FETCH FIRST is not supported in views", "leave it out, and read the view with ?order= and ?limit=")
		case p.tok.word("for"):
			p.unsupported(at, "a view locks nothing", "leave FOR out")
		default:
			return
		}
	}
}

func (p *parser) orderBy() []Order {
	list := []Order{p.order()}
	for p.take(",") {
		list = append(list, p.order())
	}
	return list
}

func (p *parser) order() Order {
	o := Order{X: p.expr()}
	switch at := p.tok.at; {
	case p.take("asc"):
	case p.take("desc"):
		o.Desc = true
	case p.take("using"):
		p.unsupported(at, "ORDER BY … USING is not supported in views", "write ASC or DESC")
	}
	switch {
	case p.takeAll("nulls", "first"):
		o.Nulls = "FIRST"
	case p.takeAll("nulls", "last"):
		o.Nulls = "LAST"
	}
	return o
}
