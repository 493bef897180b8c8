package sandbox

import "go.starlark.net/syntax"

// Names of the guards. No script can write them.
const (
	guardCall   = "<call>"
	guardBinary = "<binary>"
	guardAdd    = "<add>"
	guardSlice  = "<slice>"
	guardKey    = "<key>"
)

// A rewriter puts guards into a syntax tree, in place.
type rewriter struct {
	names map[string]bool
	err   error
}

func (r *rewriter) refuse(at syntax.Position, what string) {
	if r.err == nil {
		r.err = &Error{Wrong, int(at.Line), int(at.Col), what}
	}
}

func (r *rewriter) statements(list []syntax.Stmt) {
	for _, s := range list {
		r.statement(s)
	}
}

func (r *rewriter) statement(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.AssignStmt:
		r.assignment(s)
	case *syntax.DefStmt:
		r.expressions(s.Params)
		r.statements(s.Body)
	case *syntax.ExprStmt:
		s.X = r.expr(s.X)
	case *syntax.IfStmt:
		s.Cond = r.expr(s.Cond)
		r.statements(s.True)
		r.statements(s.False)
	case *syntax.ForStmt:
		s.X = r.expr(s.X)
		r.statements(s.Body)
	case *syntax.WhileStmt:
		s.Cond = r.expr(s.Cond)
		r.statements(s.Body)
	case *syntax.ReturnStmt:
		if s.Result != nil {
			s.Result = r.expr(s.Result)
		}
	case *syntax.LoadStmt:
		r.refuse(s.Load, "a script loads nothing")
	}
}

// assignment makes x = x op y of x op= y where x is a name: nothing is worked out
// twice. A list that is added to stays the same list.
func (r *rewriter) assignment(s *syntax.AssignStmt) {
	s.RHS = r.expr(s.RHS)
	op, augmented := plain(s.Op)
	if !augmented {
		s.LHS = r.expr(s.LHS)
		return
	}
	name, ok := s.LHS.(*syntax.Ident)
	if !ok {
		r.refuse(s.OpPos, "write x = x "+op.String()+" y here; "+s.Op.String()+" is for names alone")
		return
	}
	guard := guardBinary
	if op == syntax.PLUS {
		guard = guardAdd
	}
	s.Op, s.RHS = syntax.EQ, r.guarded(guard, s.OpPos, number(op, s.OpPos), &syntax.Ident{NamePos: name.NamePos, Name: name.Name}, s.RHS)
}

// plain is the operator of an augmented assignment.
func plain(op syntax.Token) (syntax.Token, bool) {
	if op >= syntax.PLUS_EQ && op <= syntax.GTGT_EQ {
		return op - syntax.PLUS_EQ + syntax.PLUS, true
	}
	return op, false
}

func number(op syntax.Token, at syntax.Position) syntax.Expr {
	return &syntax.Literal{Token: syntax.INT, TokenPos: at, Value: int64(op)}
}

func (r *rewriter) guarded(name string, at syntax.Position, args ...syntax.Expr) *syntax.CallExpr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: at, Name: name}, Lparen: at, Args: args, Rparen: at}
}

func (r *rewriter) expressions(list []syntax.Expr) {
	for i, x := range list {
		if b, ok := x.(*syntax.BinaryExpr); ok && b.Op == syntax.EQ { // name=value of a call or parameter
			b.Y = r.expr(b.Y)
		} else {
			list[i] = r.expr(x)
		}
	}
}

func (r *rewriter) expr(x syntax.Expr) syntax.Expr {
	switch x := x.(type) {
	case *syntax.Literal:
		if text, ok := x.Value.(string); ok {
			r.names[text] = true
		}
	case *syntax.ParenExpr:
		x.X = r.expr(x.X)
	case *syntax.CallExpr:
		r.expressions(x.Args)
		return r.guarded(guardCall, x.Lparen, append([]syntax.Expr{r.expr(x.Fn)}, x.Args...)...)
	case *syntax.BinaryExpr:
		return r.binary(x)
	case *syntax.SliceExpr:
		r.parts(&x.X, &x.Lo, &x.Hi, &x.Step)
		return r.guarded(guardSlice, x.Lbrack, x)
	case *syntax.DotExpr:
		r.names[x.Name.Name] = true
		x.X = r.expr(x.X)
	case *syntax.Comprehension:
		r.comprehension(x)
	default:
		r.rest(x)
	}
	return x
}

func (r *rewriter) binary(x *syntax.BinaryExpr) syntax.Expr {
	x.X, x.Y = r.expr(x.X), r.expr(x.Y)
	if x.Op == syntax.AND || x.Op == syntax.OR {
		return x
	}
	return r.guarded(guardBinary, x.OpPos, number(x.Op, x.OpPos), x.X, x.Y)
}

func (r *rewriter) rest(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.UnaryExpr:
		r.parts(&x.X)
	case *syntax.IndexExpr:
		r.parts(&x.X)
		x.Y = r.key(x.Y, x.Lbrack)
	case *syntax.CondExpr:
		r.parts(&x.Cond, &x.True, &x.False)
	case *syntax.DictExpr:
		r.expressions(x.List)
	case *syntax.DictEntry:
		x.Key = r.key(x.Key, x.Colon)
		r.parts(&x.Value)
	case *syntax.ListExpr:
		r.expressions(x.List)
	case *syntax.TupleExpr:
		r.expressions(x.List)
	case *syntax.LambdaExpr:
		r.expressions(x.Params)
		x.Body = r.expr(x.Body)
	}
}

// key guards what a dict may hash. A name or number that stands there is no work.
func (r *rewriter) key(x syntax.Expr, at syntax.Position) syntax.Expr {
	x = r.expr(x)
	if _, plain := x.(*syntax.Literal); plain {
		return x
	}
	return r.guarded(guardKey, at, x)
}

func (r *rewriter) parts(list ...*syntax.Expr) {
	for _, p := range list {
		if *p != nil {
			*p = r.expr(*p)
		}
	}
}

func (r *rewriter) comprehension(x *syntax.Comprehension) {
	for _, c := range x.Clauses {
		switch c := c.(type) {
		case *syntax.ForClause:
			c.X = r.expr(c.X)
		case *syntax.IfClause:
			c.Cond = r.expr(c.Cond)
		}
	}
	x.Body = r.expr(x.Body)
}
