package sql

import (
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// The codes of what a query can be refused for, beside those of package syntax.
const (
	codeName    pipeline.Code = "SQL_NAME"    // a name that stands for nothing, or for several things
	codeType    pipeline.Code = "SQL_TYPE"    // types that do not fit
	codeGroup   pipeline.Code = "SQL_GROUP"   // a column that is neither grouped nor aggregated
	codeInexact pipeline.Code = "SQL_INEXACT" // what the rows alone do not settle
	codeJoin    pipeline.Code = "SQL_JOIN"    // a join without an equality
	codeViewKey pipeline.Code = "SQL_KEY"     // the columns that are to identify a row
)

// A Catalog knows the tables and views that a query may name. Its methods are
// called by one goroutine.
type Catalog interface {
	// Table gives the present version of a table. An error says what there is
	// instead; it becomes part of a sentence; a NoTable has a mend as well.
	Table(source, schema, table string) (*schema.Table, error)
	// View gives the SQL of a view; ok is false if there is none of that name.
	View(name string) (text string, ok bool)
}

// Options are what the definition of a view has beside its SQL.
type Options struct {
	Name    string     // of the view itself; it may not read itself. Empty: it has none yet
	Key     []string   // the columns that identify a row; empty: those that the plan finds
	Indexes [][]string // columns of each further order
}

// A View is a compiled query.
type View struct {
	Plan     *dataflow.Plan
	Columns  []schema.Column // of its rows
	Text     string          // canonical SQL
	Hash     [32]byte        // of all that the rows depend on: a view with another hash has other state
	KeyKnown bool            // the plan proves that the key identifies a row; otherwise the engine will find out
}

// fault is an error at a place of the text that is being bound.
type fault struct {
	at         int
	code       pipeline.Code
	what, mend string
}

func (f *fault) in(text string) *syntax.Error {
	return syntax.Fault(text, f.at, f.code, f.what, f.mend)
}
