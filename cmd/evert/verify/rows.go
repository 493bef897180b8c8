package verify

import (
	"context"
	"fmt"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/schema"
)

// answeredRows adds the rows of a query.
func (v *comparison) answeredRows(ctx context.Context, s dataflow.Sorter, columns *compare.Columns, database databases.Answerer, sql string) error {
	v.step("reading the database")
	w := &rowWriter{columns: columns, to: s, key: make(schema.Row, len(columns.Key))}
	return database.Answer(ctx, sql, func(texts [][]byte) error {
		v.count()
		return w.add(&databases.Row{Texts: texts})
	})
}

// A rowWriter adds rows of the database to a sorter.
type rowWriter struct {
	columns             *compare.Columns
	to                  dataflow.Sorter
	key                 schema.Row
	bytes, row, scratch []byte
}

func (w *rowWriter) add(r *databases.Row) error {
	if r.Len() != len(w.columns.Columns) {
		return fmt.Errorf("the database gives %d columns, not %d", r.Len(), len(w.columns.Columns))
	}
	for i, c := range w.columns.Key {
		var ok bool
		if w.key[i], ok = r.Value(&w.columns.Columns[c].Type, c); !ok {
			return fmt.Errorf("a key of type %s cannot be compared", w.columns.Columns[c].Type.Name)
		}
	}
	var err error
	if w.row, w.scratch, err = r.AppendCells(w.row[:0], w.columns, w.scratch); err != nil {
		return err
	}
	w.bytes = w.columns.AppendKey(w.bytes[:0], w.key)
	return w.to.Add(w.bytes, w.row)
}
