package view

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
)

// epoch is one step of a view, from its vector to a later one.
type epoch struct {
	*Task
	batch Batch
	next  Vector
	own   log.Frontier // what the view's frontier says after it
	terms []term       // of own
	in    int64        // rows read
	out   int64        // rows changed
}

// reader reads the state of before; an empty one is not read at all.
func (e *epoch) reader() dataflow.Reader {
	if e.at == nil {
		return nil
	}
	return e.batch
}

// compute reads the rows up to next, or to a later vector if that one did not
// stay sound, and appends what they change of the result to the view's topic.
func (e *epoch) compute(ctx context.Context, next target) error {
	run, err := e.Engine.Begin(e.reader(), e.bounded())
	if err != nil {
		return err
	}
	defer run.Close()
	if err := e.gather(ctx, run, next); err != nil {
		return err
	}
	e.own = e.Task.own.Clone()
	if !e.fresh {
		e.own.Number++
	}
	e.output.begin(&e.own)
	if e.Events.Begun != nil {
		e.Events.Begun()
	}
	if e.told != nil {
		maps.Copy(e.own.Offsets, e.told.ends)
		return e.compare(ctx, run)
	}
	return run.Finish(ctx, func(c dataflow.Change) error {
		e.changed(c)
		return e.emit(ctx, c)
	})
}

// changed tells of a changed row; what fills an empty state is no change.
func (e *epoch) changed(c dataflow.Change) {
	if e.Events.Changed != nil && e.at != nil {
		e.Events.Changed(c)
	}
}

// gather reads up to next. A cut can cease to be sound while it is read, on a
// log that compacts by age; then the rows up to a later one belong to the epoch.
func (e *epoch) gather(ctx context.Context, run Epoch, next target) error {
	had := e.at
	for {
		if err := e.clear(run, had, next.cuts); err != nil {
			return err
		}
		if err := e.readTo(ctx, run, next.cuts); err != nil {
			return err
		}
		e.next = next.cuts
		if ok, err := e.isSound(ctx, next); err != nil || ok && !e.lacks() {
			return err
		}
		had = next.cuts
		var err error
		if next, err = e.await(ctx); err != nil {
			return err
		}
	}
}

// clear empties the inputs whose rows became void.
func (e *epoch) clear(run Epoch, had, has Vector) error {
	for _, in := range e.inputs {
		before, ok := had[in.Source]
		if !ok || !intake.IsVoid(before.Tables[in.topic], has[in.Source].Tables[in.topic]) {
			continue
		}
		if err := run.Clear(in.place); err != nil {
			return err
		}
	}
	return nil
}

// lacks reports whether a row's values were replaced by a record that the epoch
// has not read.
func (e *epoch) lacks() bool {
	for _, in := range e.inputs {
		if len(in.missing) > 0 {
			return true
		}
	}
	return false
}

// readBatch is how many records are asked for at once.
const readBatch = 4000

// readTo gives the rows below next to the operators.
func (e *epoch) readTo(ctx context.Context, run Epoch, next Vector) error {
	e.display.reading(e.at == nil, e.at.Offsets(), next.Offsets(), e.Now())
	for {
		f, err := e.rows.Next(ctx, readBatch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return e.stopped(err)
		}
		in := e.byTopic[f.Topic]
		state := next[in.Source].Tables[in.topic]
		d := delivery{task: e.Task, run: run, in: in, from: state.From[f.Partition]}
		in.places.Incarnation, in.places.Since = next[in.Source].Incarnation, 0
		if had := e.at[in.Source]; had.Incarnation == in.places.Incarnation {
			in.places.Since = had.Resume.At.Seq
			d.from = intake.Counts(had.Tables[in.topic], state)[f.Partition]
		}
		for i := range f.Records {
			if err := d.take(ctx, &f.Records[i]); err != nil {
				return err
			}
		}
		e.in += int64(d.rows)
		if p, tell := e.display.read(&f, e.Now()); tell && e.Events.Reading != nil {
			e.Events.Reading(p)
		}
	}
}

// commit appends the view's frontier record and makes it visible with the rows,
// in one step (I1).
func (e *epoch) commit(ctx context.Context) error {
	if err := e.output.flush(ctx, e.writer); err != nil {
		return err
	}
	touched, err := e.writer.Flush(ctx)
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	e.output.touch(touched)
	for tp, next := range e.output.ends {
		e.own.Offsets[tp] = next
	}
	if e.terms = e.Task.terms; !e.entered {
		e.terms = follow(e.terms, newTerm(e.own.Number))
	}
	e.own.Resume = pipeline.Resume{At: pipeline.Position{Seq: e.own.Number + 1, Native: e.next.String()}, State: e.next.append(nil, e.terms)}
	e.own.Time = e.next.Time()
	since := &e.Task.own
	if e.fresh {
		since = nil
	}
	tp := log.TopicPartition{Topic: e.frontierTopic()}
	r := log.Record{TopicPartition: tp, Key: e.own.Key(), Value: e.own.AppendRecord(nil, since)}
	if err := e.writer.Append(ctx, r); err != nil {
		return fmt.Errorf("append to %s: %w", tp, err)
	}
	return e.writer.Commit(ctx, e.fence())
}

// fence is the generation of who owns the view, which holds the partition of its
// frontier and nothing else; what the epoch consumed stands in the frontier record.
func (e *epoch) fence() *log.Inputs {
	if e.Generation == nil {
		return nil
	}
	return &log.Inputs{Generation: e.Generation(), Offsets: log.Offsets{{Topic: e.frontierTopic()}: int64(e.own.Number)}}
}

// apply takes the epoch into the state, which the log has, and shows it.
func (e *epoch) apply() error {
	t := e.Task
	anew := e.at == nil
	t.own, t.fresh, t.recorded, t.at = e.own, false, e.Now(), e.next
	t.terms, t.entered = e.terms, true
	shown := Shown{Version: e.Hash, Epoch: e.own.Number + 1, At: e.next, Time: e.Now()}
	before, err := t.display.commit(t.place, shown, func() error { return e.batch.Commit(e.own.AppendRecord(nil, nil)) })
	if err != nil {
		return fmt.Errorf("apply epoch %d to the state: %w", e.own.Number, err)
	}
	if e.told != nil {
		err = t.told.sorter.Close()
		t.told = nil
	}
	t.display.behind(Behind{}, e.Now())
	t.tell(e, anew)
	return errors.Join(err, t.switched(before))
}
