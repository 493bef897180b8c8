package transform

import "github.com/evertdb/evert/schema"

// A Rename gives columns other names: Name is the old one, the text the new one.
// All at once, so that two may swap theirs.
type Rename struct{ Columns []Named }

// Bind implements Step.
func (r Rename) Bind(t *schema.Table) (Bound, error) {
	cells := all(t)
	for _, n := range r.Columns {
		i := t.Column(n.Name)
		if i < 0 {
			return nil, n.wrong(codeColumn, "table "+t.String()+" has no column "+quote(n.Name)+" at this step", mendColumns(t))
		}
		cells[i].column.Name = n.Text.Text
	}
	return newShape(t, cells, r.Columns[0].Text)
}
