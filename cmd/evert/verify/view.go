package verify

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
)

// view compares a view's rows with what its SQL gives in the database, or with what its
// operators make of the database's rows.
func (v *comparison) view(ctx context.Context, shown query.View) error {
	sql, sources, err := databaseSQL(v.File.Views, v.name)
	if err != nil {
		return err
	}
	if len(sources) != 1 {
		return &pipeline.Refusal{Code: codeImpossible, Where: "view " + v.name, What: "it reads " + strconv.Itoa(len(sources)) + " sources, and no one database can answer its query", Mend: "verify its tables"}
	}
	source := sources[0]
	i := slices.IndexFunc(v.Captures, func(c Capture) bool { return c.Name() == source })
	if i < 0 {
		return &pipeline.Refusal{Code: codeImpossible, Where: "view " + v.name, What: "its source is not captured by this daemon", Mend: "evert status"}
	}
	v.capture = v.Captures[i]
	var ok bool
	if v.source, ok = v.capture.Database().(databases.Pinner); !ok {
		return v.refuse("its database gives no snapshot with a known place", "verify its tables")
	}
	if chain, err := steps.OfSource(v.File, source); err != nil || chain != nil {
		return cmp.Or(err, v.refuse("its source masks or transforms rows, so that the database's own are others", "evert verify SCHEMA.TABLE   # compares the tables that the view reads with what the same steps make of the database's rows"))
	}
	if len(v.File.Sources[source].Conditions()) > 0 {
		return v.refuse("snapshot.where leaves rows of its tables out of their copies", "verify the tables that are copied whole")
	}
	v.report.Kind, v.report.Source = "view", source
	var snap query.Snapshot
	err = v.pinned(ctx, func(cut pipeline.Position) error {
		snap, err = v.viewAt(ctx, shown, source, cut)
		return err
	})
	if v.pin != nil {
		defer v.pin.Close()
	}
	if err != nil {
		return err
	}
	defer snap.Close()
	shape := snap.Shape()
	columns, err := compare.NewColumns(shape.Columns, shape.Key, namedKeys)
	if err != nil {
		return err
	}
	there := func(s dataflow.Sorter) error { return v.workedRows(ctx, s, columns) }
	if database, ok := v.pin.(databases.Answerer); ok {
		there = func(s dataflow.Sorter) error { return v.answeredRows(ctx, s, columns, database, sql) }
	}
	return v.compare(columns, there, columns.SameValues, func(s dataflow.Sorter) error { return v.viewRows(s, columns, snap) })
}

// viewAt pins the view's epoch at a cut.
func (v *comparison) viewAt(ctx context.Context, shown query.View, source string, cut pipeline.Position) (query.Snapshot, error) {
	v.step("waiting for the view to come to " + cut.Native)
	snap, err := v.Reads.Snapshot(ctx, v.name, shown, query.Wait{For: []query.Place{{Source: source, Native: cut.Native}}, Timeout: cutPatience})
	if err != nil {
		return nil, err
	}
	if at := snap.Epoch().At[source]; at != cut.Native {
		_ = snap.Close()
		return nil, v.refuse("the view is at "+at+" and capture at "+cut.Native, "try again")
	}
	return snap, nil
}

// viewRows adds the rows of a view.
func (v *comparison) viewRows(s dataflow.Sorter, columns *compare.Columns, snap query.Snapshot) error {
	v.step("reading the view")
	low := []byte{0, 0}
	c, err := snap.Scan(low, tuple.PrefixEnd(nil, low), false)
	if err != nil {
		return err
	}
	defer c.Close()
	return v.addAll(s, columns, c)
}

func (v *comparison) addAll(s dataflow.Sorter, columns *compare.Columns, c dataflow.Cursor) error {
	var row schema.Row
	var bytes, text, scratch []byte
	key := make(schema.Row, len(columns.Key))
	for c.Next() {
		var err error
		if row, err = tuple.ReadRow(c.Value(), row); err != nil {
			return err
		}
		for i, k := range columns.Key {
			key[i] = row[k]
		}
		text = text[:0]
		for i := range row {
			text, scratch = columns.AppendValue(text, &columns.Columns[i].Type, row[i], scratch)
		}
		bytes = columns.AppendKey(bytes[:0], key)
		v.count()
		if err := s.Add(bytes, text); err != nil {
			return err
		}
	}
	return c.Err()
}
