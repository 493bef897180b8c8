package syntax

// A Query is a SELECT with what stands around it. It is immutable once parsed.
type Query struct {
	With []CTE
	Body Body
	Pos  int
}

// A CTE is one query of a WITH.
type CTE struct {
	Name    Name
	Columns []Name // new names for its columns; empty: as they are
	Hint    string // MATERIALIZED, NOT MATERIALIZED or nothing; the result is the same
	Query   *Query
}

// A Body is a *Select, a *Union or a *Query in brackets.
type Body interface{ body() }

// A Union puts the rows of two queries together.
type Union struct {
	All         bool // otherwise equal rows count once
	Left, Right Body
	Pos         int // of the word UNION
}

// A Select is one SELECT.
type Select struct {
	Distinct bool
	Items    []Item
	From     []From // comma-separated; empty: one row without columns
	Where    Expr   // nil: none
	GroupBy  []Expr
	Grouped  bool // there is a GROUP BY
	Having   Expr // nil: none
	Pos      int
}

func (*Query) body()  {}
func (*Union) body()  {}
func (*Select) body() {}

// An Item is one entry of a SELECT list.
type Item struct {
	X     Expr // a *Star stands for several columns
	Alias Name // without Text: none was written
}

// A Name is an identifier, folded to lower case unless it was quoted.
type Name struct {
	Text string
	Pos  int
}

// A From is an entry of FROM: a *Table, *Derived or *Join.
type From interface {
	from()
	// At is the byte offset at which it begins.
	At() int
}

// An Alias renames a table and its first columns.
type Alias struct {
	Name    Name // without Text: none
	Columns []Name
}

// A Table is a name in FROM: a view, a query of WITH, or source.schema.table.
type Table struct {
	Name  []Name // one to three parts
	Alias Alias
}

// A Derived is a query in FROM.
type Derived struct {
	Query *Query
	Alias Alias
	Pos   int
}

// A JoinKind is how rows without a match are treated.
type JoinKind uint8

// The kinds of joins.
const (
	Inner JoinKind = iota
	Left
	Right
)

// A Join is two entries of FROM with a condition.
type Join struct {
	Kind        JoinKind
	Left, Right From
	On          Expr   // nil if Using is set
	Using       []Name // columns that both sides have
	Pos         int    // of the word JOIN, or of what stands before it
}

func (*Table) from()   {}
func (*Derived) from() {}
func (*Join) from()    {}

// At is where its name begins.
func (t *Table) At() int { return t.Name[0].Pos }

// At is where its bracket opens.
func (d *Derived) At() int { return d.Pos }

// At is where its left side begins.
func (j *Join) At() int { return j.Left.At() }
