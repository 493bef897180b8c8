package transform

import (
	"errors"

	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
)

// A Map computes columns: one that is there is replaced, another is added behind
// the rest. The expressions see the row as it was before the step.
type Map struct{ Columns []Named }

// A Named is a text by the name of a column.
type Named struct {
	Name string
	Text
}

func (m Map) check() error {
	var all []error
	for _, n := range m.Columns {
		all = append(all, checkExpr(n.Text))
	}
	return errors.Join(all...)
}

// Bind implements Step.
func (m Map) Bind(t *schema.Table) (Bound, error) {
	cells := all(t)
	var faults []error
	for _, n := range m.Columns {
		x, err := sql.CompileExpr(n.Text.Text, n.Name, scopeOf(t))
		if err != nil {
			faults = append(faults, n.placed(err))
			continue
		}
		made := computed(compiledExpr(x, t, n.Where), len(t.Columns))
		if i := t.Column(n.Name); i >= 0 {
			cells[i] = made
		} else {
			cells = append(cells, made)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return newShape(t, cells, m.Columns[0].Text)
}
