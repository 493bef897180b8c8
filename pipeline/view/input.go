package view

import (
	"context"
	"errors"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// An input is a table topic that a plan reads, and how its records are read.
type input struct {
	*dataflow.Input
	place   int
	topic   string
	decoder intake.Decoder
	places  intake.Places
	arena   avro.Arena
	row     schema.Row // of the carried columns

	// missing are the keys of rows whose values lay in a side topic until a newer
	// record replaced them: the epoch has to reach that one.
	missing map[string]bool
}

func (t *Task) newInput(in *dataflow.Input, place int, topic string) *input {
	i := &input{Input: in, place: place, topic: topic, row: make(schema.Row, len(in.Carry)), missing: map[string]bool{}}
	i.places.Last = map[int32]log.Pos{}
	i.decoder = intake.Decoder{Log: t.Log, Registry: t.Registry, Keys: len(in.Key), Map: func(ctx context.Context, _ int, version *schema.Table) (from []int, err error) {
		for _, col := range in.Carry {
			c, err := t.column(ctx, i, version, &in.Table.Columns[col])
			if err != nil {
				return nil, err
			}
			from = append(from, c)
		}
		return from, nil
	}}
	return i
}

// column finds a column of the plan in a version of the table, by name. One that
// came later is NULL in a record from before; one that went, or changed its
// type, stops the view.
func (t *Task) column(ctx context.Context, in *input, version *schema.Table, want *schema.Column) (int, error) {
	i := version.Column(want.Name)
	if i >= 0 {
		if have := &version.Columns[i].Type; !intake.Fits(have, &want.Type) {
			return 0, t.columnChanged(in, want.Name, fmt.Sprintf("it is %s in a record, and the view was made for %s", have.Name, want.Type.Name))
		}
		return i, nil
	}
	_, text, err := t.Registry.Latest(ctx, in.topic+"-value")
	if err != nil {
		return 0, err
	}
	newest, err := avro.ParseCodec("", text)
	if err != nil {
		return 0, intake.Unreadable(err)
	}
	if newest.Table().Column(want.Name) < 0 {
		return 0, t.columnChanged(in, want.Name, "it is gone")
	}
	if !want.Nullable {
		return 0, t.columnChanged(in, want.Name, "it was added without NULLs, and a record from before does not say what it holds")
	}
	return -1, nil
}

func (t *Task) columnChanged(in *input, column, what string) error {
	return &pipeline.Refusal{Code: CodeColumn, Where: fmt.Sprintf("view %s, table %s, column %s", t.Name, in.Table, schema.QuotePart(column)), What: what,
		Mend: "evert check   # whether the query still holds; a restart builds the view for the new columns; or: evert reset " + in.Source + " --resnapshot --yes"}
}

// A delivery takes the records of one fetch to the operators.
type delivery struct {
	task *Task
	run  Epoch
	in   *input
	from int64 // rows below are void
	rows int
}

// take gives one record to the operators.
func (d *delivery) take(ctx context.Context, r *log.Record) error {
	if r.Offset < d.from || d.in.places.IsRepeated(r) {
		return nil
	}
	d.rows++
	d.in.arena.Reset()
	delete(d.in.missing, string(r.Key))
	_, ok, err := d.in.decoder.Row(ctx, r, d.in.row, &d.in.arena)
	switch {
	case errors.Is(err, log.ErrSuperseded):
		d.in.missing[string(r.Key)] = true
		return nil
	case err != nil:
		return d.task.stopped(err)
	case !ok:
		return d.remove(ctx, r)
	}
	return d.run.Upsert(d.in.place, d.in.row)
}

// remove tells the operators that no row has the record's key.
func (d *delivery) remove(ctx context.Context, r *log.Record) error {
	key, err := d.in.decoder.Key(ctx, r, &d.in.arena)
	if err != nil {
		return d.task.stopped(err)
	}
	return d.run.Delete(d.in.place, key)
}
