package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// A pump reads and decodes what lies between two cuts. One goroutine runs it.
type pump struct {
	*Source
	at       *standing // what was read
	rows     uint64    // behind at.cut
	begun    bool      // at.cut says whose history at is of
	given    uint64    // the number of the last cut that was given as a place
	recorded time.Time // when a place was last given

	reader  *intake.Rows
	decoder intake.Decoder
	places  intake.Places
	newest  intake.Report
	table   *schema.Table    // the newest shape, in which rows come
	shapeID int              // of its schema
	tell    bool             // the shape was not announced yet
	tx      *pipeline.Tx     // of the last row
	deleted map[int32][]byte // by partition: the key of the last record, if it was a delete
	load    *load            // that is filled; nil: none

	old        *old              // what the target was given; nil: changes come without, or from nothing
	sorter     dataflow.Sorter   // what the step changes, with old rows; nil: nothing yet
	restored   map[string][]byte // of the record that is read: what lay in side topics
	reads      bool              // it is an entry, that has them
	key, value []byte            // of an entry

	// missing are the keys of rows whose values lay in a side topic until a newer
	// record replaced them: no place lies before that one was read.
	missing map[string]bool
}

// run reads until ctx ends or it cannot go on.
func (p *pump) run(ctx context.Context) error {
	p.begun, p.given = p.at.whole || len(p.at.read) > 0, p.at.cut.Number
	p.missing, p.deleted = map[string]bool{}, map[int32][]byte{}
	p.decoder = intake.Decoder{Log: p.Log, Registry: p.Registry, Map: p.mapTo, Restore: p.restore}
	defer func() {
		p.forgetStep()
		if p.old != nil {
			_ = p.old.Close() // what is damaged says so when it is opened
		}
		if p.reader != nil {
			_ = p.reader.Close()
		}
	}()
	if p.until != nil {
		return p.stopped(p.bounded(ctx))
	}
	p.display.resting(nil)
	defer p.display.resting(nil) // who comes next may go on at once, here or in another process
	for {
		if err := p.await(ctx); err != nil {
			return p.stopped(err)
		}
		if p.isIdle() {
			p.drift()
			continue
		}
		if err := p.step(ctx); err != nil {
			return p.stopped(err)
		}
	}
}

// soundPoll is how often a cut that is not sound is looked at again, should no
// newer one come.
const soundPoll = time.Second

