package transform

import (
	"errors"

	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/schema"
)

// A Project keeps some columns, and computes others: a SELECT list over the row.
type Project struct{ Items []Text }

func (p Project) check() error {
	var all []error
	for _, item := range p.Items {
		if _, err := syntax.ParseItem(item.Text); err != nil {
			all = append(all, item.placed(err))
		}
	}
	return errors.Join(all...)
}

// Bind implements Step.
func (p Project) Bind(t *schema.Table) (Bound, error) {
	var cells []cell
	var faults []error
	for _, item := range p.Items {
		list, err := sql.CompileItem(item.Text, scopeOf(t))
		if err != nil {
			faults = append(faults, item.placed(err))
		}
		for _, x := range list {
			cells = append(cells, computed(compiledExpr(x, t, item.Where), len(t.Columns)))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return newShape(t, cells, p.Items[0])
}
