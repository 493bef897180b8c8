package view

import (
	"context"
	"errors"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// An input is a table topic that a plan reads, and how its records are read: by
// the schemas they were written with, whatever the table looks like now.
type input struct {
	*dataflow.Input
	place  int
	topic  string
	values map[int]*shape      // by schema id
	keys   map[int]*avro.Codec // by schema id
	arena  avro.Arena
	row    schema.Row        // of the carried columns
	last   map[int32]log.Pos // of the newest streamed row, by partition

	// missing are the keys of rows whose values lay in a side topic until a newer
	// record replaced them: the epoch has to reach that one.
	missing map[string]bool
}

func newInput(in *dataflow.Input, place int, topic string) *input {
	return &input{Input: in, place: place, topic: topic, row: make(schema.Row, len(in.Carry)),
		values: map[int]*shape{}, keys: map[int]*avro.Codec{}, last: map[int32]log.Pos{}, missing: map[string]bool{}}
}

// A shape is a version of the table, as a writer's schema tells it, on its way
// into the carried columns.
type shape struct {
	codec *avro.Codec
	from  []int // the shape's column for each carried one; -1: it had none yet, which is NULL
}

// shape gives the version that a record was written with.
func (t *Task) shape(ctx context.Context, in *input, id int) (*shape, error) {
	if s := in.values[id]; s != nil {
		return s, nil
	}
	text, err := t.Registry.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	codec, err := avro.ParseCodec("", text)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w: %w", id, errUnreadable, err)
	}
	s := &shape{codec: codec}
	for _, col := range in.Carry {
		from, err := t.column(ctx, in, codec.Table(), &in.Table.Columns[col])
		if err != nil {
			return nil, err
		}
		s.from = append(s.from, from)
	}
	in.values[id] = s
	return s, nil
}

var errUnreadable = errors.New("not a schema that is read")

