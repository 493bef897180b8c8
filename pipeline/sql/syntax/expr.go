package syntax

// An Expr is a scalar expression. It is immutable once parsed.
type Expr interface {
	// At is a byte offset that points a person at the expression: where it
	// begins, or at its operator.
	At() int
}

type place int

// At is the byte offset.
func (p place) At() int { return int(p) }

// A Column is a reference to a column: name, or with the table's name, schema
// and source in front.
type Column struct {
	place
	Parts []Name // one to four
}

// A Star is * or t.* in a SELECT list.
type Star struct {
	place
	Table []Name // empty for *
}

// A Literal is a constant.
type Literal struct {
	place
	Kind LiteralKind
	Text string // the string's value, the number as written, TRUE, FALSE or NULL
}

// A LiteralKind tells constants apart.
type LiteralKind uint8

// The kinds of constants.
const (
	NullLiteral LiteralKind = iota
	BoolLiteral
	IntegerLiteral // digits alone; its size says which type it has
	DecimalLiteral // with a point or an exponent
	StringLiteral  // of no type yet
)

// A Cast is x::type, CAST(x AS type) or type 'x'.
type Cast struct {
	place
	X    Expr
	Type TypeName
}

// A TypeName is a type as SQL writes it.
type TypeName struct {
	Pos     int
	Name    []Name // one or two parts
	Keyword bool   // Name is one part, in the words of the grammar: double precision
	Mods    []int  // numeric(10,2)
	Array   bool
}

// A Unary is a prefix operator: NOT, -, or one with a symbol.
type Unary struct {
	place
	Op string
	X  Expr
}

// A Binary is an operator between two expressions: AND, OR, IS DISTINCT FROM,
// IS NOT DISTINCT FROM, or one with a symbol; <> for !=.
type Binary struct {
	place // of the operator
	Op    string
	L, R  Expr
}

// An Is is IS [NOT] NULL, TRUE, FALSE or UNKNOWN.
type Is struct {
	place // of the word IS
	X     Expr
	Test  string // in upper case
	Not   bool
}

// A Between is x [NOT] BETWEEN [SYMMETRIC] low AND high.
type Between struct {
	place
	X, Low, High   Expr
	Not, Symmetric bool
}

// An In is x [NOT] IN (list).
type In struct {
	place
	X    Expr
	List []Expr // at least one
	Not  bool
}

// A Like is x [NOT] LIKE or ILIKE pattern [ESCAPE e].
type Like struct {
	place
	X, Pattern Expr
	Escape     Expr // nil: the backslash
	Not, Fold  bool // Fold: ILIKE
}

// A Quantified is x op ANY (array) or ALL (array).
type Quantified struct {
	place
	Op    string // LIKE, NOT LIKE, ILIKE and NOT ILIKE as ~~ !~~ ~~* !~~*
	X     Expr
	All   bool
	Array Expr
}

// A Case is CASE [x] WHEN … THEN … [ELSE …] END.
type Case struct {
	place
	X     Expr // nil: the conditions are booleans
	Whens []When
	Else  Expr // nil: NULL
}

// A When is one branch of a Case.
type When struct{ Cond, Then Expr }

// A Call is a function with its arguments, or an aggregate.
type Call struct {
	place
	Name     []Name // one or two parts
	Args     []Expr // in the function's own order, whatever the syntax
	Star     bool   // count(*)
	Distinct bool
	Order    []Order // inside the brackets of an aggregate
	Filter   Expr    // nil: none
	Syntax   Syntax  // how it is written
}

// An Order is one key of an aggregate's ORDER BY.
type Order struct {
	X     Expr
	Desc  bool
	Nulls string // FIRST, LAST, or nothing: last if ascending, first if descending
}

// A Syntax is a way to write a function that is not name(arguments).
type Syntax uint8

// The ways. What stands left is what Args hold.
const (
	Plain           Syntax = iota
	ExtractSyntax          // (field, x):          EXTRACT(field FROM x)
	SubstringSyntax        // (x, from[, for]):    SUBSTRING(x FROM a FOR b)
	PositionSyntax         // (text, part):        POSITION(part IN text)
	TrimSyntax             // (text[, chars]):     TRIM(BOTH chars FROM text); btrim, ltrim or rtrim
	OverlaySyntax          // (x, y, from[, for]): OVERLAY(x PLACING y FROM a FOR b)
	ZoneSyntax             // (zone, x):           x AT TIME ZONE zone
	KeywordSyntax          // COALESCE, NULLIF, GREATEST, LEAST: as Plain, but words of the grammar
)

// A Collate is x COLLATE name.
type Collate struct {
	place
	X    Expr
	Name []Name
}

// An Array is ARRAY[…].
type Array struct {
	place
	Elems []Expr
}

// An Index is one element of an array, x[i].
type Index struct {
	place
	X, I Expr
}
