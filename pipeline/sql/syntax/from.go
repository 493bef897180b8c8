package syntax

import "strings"

func (p *parser) fromList() []From {
	list := []From{p.joined()}
	for p.take(",") {
		list = append(list, p.joined())
	}
	return list
}

// joined reads a table and the joins behind it.
func (p *parser) joined() From {
	p.deeper()
	defer p.shallower()
	left := p.fromItem()
	for n := 0; ; n++ {
		at := p.tok.at
		kind, ok := p.joinKind()
		if !ok {
			return left
		}
		j := &Join{Kind: kind, Left: left, Right: p.joined(), Pos: at}
		p.joinCondition(j)
		left = j
		p.chain(n)
	}
}

// joinKind reads the words of a join, if it stands on one.
func (p *parser) joinKind() (kind JoinKind, ok bool) {
	at := p.tok.at
	switch {
	case p.take("join"):
		return Inner, true
	case p.take("inner"):
		kind = Inner
	case p.take("left"):
		kind = Left
	case p.take("right"):
		kind = Right
	case p.tok.word("full"):
		p.unsupported(at, "FULL JOIN is not supported in views", "write a LEFT JOIN b … UNION ALL SELECT … FROM b LEFT JOIN a … WHERE a.… IS NULL")
	case p.tok.word("cross"):
		p.unsupported(at, "CROSS JOIN is not supported in views: it would keep every pair of rows", "write JOIN … ON with an equality between the two sides")
	case p.tok.word("natural"):
		p.unsupported(at, "NATURAL JOIN is not supported in views: a new column would change what it means", "name the columns: JOIN … USING (…)")
	default:
		return Inner, false
	}
	if kind != Inner {
		p.take("outer")
	}
	p.expect("join", "")
	return kind, true
}

func (p *parser) joinCondition(j *Join) {
	switch {
	case p.take("on"):
		j.On = p.expr()
	case p.take("using"):
		p.expect("(", "behind USING")
		j.Using = p.columnNames()
		if p.tok.word("as") {
			p.unsupported(p.tok.at, "an alias behind USING is not supported in views", "leave it out")
		}
	default:
		p.unexpected("expected ON or USING behind the table that is joined")
	}
}

// fromItem reads a table, a query in brackets, or a join in brackets.
func (p *parser) fromItem() From {
	at := p.tok.at
	switch {
	case p.tok.word("lateral"):
		p.unsupported(at, "LATERAL is not supported in views", "write a query with GROUP BY in FROM and join it by its key")
	case p.tok.word("only"):
		p.unsupported(at, "ONLY is not supported in views", "name the table alone")
	case p.tok.word("rows") && p.look(1).word("from"):
		p.unsupported(at, noFunctions, nameTable)
	case p.tok.punct("(") && p.queryAhead():
		return p.derived()
	case p.take("("):
		return p.bracketedJoin(at)
	}
	return p.table()
}

const (
	noFunctions = "functions in FROM are not supported in views"
	nameTable   = "name a table, a view or a query in brackets"
)

func (p *parser) derived() From {
	d := &Derived{Pos: p.tok.at}
	p.advance()
	d.Query = p.query()
	p.expect(")", "behind the query")
	d.Alias = p.alias()
	if d.Alias.Name.Text == "" {
		p.refuse(d.Pos, "a query in FROM needs a name", "write (SELECT …) AS name")
	}
	return d
}

func (p *parser) bracketedJoin(at int) From {
	inner := p.joined()
	if _, isJoin := inner.(*Join); !isJoin {
		p.unexpected("brackets in FROM hold a query or a join")
	}
	p.expect(")", "behind the join")
	if alias := p.alias(); alias.Name.Text != "" {
		p.refuse(at, "an alias of a join is not supported in views", "give aliases to the tables in it, or write (SELECT … FROM …) AS "+Quote(alias.Name.Text))
	}
	return inner
}

// queryAhead decides what a bracket in FROM holds: a query, or a join whose
// first table may be a query in brackets itself.
func (p *parser) queryAhead() bool {
	for n := 1; ; n++ {
		t := p.look(n)
		switch {
		case t.word("select"), t.word("with"), t.word("values"), t.word("table"):
			return true
		case !t.punct("("):
			return false
		}
		behind := p.look(p.closing(n) + 1)
		switch {
		case behind.punct(")"): // brackets around brackets: what they hold decides
		case behind.kind == tokName && strings.Contains(" union intersect except order limit offset fetch for ", " "+behind.text+" "):
			return true
		default:
			return false
		}
	}
}

// closing gives how far ahead the bracket closes that opens n tokens ahead.
func (p *parser) closing(n int) int {
	for depth := 0; ; n++ {
		switch t := p.look(n); {
		case t.punct("("):
			depth++
		case t.punct(")"):
			depth--
		case t.kind == tokEnd:
			return n
		}
		if depth == 0 {
			return n
		}
	}
}

func (p *parser) table() From {
	t := &Table{Name: p.dotted([]Name{p.columnName("a table or view")}, "a name")}
	switch {
	case p.tok.punct("("):
		p.unsupported(t.At(), noFunctions, nameTable)
	case p.tok.punct("*"):
		p.unsupported(p.tok.at, "a * behind a table is not supported in views", "leave it out")
	case len(t.Name) > 3:
		p.fail(t.At(), "a table's name has three parts", "write source.schema.table")
	case len(t.Name) == 2:
		p.refuse(t.At(), "a table's name needs its source in front", "write source."+Quote(t.Name[0].Text)+"."+Quote(t.Name[1].Text)+"; a view is named alone")
	}
	t.Alias = p.alias()
	if p.tok.word("tablesample") {
		p.unsupported(p.tok.at, "TABLESAMPLE is not supported in views: it is left to chance", "leave it out")
	}
	return t
}

func (p *parser) alias() Alias {
	var a Alias
	as := p.take("as")
	if !as && !p.tok.namesColumn() {
		return a
	}
	a.Name = p.columnName("an alias")
	if p.take("(") {
		a.Columns = p.columnNames()
	}
	return a
}