// await waits for a sound cut later than the present one: p.newest.
func (p *pump) await(ctx context.Context) error {
	for {
		r, err := p.follower.Report()
		if err != nil {
			return err
		}
		wait := time.Duration(0)
		if p.mayGo(&r) {
			if err := p.take(ctx, &r); err != nil {
				return err
			}
			ok, err := p.isSound(ctx)
			if ok || err != nil {
				return err
			}
			wait = soundPoll
		}
		if err := p.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// mayGo reports whether there is a later cut to go to.
func (p *pump) mayGo(r *intake.Report) bool {
	if !r.Known {
		return false
	}
	if p.rows == 0 && p.paused() {
		p.display.resting(&rest{p.given, p.newest.Written})
		return false
	}
	p.display.resting(nil)
	hold := r.Held
	if hold == nil && r.Cut.Resume.At.IsZero() {
		hold = &intake.Hold{What: "the copy of its tables is not complete"}
	}
	if hold != nil {
		p.hold(p.held(hold))
		return false
	}
	p.hold(nil)
	return !p.at.whole || p.rows > 0 || r.Cut.Number != p.at.cut.Number || r.Cut.Incarnation != p.at.cut.Incarnation
}

func (p *pump) hold(why *pipeline.Refusal) {
	if p.display.hold(why) && p.Events.Held != nil {
		p.Events.Held(why)
	}
}

// take makes a cut the one that is gone to, if what was read is of its history.
func (p *pump) take(ctx context.Context, r *intake.Report) error {
	if p.begun {
		if err := intake.Succeeds(p.Of, &r.Cut, &p.at.cut); err != nil {
			return err
		}
		if intake.IsVoid(p.at.cut.Tables[p.Topic], r.Cut.Tables[p.Topic]) {
			return &intake.Anew{Why: "rows that it holds became void: the table was truncated or made anew", World: true}
		}
	}
	p.newest = *r
	return p.assign(ctx)
}

// assign sets the reader to where was read to, once the topic's partitions are
// known.
func (p *pump) assign(ctx context.Context) error {
	if p.reader != nil {
		return nil
	}
	if err := intake.Spreads(ctx, p.Log, p.Topic, &p.newest.Cut); err != nil {
		return err
	}
	if err := p.refresh(ctx); err != nil {
		return err
	}
	from := log.Offsets{}
	for tp := range p.newest.Cut.Offsets {
		from[tp] = p.at.read[tp.Partition]
	}
	r, err := p.Log.Reader(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	p.reader = &intake.Rows{Reader: r, Topics: []string{p.Topic}, Patience: p.Limits.Patience, Holding: p.Holding}
	err = r.Assign(from)
	if errors.Is(err, log.ErrNoTopic) {
		return &intake.Gone{Topic: p.Topic, What: err.Error()}
	}
	return err
}

// isSound reports whether a step may end at the newest cut. The limits come first:
// on the embedded log they are what keeps the cut sound from then on.
func (p *pump) isSound(ctx context.Context) (bool, error) {
	cut := p.newest.Cut.Offsets
	p.reader.Limit(cut)
	ok, err := p.Log.Admin().Sound(ctx, cut, p.newest.Written)
	if errors.Is(err, log.ErrNoTopic) {
		err = &intake.Gone{Topic: p.Topic, What: err.Error()}
	}
	return ok, err
}

// sleep waits for news, for at most d if that is not 0.
func (p *pump) sleep(ctx context.Context, d time.Duration) error {
	var due <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-p.moved:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// isIdle reports whether the newest cut says only that the source moved on, which
// need not be committed yet.
func (p *pump) isIdle() bool {
	return p.at.whole && p.rows == 0 && sameRows(&p.at.cut, &p.newest.Cut) && p.Now().Sub(p.recorded) < p.Limits.IdleCommit
}

// drift shows a later position of the same rows.
func (p *pump) drift() {
	later := p.newest.Cut
	p.display.drift(&later, p.given)
	p.at.cut.Number, p.at.cut.Resume, p.at.cut.Time = later.Number, later.Resume, later.Time
}

// step reads up to the newest cut, or to a later one if that did not stay sound,
// and gives what lies between.
func (p *pump) step(ctx context.Context) error {
	if !p.begun {
		p.at.cut, p.begun = p.newest.Cut.Clone(), true
	}
	for {
		if err := p.read(ctx); err != nil {
			return err
		}
		ok, err := p.isSound(ctx)
		if err != nil {
			return err
		}
		if ok && len(p.missing) == 0 {
			return p.reach(ctx)
		}
		if err := p.awaitLater(ctx); err != nil {
			return err
		}
	}
}

// awaitLater waits for a cut beyond the newest one.
func (p *pump) awaitLater(ctx context.Context) error {
	for had := p.newest.Cut.Number; ; {
		if err := p.await(ctx); err != nil || p.newest.Cut.Number != had {
			return err
		}
		if err := p.sleep(ctx, soundPoll); err != nil {
			return err
		}
		if len(p.missing) == 0 {
			return nil // it may be sound again
		}
	}
}

// readBatch is how many records are asked for at once.
const readBatch = 2000

// read gives the rows below the newest cut.
func (p *pump) read(ctx context.Context) error {
	cut := &p.newest.Cut
	from := intake.Counts(p.at.cut.Tables[p.Topic], cut.Tables[p.Topic])
	p.places = intake.Places{Incarnation: cut.Incarnation, Last: p.at.last}
	if p.at.whole {
		p.places.Since = p.at.cut.Resume.At.Seq
	}
	for {
		f, err := p.reader.Next(ctx, readBatch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range f.Records {
			r := &f.Records[i]
			if r.Offset >= from[f.Partition] && !p.places.IsRepeated(r) {
				if err := p.record(ctx, r); err != nil {
					return err
				}
			}
			p.at.read[f.Partition] = r.Offset + 1
		}
		p.at.read[f.Partition] = f.Next
	}
}

// record adds what one record says to the load.
func (p *pump) record(ctx context.Context, r *log.Record) error {
	err := p.add(ctx, r)
	if errors.Is(err, errShape) {
		if err := p.send(ctx, nil); err != nil {
			return err
		}
		err = p.add(ctx, r)
	}
	if err = p.aside(ctx, r, err); err != nil || !p.load.isFull(p.Limits.Bytes/readAhead, p.Limits.Rows) {
		return err
	}
	if len(p.load.batch.Changes) == 0 { // nothing that was decoded is wanted
		p.load.reset()
		return nil
	}
	p.at.read[r.Partition] = r.Offset + 1
	return p.send(ctx, p.inside())
}

// aside asks what becomes of a record that cannot be read (R09); any other error
// is given back.
func (p *pump) aside(ctx context.Context, r *log.Record, err error) error {
	if err == nil {
		return nil
	}
	var poison *intake.Poison
	var why *pipeline.Refusal
	if !errors.As(err, &poison) || !errors.As(p.stopped(err), &why) {
		return err
	}
	return p.Rejects.Reject(ctx, Rejection{Place: Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}, Why: why})
}

// inside is the place that lies here, inside a step; nil where none may.
func (p *pump) inside() *pipeline.Resume {
	if len(p.missing) > 0 || p.Atomic && p.at.whole || p.OldRows != nil {
		return nil
	}
	end := p.at.resume(p.rows)
	return &end
}

// reach gives the end of a step.
func (p *pump) reach(ctx context.Context) error {
	p.at.cut, p.at.whole, p.rows = p.newest.Cut.Clone(), true, 0
	for tp, next := range p.at.cut.Offsets {
		p.at.read[tp.Partition] = next
	}
	p.given, p.recorded = p.at.cut.Number, p.Now()
	end := p.at.resume(0)
	if p.OldRows != nil {
		return p.giveChanged(ctx, &end)
	}
	return p.send(ctx, &end)
}

// send gives the load to the stage, and its end.
func (p *pump) send(ctx context.Context, end *pipeline.Resume) error {
	if err := p.loads(ctx); err != nil {
		return err
	}
	l := p.load
	l.batch.End, l.batch.At = end, p.newest.Cut.Time
	p.announce(l)
	p.load = nil
	p.ready <- l // there is room for each
	return nil
}

// announce names a shape before its first row: the load is of one shape.
func (p *pump) announce(l *load) {
	if p.tell && (l.table == p.table || len(l.batch.Changes) == 0) {
		l.batch.Tables, p.tell = []*schema.Table{p.table}, false
	}
}

// loads takes a free load if there is none.
func (p *pump) loads(ctx context.Context) error {
	if p.load != nil {
		return nil
	}
	select {
	case p.load = <-p.free:
		p.load.reset()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// add decodes a record into the load. It is errShape, with nothing added, when the
// record is of a newer shape than the load.
func (p *pump) add(ctx context.Context, r *log.Record) error {
	if err := p.loads(ctx); err != nil {
		return err
	}
	if len(p.load.batch.Changes) > 0 && p.load.table != p.table {
		return errShape
	}
	delete(p.missing, string(r.Key))
	p.load.batch.Bytes += r.Size() // it lies there, whatever becomes of it
	p.restored = nil
	c, err := p.change(ctx, r)
	switch {
	case errors.Is(err, log.ErrSuperseded):
		p.missing[string(r.Key)] = true
		if len(p.missing) > p.Limits.Missing {
			return p.tooManyMissing(r.Topic)
		}
		return nil
	case err != nil || c.Op == 0:
		return err
	}
	p.rows++
	if p.OldRows != nil {
		p.load.reset()
		return p.gather(r, c.Op == pipeline.Delete)
	}
	p.load.table = p.table
	p.load.batch.Changes = append(p.load.batch.Changes, c)
	return nil
}

// change is what a record says; none if it says again that a row is gone.
func (p *pump) change(ctx context.Context, r *log.Record) (c pipeline.Change, err error) {
	own := p.load.own(r)
	row := p.load.row(len(p.table.Columns))
	e, ok, err := p.decoder.Row(ctx, own, row, &p.load.arena)
	if err != nil {
		return c, err
	}
	c = pipeline.Change{Table: p.table, Op: pipeline.Update, After: row, Offset: uint64(r.Offset), Partition: r.Partition}
	if !ok {
		if r.Value == nil && bytes.Equal(p.deleted[r.Partition], r.Key) && len(r.Key) > 0 {
			return pipeline.Change{}, nil // the tombstone behind its delete
		}
		c.Op, c.After, c.Before = pipeline.Delete, nil, row
		if err := p.keyed(ctx, own, row); err != nil {
			return c, err
		}
	}
	p.deleted[r.Partition] = p.deleted[r.Partition][:0]
	if !ok && r.Value != nil {
		p.deleted[r.Partition] = append(p.deleted[r.Partition], r.Key...)
	}
	pos, _ := log.ParsePos(r.Find(log.PosHeader)) // a foreign writer has none
	c.Tx, c.Row = p.transaction(pos, &e), uint32(pos.Row)
	return c, nil
}

// keyed makes a row that has its key alone.
func (p *pump) keyed(ctx context.Context, r *log.Record, row schema.Row) error {
	key, err := p.decoder.Key(ctx, r, &p.load.arena)
	if err != nil {
		return err
	}
	for i := range row {
		row[i] = schema.Unknown()
	}
	for i, col := range p.table.Key {
		row[col] = key[i]
	}
	return nil
}
