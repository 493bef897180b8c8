package transform

import (
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A DropUnchanged leaves out updates that change none of its columns. One whose
// old row is not known may have changed them, and passes; so do changes of key,
// and all that are no updates. A value that the source did not send did not
// change.
type DropUnchanged struct{ Columns []Text } // empty: all

// Bind implements Step.
func (d DropUnchanged) Bind(t *schema.Table) (Bound, error) {
	b := &unchanged{t: t}
	for _, c := range d.Columns {
		i, err := c.column(t)
		if err != nil {
			return nil, err
		}
		b.columns = append(b.columns, i)
	}
	for i := range t.Columns {
		if len(d.Columns) == 0 {
			b.columns = append(b.columns, i)
		}
	}
	return b, nil
}

type unchanged struct {
	t       *schema.Table
	columns []int
}

// Tables implements Bound.
func (u *unchanged) Tables() []*schema.Table { return []*schema.Table{u.t} }

// Apply implements Bound.
func (u *unchanged) Apply(c *pipeline.Change, out *Out) error {
	if c.Op == pipeline.Update && !out.keeps() && c.Before != nil && !c.KeyChanged() {
		if same, err := u.same(c); same || err != nil {
			return err
		}
	}
	return out.emit(c)
}

func (u *unchanged) same(c *pipeline.Change) (same bool, err error) {
	for _, i := range u.columns {
		before, after := c.Before[i], c.After[i]
		switch {
		case !after.IsKnown():
			continue
		case asideOf(c, true, i) != nil || asideOf(c, false, i) != nil:
			same, err = sameAside(c, i)
		default:
			same = before.Identical(after)
		}
		if !same || err != nil {
			return false, err
		}
	}
	return true, nil
}
