package verify

import (
	"context"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

// made is a table that is written through masks or transforms: its rows are
// compared with what the same steps make of the database's.
type made struct {
	chain   *transform.Chain
	table   *schema.Table   // that is written
	origins []*schema.Table // whose rows come to it
}

// madeFrom finds which tables of a source come to a topic; nil if none does by a
// step.
func (v *comparison) madeFrom(source, topic string, tables []*schema.Table) (*made, error) {
	chain, err := steps.OfSource(v.File, source)
	if err != nil || chain == nil {
		return nil, err
	}
	m, touched := &made{chain: chain}, false
	for _, t := range tables {
		become, err := chain.Tables(t)
		if err != nil {
			continue // it has stopped, and is not written
		}
		for _, out := range become {
			if log.TableTopic(v.File.Sources[source].TopicPrefix, out.Schema, out.Name) == topic {
				m.table, m.origins = out, append(m.origins, t)
				touched = touched || chain.Touches(t.Schema, t.Name)
			}
		}
	}
	if !touched {
		return nil, nil
	}
	return m, nil
}

// madeRows adds what the steps make of the rows of the database.
func (v *comparison) madeRows(ctx context.Context, s dataflow.Sorter, columns *compare.Columns, m *made) error {
	v.step("reading the database")
	w := &madeWriter{columns: columns, to: s, key: make(schema.Row, len(columns.Key))}
	for _, t := range m.origins {
		err := v.pin.Rows(ctx, t, func(r databases.Row) error {
			c, err := r.Read(t, int(v.File.Limits.ValueBytes))
			if err != nil {
				return err
			}
			b, err := m.chain.Apply(ctx, pipeline.Batch{Changes: []pipeline.Change{c}})
			if err != nil {
				return err
			}
			if len(b.Stopped) > 0 {
				return b.Stopped[0].Why
			}
			v.count()
			return w.add(m.table, b.Changes)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A madeWriter adds rows of one table to a sorter.
type madeWriter struct {
	columns             *compare.Columns
	to                  dataflow.Sorter
	key                 schema.Row
	bytes, row, scratch []byte
}

func (w *madeWriter) add(table *schema.Table, changes []pipeline.Change) (err error) {
	for i := range changes {
		c := &changes[i]
		if c.Table.String() != table.String() {
			continue
		}
		w.row = w.row[:0]
		for n, v := range c.After {
			if a := c.AsideAfter(n); a == nil {
				w.row, w.scratch = w.columns.AppendValue(w.row, &w.columns.Columns[n].Type, v, w.scratch)
				continue
			} else if w.row, err = w.columns.AppendLarge(w.row, &w.columns.Columns[n].Type, a); err != nil {
				return err
			}
		}
		for n, k := range w.columns.Key {
			w.key[n] = c.After[k]
		}
		w.bytes = w.columns.AppendKey(w.bytes[:0], w.key)
		if err := w.to.Add(w.bytes, w.row); err != nil {
			return err
		}
	}
	return nil
}
