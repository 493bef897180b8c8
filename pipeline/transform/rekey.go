package transform

import (
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A Rekey makes other columns the key. That they identify a row is for who writes
// it to know: rows that share a key replace each other.
//
//	read, create   as it is
//	update         as it is; one that changes the new key is a change of key, which
//	               deletes under the old one and creates under the new one. The new
//	               key's columns must be known of the old row, unless they are part
//	               of the old key as well
//	delete         by the new key, which must be known of the old row
type Rekey struct{ Columns []Text }

// Bind implements Step.
func (r Rekey) Bind(t *schema.Table) (Bound, error) {
	out := *t
	out.Key = nil
	for _, c := range r.Columns {
		i, err := c.column(t)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out.Key, i) {
			return nil, c.wrong(codeColumn, "column "+quote(c.Text)+" stands twice in the key", "name it once")
		}
		out.Key = append(out.Key, i)
	}
	return &rekey{in: t, out: &out, where: r.Columns[0].Where}, nil
}

type rekey struct {
	in, out *schema.Table
	where   string
}

// Tables implements Bound.
func (r *rekey) Tables() []*schema.Table { return []*schema.Table{r.out} }

// Apply implements Bound.
func (r *rekey) Apply(c *pipeline.Change, out *Out) error {
	next := out.change(c)
	next.Table = r.out
	switch c.Op {
	case pipeline.Delete:
		if n, _ := gaps(c.Before, r.out.Key); n > 0 {
			return oldRow(r.where, "a delete needs the columns of the new key")
		}
	case pipeline.Update:
		row, ok := r.old(c, out)
		if !ok {
			return oldRow(r.where, "an update needs the columns of the new key as they were")
		}
		next.Before = row
	}
	return out.emit(next)
}

// old gives the old row of an update with the new key known. A column of the old
// key that was not sent did not change.
func (r *rekey) old(c *pipeline.Change, out *Out) (row schema.Row, ok bool) {
	row = c.Before
	for _, k := range r.out.Key {
		if row != nil && row[k].IsKnown() {
			continue
		}
		if !r.in.IsKey(k) {
			return nil, false
		}
		if row == nil || &row[0] == &c.Before[0] {
			row = oldOf(c, out)
		}
	}
	return row, true
}
