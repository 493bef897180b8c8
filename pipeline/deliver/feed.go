package deliver

import (
	"bytes"
	"context"
	"errors"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// A feed is one topic of a pump: how far it was read, and the shape in which its rows
// come. The goroutine of the pump uses it.
type feed struct {
	*pump
	*reading
	number  uint16 // among the sink's topics
	decoder intake.Decoder
	places  intake.Places
	from    []int64          // by partition: below, rows do not count
	table   *schema.Table    // the newest shape, in which rows come
	shapeID int              // of its schema
	tell    bool             // the shape was not announced yet
	tx      *pipeline.Tx     // of the last row
	deleted map[int32][]byte // by partition: the key of the last record, if it was a delete

	// missing are the keys of rows whose values lay in a side topic until a newer
	// record replaced them: no place lies before that one was read.
	missing map[string]bool
}

// newFeed is the feed of a topic that was read so far.
func (p *pump) newFeed(number int, at *reading) *feed {
	f := &feed{pump: p, reading: at, number: uint16(number), missing: map[string]bool{}, deleted: map[int32][]byte{}}
	f.decoder = intake.Decoder{Log: p.Log, Registry: p.Registry, Map: f.mapTo, Restore: p.restore}
	return f
}

// begin makes ready for the rows below a cut, behind an earlier one.
func (f *feed) begin(cut, since *log.Frontier, whole bool) {
	f.from = intake.Counts(since.Tables[f.topic], cut.Tables[f.topic])
	if cut.Tables[f.topic].Append {
		f.from = make([]int64, len(f.from)) // nothing that it holds is void
	}
	f.places = intake.Places{Incarnation: cut.Incarnation, Last: f.last}
	if whole {
		f.places.Since = since.Resume.At.Seq
	}
}

// take gives what some records say.
func (f *feed) take(ctx context.Context, got *log.Fetch) error {
	for i := range got.Records {
		r := &got.Records[i]
		if r.Offset >= f.from[got.Partition] && !f.places.IsRepeated(r) {
			if err := f.record(ctx, r); err != nil {
				return err
			}
		}
		f.read[got.Partition] = r.Offset + 1
	}
	f.read[got.Partition] = got.Next
	return nil
}

// record adds what one record says to the load.
func (f *feed) record(ctx context.Context, r *log.Record) error {
	err := f.add(ctx, r)
	if errors.Is(err, errShape) {
		if err := f.send(ctx, nil); err != nil {
			return err
		}
		err = f.add(ctx, r)
	}
	if err = f.aside(ctx, r, err); err != nil || !f.load.isFull(f.Limits.Bytes/readAhead, f.Limits.Rows) {
		return err
	}
	if len(f.load.batch.Changes) == 0 { // nothing that was decoded is wanted
		f.load.reset()
		return nil
	}
	f.read[r.Partition] = r.Offset + 1
	return f.send(ctx, f.inside())
}

// add decodes a record into the load. It is errShape, with nothing added, when the
// record is of a newer shape than the load, or of another topic.
func (f *feed) add(ctx context.Context, r *log.Record) error {
	if err := f.loads(ctx); err != nil {
		return err
	}
	if len(f.load.batch.Changes) > 0 && f.load.table != f.table {
		return errShape
	}
	delete(f.missing, string(r.Key))
	f.load.batch.Bytes += r.Size() // it lies there, whatever becomes of it
	f.restored = nil
	c, err := f.change(ctx, r)
	switch {
	case errors.Is(err, log.ErrSuperseded):
		f.missing[string(r.Key)] = true
		if len(f.missing) > f.Limits.Missing {
			return f.tooManyMissing(r.Topic)
		}
		return nil
	case err != nil || c.Op == 0:
		return err
	}
	f.rows++
	if f.OldRows != nil {
		f.load.reset()
		return f.gather(f.number, r, c.Op == pipeline.Delete)
	}
	f.load.hold(f, c)
	return nil
}

// change is what a record says; none if it says again that a row is gone.
func (f *feed) change(ctx context.Context, r *log.Record) (c pipeline.Change, err error) {
	own := f.load.own(r)
	row := f.load.row(len(f.table.Columns))
	e, ok, err := f.decoder.Row(ctx, own, row, &f.load.arena)
	if err != nil {
		return c, err
	}
	c = pipeline.Change{Table: f.table, Op: pipeline.Update, After: row, Offset: uint64(r.Offset), Topic: f.number, Partition: r.Partition}
	if !ok && e.Op == truncated {
		c.Op, c.After = pipeline.Truncate, nil
	} else if !ok {
		if r.Value == nil && bytes.Equal(f.deleted[r.Partition], r.Key) && len(r.Key) > 0 {
			return pipeline.Change{}, nil // the tombstone behind its delete
		}
		c.Op, c.After, c.Before = pipeline.Delete, nil, row
		if err := f.keyed(ctx, own, row); err != nil {
			return c, err
		}
	}
	f.deleted[r.Partition] = f.deleted[r.Partition][:0]
	if c.Op == pipeline.Delete && r.Value != nil {
		f.deleted[r.Partition] = append(f.deleted[r.Partition], r.Key...)
	}
	pos, _ := log.ParsePos(r.Find(log.PosHeader)) // a foreign writer has none
	c.Tx, c.Row = f.transaction(pos, &e), uint32(pos.Row)
	return c, nil
}

// truncated is the operation of the record that says of an append-only topic's table
// that it was emptied.
const truncated = 't'

// keyed makes a row that has its key alone.
func (f *feed) keyed(ctx context.Context, r *log.Record, row schema.Row) error {
	key, err := f.decoder.Key(ctx, r, &f.load.arena)
	if err != nil {
		return err
	}
	for i := range row {
		row[i] = schema.Unknown()
	}
	for i, col := range f.table.Key {
		row[col] = key[i]
	}
	return nil
}

// transaction gives the Tx of a row.
func (f *feed) transaction(pos log.Pos, e *avro.Event) *pipeline.Tx {
	if f.tx != nil && pos.Seq > 0 && f.tx.Position.Seq == pos.Seq && f.tx.Incarnation == pos.Incarnation {
		return f.tx
	}
	t := pipeline.Tx{Position: pipeline.Position{Seq: pos.Seq}, Incarnation: pos.Incarnation}
	if o := e.Origin; o != nil {
		t.ID, t.Commit, t.At = o.Postgres.TxID, o.Postgres.CommitLSN, o.At
	}
	if f.tx != nil && *f.tx == t {
		return f.tx
	}
	f.tx = &t
	return f.tx
}
