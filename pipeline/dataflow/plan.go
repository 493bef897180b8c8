package dataflow

import "github.com/evertdb/evert/schema"

// A Plan is a view as operators. It is immutable.
type Plan struct {
	Inputs  []Input // the tables it reads, each once
	Root    Node
	Key     []int   // the root's columns that identify a row of the view, in key order; none if it has one row at most
	Indexes [][]int // the root's columns of each further order it can be read in
}

// An Input is a table that a plan reads.
type Input struct {
	Source string        // the source it belongs to
	Table  *schema.Table // as it was when the plan was made
	Carry  []int         // the table's columns that the plan uses, in table order; the key always
	Key    []int         // the primary key, as places in Carry, in key order
}

// A Node is an operator of a plan. The nodes are Scan, Map, Filter, Join,
// Aggregate and Union. A node may feed several others: it is then worked out
// once.
type Node interface {
	// Columns are those of its rows.
	Columns() []schema.Column
	// Unique are sets of columns of which each identifies a row; empty if a row
	// may occur twice.
	Unique() [][]int
	// Inputs are the nodes it reads.
	Inputs() []Node
}

// An Expr is a compiled scalar expression over a row. It is pure: the same row
// gives the same value, always. Its methods may be called from any goroutine.
type Expr interface {
	// Eval gives the value for row; the value may share bytes with row. An error
	// is SQL's (division by zero, out of range) and stops the view.
	Eval(row schema.Row) (schema.Value, error)
	// String is its SQL, as explain shows it.
	String() string
}

// Scan gives the rows of an input: its carried columns, in their order.
type Scan struct {
	Input int // place in the plan's Inputs
	Cols  []schema.Column
	Keys  [][]int
}

// Map gives one row for each row of In.
type Map struct {
	In    Node
	Exprs []Expr
	Cols  []schema.Column // of the results
	Keys  [][]int         // the unique sets that survive
}

// Filter passes the rows for which Pred is true; not those for which it is NULL.
type Filter struct {
	In   Node
	Pred Expr
}

// Join pairs rows whose keys are equal and for which Residual holds. Its rows
// are the left's columns and then the right's. A NULL in a key equals nothing.
type Join struct {
	Left, Right       Node
	LeftKey, RightKey []int // of pairwise the same type and collation; at least one
	Residual          Expr  // over the joined row; nil: none
	Outer             bool  // a left join: a left row without a match comes once, with NULLs
	Cols              []schema.Column
	Keys              [][]int
}

// Aggregate gives one row per group: the group's columns, then a column for each
// aggregate. Without aggregates it is SELECT DISTINCT. NULLs in Group are equal
// to each other.
type Aggregate struct {
	In    Node
	Group []int // columns of In; empty: one group that exists even with no rows, if Grand
	Grand bool  // there is no GROUP BY: exactly one row, always
	Aggs  []Agg
	Cols  []schema.Column
}

// An Agg is one aggregate of an Aggregate. Its arguments are columns: the
// planner puts a Map below that works them out.
type Agg struct {
	Func     AggFunc
	Arg      int     // column of In; -1: count(*). That of json(b)_agg is JSON: the planner put to_json(b) below
	Filter   int     // boolean column of In that must be true; -1: none
	Distinct bool    // equal arguments count once
	Order    []Order // of string_agg, array_agg and json(b)_agg; total: the planner appended a tie
	Delim    int     // string_agg's delimiter, a column of In; -1: none
	Result   schema.Type
	Text     string // its SQL, as explain shows it
}

// An Order is one key of an ORDER BY.
type Order struct {
	Col        int
	Desc       bool
	NullsFirst bool
}

// AggFunc is an aggregate function.
type AggFunc uint8

// The aggregate functions.
const (
	Count AggFunc = iota + 1
	Sum
	Avg
	Min
	Max
	BoolAnd
	BoolOr
	StringAgg
	ArrayAgg
	JSONAgg
	JSONBAgg
)

// Union gives the rows of all its inputs (UNION ALL). They have the same types.
type Union struct {
	In   []Node
	Cols []schema.Column
}

// Columns are the carried columns.
func (n *Scan) Columns() []schema.Column { return n.Cols }

// Unique is the primary key.
func (n *Scan) Unique() [][]int { return n.Keys }

// Inputs are none.
func (n *Scan) Inputs() []Node { return nil }

// Columns are the results.
func (n *Map) Columns() []schema.Column { return n.Cols }

// Unique is what the expressions left of In's.
func (n *Map) Unique() [][]int { return n.Keys }

// Inputs is In.
func (n *Map) Inputs() []Node { return []Node{n.In} }

// Columns are In's.
func (n *Filter) Columns() []schema.Column { return n.In.Columns() }

// Unique is In's.
func (n *Filter) Unique() [][]int { return n.In.Unique() }

// Inputs is In.
func (n *Filter) Inputs() []Node { return []Node{n.In} }

// Columns are the left's and the right's.
func (n *Join) Columns() []schema.Column { return n.Cols }

// Unique are sets over both sides.
func (n *Join) Unique() [][]int { return n.Keys }

// Inputs are Left and Right.
func (n *Join) Inputs() []Node { return []Node{n.Left, n.Right} }

// Columns are the group's and the aggregates'.
func (n *Aggregate) Columns() []schema.Column { return n.Cols }

// Unique is the group.
func (n *Aggregate) Unique() [][]int {
	group := make([]int, len(n.Group))
	for i := range group {
		group[i] = i
	}
	return [][]int{group}
}

// Inputs is In.
func (n *Aggregate) Inputs() []Node { return []Node{n.In} }

// Columns are those all inputs share.
func (n *Union) Columns() []schema.Column { return n.Cols }

// Unique is nothing: two inputs may give the same row.
func (n *Union) Unique() [][]int { return nil }

// Inputs are all inputs.
func (n *Union) Inputs() []Node { return n.In }
