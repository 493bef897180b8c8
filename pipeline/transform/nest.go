package transform

import (
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// A Nest puts columns into one object of a column of type jsonb, which stands in
// the place of the first of them. They keep their names in it.
type Nest struct {
	Into    Text
	Columns []Text
}

// Bind implements Step.
func (n Nest) Bind(t *schema.Table) (Bound, error) {
	var from []int
	var args []string
	for _, c := range n.Columns {
		i, err := c.column(t)
		if err != nil {
			return nil, err
		}
		from = append(from, i)
		args = append(args, syntax.QuoteString(c.Text), syntax.Quote(c.Text))
	}
	x, err := sql.CompileExpr("jsonb_build_object("+strings.Join(args, ", ")+")", n.Into.Text, scopeOf(t))
	if err != nil {
		return nil, n.Into.wrong(codeColumn, "the columns cannot be made an object: "+firstFault(err), "leave out columns of types that expressions do not know")
	}
	var cells []cell
	for i := range t.Columns {
		switch {
		case i == slices.Min(from):
			cells = append(cells, computed(compiledExpr(x, t, n.Into.Where), len(t.Columns)))
		case !slices.Contains(from, i):
			cells = append(cells, passOn(t, i))
		}
	}
	return newShape(t, cells, n.Into)
}

// firstFault is what is wrong with a text that we wrote ourselves.
func firstFault(err error) string {
	if list, ok := err.(syntax.Errors); ok && len(list) > 0 {
		return list[0].What
	}
	return err.Error()
}
