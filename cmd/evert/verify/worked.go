package verify

import (
	"context"
	"slices"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/schema"
)

// A database that does not speak the SQL of views cannot answer a view's query. There
// the view's rows are compared with what its operators make of the database's rows: all
// of them at once, over an empty state.
//
//	rows of the pin ─► Scan ─► … ─► Output ─► rows of the view
//
// So a row that capture lost, and whatever the view's state took up wrongly over its
// epochs, is found; an operator that is wrong in the same way both times is not.

// workedRows adds those rows.
func (v *comparison) workedRows(ctx context.Context, s dataflow.Sorter, columns *compare.Columns) error {
	p, err := views.Compile(ctx, v.File, v.Registry, v.name)
	if err != nil {
		return err
	}
	pool, err := spill.Open(datadir.SpillPath(v.File.DataDir, "verify-view.tmp"), spill.Options{Memory: int64(v.File.Limits.VerifyBytes), Disk: int64(v.File.Limits.SpillBytes)})
	if err != nil {
		return err
	}
	engine, err := dataflow.New(p.Plan, dataflow.Env{NewSorter: pool.NewSorter, MaxGroup: v.Views.Group})
	if err != nil {
		return err
	}
	epoch, err := engine.Begin(nil, nowhere{})
	if err != nil {
		return err
	}
	defer epoch.Close()
	v.step("reading the database")
	for i := range p.Plan.Inputs {
		if err := v.feed(ctx, epoch, i, &p.Plan.Inputs[i]); err != nil {
			return err
		}
	}
	v.step("working out the view")
	w := &rowWriter{columns: columns, to: s, key: make(schema.Row, len(columns.Key))}
	_, err = epoch.Finish(ctx, func(c dataflow.Change) error {
		v.count()
		return w.add(&databases.Row{Values: c.New})
	})
	return err
}

// feed gives an input the rows of its table.
func (v *comparison) feed(ctx context.Context, epoch *dataflow.Epoch, input int, in *dataflow.Input) error {
	tables, err := v.source.Tables(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(tables, func(t *schema.Table) bool { return t.Schema == in.Table.Schema && t.Name == in.Table.Name })
	if at < 0 {
		return v.refuse("table "+in.Table.String()+" is not one that it captures now", "evert status")
	}
	t := tables[at]
	carry := make([]int, len(in.Carry))
	for i, c := range in.Carry {
		column := &in.Table.Columns[c]
		if carry[i] = t.Column(column.Name); carry[i] < 0 || t.Columns[carry[i]].Type.Kind != column.Type.Kind {
			return v.refuse("column "+column.Name+" of table "+t.String()+" is not what the view reads", "evert verify "+t.String())
		}
	}
	row := make(schema.Row, len(carry))
	return v.pin.Rows(ctx, t, func(r databases.Row) error {
		all, err := r.Row(t)
		if err != nil {
			return err
		}
		for i, c := range carry {
			row[i] = all[c]
		}
		v.count()
		return epoch.Upsert(input, row)
	})
}

// nowhere takes the state of an epoch that nobody goes on from.
type nowhere struct{}

func (nowhere) Put(_, _ []byte) error { return nil }
func (nowhere) Delete(_ []byte) error { return nil }