// column finds a column of the plan in a version of the table, by name. One that
// came later is NULL in a record from before; one that went, or changed its
// type, stops the view.
func (t *Task) column(ctx context.Context, in *input, version *schema.Table, want *schema.Column) (int, error) {
	i := version.Column(want.Name)
	if i >= 0 {
		if have := &version.Columns[i].Type; !fits(have, &want.Type) {
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
		return 0, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if newest.Table().Column(want.Name) < 0 {
		return 0, t.columnChanged(in, want.Name, "it is gone")
	}
	if !want.Nullable {
		return 0, t.columnChanged(in, want.Name, "it was added without NULLs, and a record from before does not say what it holds")
	}
	return -1, nil
}

// fits reports whether every value of one type is one of the other, with the
// same meaning.
func fits(have, want *schema.Type) bool {
	if have.Kind != want.Kind || have.Zoned != want.Zoned || have.Opaque != want.Opaque {
		return false
	}
	switch have.Kind {
	case schema.KindInt:
		return have.Bits <= want.Bits
	case schema.KindFloat:
		return have.Bits == want.Bits
	case schema.KindJSON:
		return have.Binary == want.Binary
	case schema.KindArray:
		return fits(have.Elem, want.Elem)
	}
	return true
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
	cut  log.Frontier // that the epoch ends at
	had  log.Frontier // that it began at
	from int64        // rows below are void
	rows int
}

// take gives one record to the operators.
func (d *delivery) take(ctx context.Context, r *log.Record) error {
	if r.Offset < d.from || d.isRepeated(r) {
		return nil
	}
	d.rows++
	d.in.arena.Reset()
	delete(d.in.missing, string(r.Key))
	row, err := d.decode(ctx, r)
	switch {
	case errors.Is(err, log.ErrSuperseded):
		d.in.missing[string(r.Key)] = true
		return nil
	case err != nil:
		return d.refuse(r, err)
	case row == nil:
		return d.remove(ctx, r)
	}
	for i := range row {
		if !row[i].IsKnown() {
			return poison(r, errors.New("a value that the view needs is not in it")) // I5
		}
	}
	return d.task.sqlError(d.run.Upsert(d.in.place, row))
}

// streamedRows is above every row of a transaction: places beyond it belong to
// tombstones that are owed.
const streamedRows = 1 << 62

// isRepeated reports whether the record's row was there before: on a cluster
// without whole transactions a writer that was cut off may have written it again
// (I2). The rows of a snapshot, which are numbered apart, are not looked at.
func (d *delivery) isRepeated(r *log.Record) bool {
	pos, err := log.ParsePos(r.Find(log.PosHeader))
	if err != nil {
		return false // a foreign writer's
	}
	if pos.Incarnation != d.cut.Incarnation {
		return true
	}
	if pos.Seq == 0 || pos.Row >= streamedRows {
		return false
	}
	last := d.in.last[r.Partition]
	if pos.Seq <= d.had.Resume.At.Seq && d.had.Incarnation == pos.Incarnation || pos.Seq < last.Seq || pos.Seq == last.Seq && pos.Row < last.Row {
		return true
	}
	d.in.last[r.Partition] = pos
	return false
}

// decode gives the carried columns of a record; nil if it says that the row is
// gone.
func (d *delivery) decode(ctx context.Context, r *log.Record) (schema.Row, error) {
	if r.Value == nil {
		return nil, nil
	}
	id, body, err := avro.ParseWire(r.Value)
	if err != nil {
		return nil, err
	}
	s, err := d.task.shape(ctx, d.in, id)
	if err != nil {
		return nil, fetching(err)
	}
	e, err := s.codec.DecodeValue(body, &d.in.arena)
	if err != nil || e.After == nil {
		return nil, err
	}
	if err := d.restore(ctx, r, s, e.After); err != nil {
		return nil, fetching(err)
	}
	for i, from := range s.from {
		d.in.row[i] = schema.Null()
		if from >= 0 {
			d.in.row[i] = e.After[from]
		}
	}
	return d.in.row, nil
}

// restore puts values back that lie in a side topic.
func (d *delivery) restore(ctx context.Context, r *log.Record, s *shape, row schema.Row) error {
	if r.Find(log.OffloadHeader) == nil {
		return nil
	}
	whole, err := log.Restore(ctx, d.task.Log, r)
	if err != nil {
		return err
	}
	for name, value := range whole {
		i := s.codec.Table().Column(name)
		if i < 0 {
			continue
		}
		switch row[i].Kind() {
		case schema.KindBytes:
			row[i] = schema.Bytes(value)
		case schema.KindJSON:
			row[i] = schema.JSON(value)
		default:
			row[i] = schema.Text(value)
		}
	}
	return nil
}

// remove tells the operators that no row has the record's key.
func (d *delivery) remove(ctx context.Context, r *log.Record) error {
	id, body, err := avro.ParseWire(r.Key)
	if err != nil {
		return poison(r, err)
	}
	codec, err := d.task.keyCodec(ctx, d.in, id)
	if err != nil {
		return d.refuse(r, fetching(err))
	}
	key, err := codec.DecodeKey(body, &d.in.arena)
	if err != nil {
		return poison(r, err)
	}
	if len(key) != len(d.in.Key) {
		return poison(r, fmt.Errorf("its key has %d columns, and the table's has %d", len(key), len(d.in.Key)))
	}
	return d.task.sqlError(d.run.Delete(d.in.place, key))
}

// keyCodec reads a key alone: its fields are the key's columns, in key order.
func (t *Task) keyCodec(ctx context.Context, in *input, id int) (*avro.Codec, error) {
	if c := in.keys[id]; c != nil {
		return c, nil
	}
	text, err := t.Registry.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := avro.ParseCodec(text, text)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w: %w", id, errUnreadable, err)
	}
	in.keys[id] = c
	return c, nil
}

// errFetching marks what may mend itself: the registry or the log did not answer.
type errFetching struct{ error }

func (e errFetching) Unwrap() error { return e.error }

func fetching(err error) error {
	var r *pipeline.Refusal
	if errors.Is(err, registry.ErrNotFound) || errors.Is(err, errUnreadable) || errors.As(err, &r) {
		return err
	}
	return errFetching{err}
}

// refuse tells a record that cannot be read from a server that does not answer.
func (d *delivery) refuse(r *log.Record, err error) error {
	var passing errFetching
	if errors.As(err, &passing) || pipeline.CodeOf(err) != "" {
		return fmt.Errorf("%s offset %d: %w", r.TopicPartition, r.Offset, err)
	}
	return poison(r, err)
}
