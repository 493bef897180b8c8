package transform

import (
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// The codes of this package. Each is an error of the file, or stops a table.
const (
	codeColumn   pipeline.Code = "TRANSFORM_COLUMN"   // a column that is not there, or cannot be used so
	codeUnknown  pipeline.Code = "TRANSFORM_UNKNOWN"  // a value is needed that the source did not send
	codeOldRow   pipeline.Code = "TRANSFORM_OLD_ROW"  // the old row is needed, and the source did not send it
	codeTruncate pipeline.Code = "TRANSFORM_TRUNCATE" // rows that are gone cannot be told from others
	codeMerged   pipeline.Code = "TRANSFORM_MERGED"   // two tables become one, and do not fit
	codeLimit    pipeline.Code = "TRANSFORM_LIMIT"    // a bound of a step
	codeRoute    pipeline.Code = "TRANSFORM_ROUTE"    // a row that goes nowhere
	codeOutbox   pipeline.Code = "TRANSFORM_OUTBOX"   // an event that changed
	codeScript   pipeline.Code = "TRANSFORM_SCRIPT"   // a script that is none, or fails
	codeValue    pipeline.Code = "TRANSFORM_VALUE"    // an expression has no value for a row
)

// A rowFault is why a change cannot be transformed. It holds no value of a row.
type rowFault struct {
	code  pipeline.Code
	where string // of the step, in the file
	what  string
	mend  string // empty: whole old rows mend it
	err   error
}

func (f *rowFault) Error() string { return f.what }

// unknown says that a step needs a value that the source did not send.
func unknown(where string, t *schema.Table, column int) error {
	return &rowFault{code: codeUnknown, where: where,
		what: "it needs the value of column " + quote(t.Columns[column].Name) + ", which the source did not send because it did not change"}
}

// oldRow says that a step needs the old row.
func oldRow(where, why string) error {
	return &rowFault{code: codeOldRow, where: where, what: why + ", and the source did not send the old row"}
}

// noValue says that an expression has no value for a row.
func noValue(where string, expr fmt.Stringer, err error) error {
	return &rowFault{code: codeValue, where: where, what: fmt.Sprintf("the expression %s has no value for a row", expr), err: err,
		mend: "guard the expression, as with CASE or NULLIF, or correct the row in the source"}
}

// refusal is the fault as a person reads it; origin is the table as the source
// has it.
func (f *rowFault) refusal(origin *schema.Table, again string) *pipeline.Refusal {
	r := &pipeline.Refusal{Code: f.code, Where: "table " + origin.String(), What: f.what, Mend: f.mend, Err: f.err}
	if f.where != "" {
		r.Where = f.where + ", " + r.Where
	}
	if r.Mend == "" {
		r.Mend = fmt.Sprintf("ALTER TABLE %s.%s REPLICA IDENTITY FULL;", quoteSQL(origin.Schema), quoteSQL(origin.Name))
	}
	if again != "" {
		r.Mend += "\n" + again
	}
	return r
}

func quote(name string) string { return `"` + name + `"` }

func quoteSQL(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// mendColumns lists the columns that there are, if they are not too many.
func mendColumns(t *schema.Table) string {
	var names []string
	for i := range t.Columns {
		if i == 12 {
			names = append(names, "…")
			break
		}
		names = append(names, t.Columns[i].Name)
	}
	return "there are " + strings.Join(names, ", ") + "; name the tables that the step is for with tables:"
}
