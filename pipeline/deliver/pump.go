package deliver

import (
	"context"
	"errors"
	"io"
	"slices"
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

	reader *intake.Rows
	feeds  []*feed // one for each topic
	newest intake.Report
	load   *load // that is filled; nil: none

	old        *old              // what the target was given; nil: changes come without, or from nothing
	sorter     dataflow.Sorter   // what the step changes, with old rows; nil: nothing yet
	restored   map[string][]byte // of the record that is read: what lay in side topics
	reads      bool              // it is an entry, that has them
	key, value []byte            // of an entry
}

// open makes the feeds of what was read.
func (p *pump) open() {
	for i, r := range p.at.topics {
		p.feeds = append(p.feeds, p.newFeed(i, r))
	}
}

// of gives the feed of a topic.
func (p *pump) of(topic string) *feed {
	for _, f := range p.feeds {
		if f.topic == topic {
			return f
		}
	}
	return nil
}

// lacks reports whether rows are missing.
func (p *pump) lacks() bool {
	return slices.ContainsFunc(p.feeds, func(f *feed) bool { return len(f.missing) > 0 })
}

// run reads until ctx ends or it cannot go on.
func (p *pump) run(ctx context.Context) error {
	repeats := p.old != nil && p.old.repeats(p.Config)
	if repeats {
		if err := p.stepAgain(); err != nil {
			return err
		}
	}
	p.begun, p.given = p.at.begun(), p.at.cut.Number
	p.open()
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
	if repeats {
		if err := p.repeat(ctx); err != nil {
			return p.stopped(err)
		}
	}
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
	order := p.order(&r.Cut)
	if hold == nil && order == Below {
		hold = &intake.Hold{What: "its topic lies before what was delivered, as after an older log was restored; the sink is filled anew once the view's sources are as far again", Mend: "evert status   # whether a source has stopped, and what mends it"}
	}
	if hold != nil {
		p.hold(p.held(hold))
		return false
	}
	p.hold(nil)
	return !p.at.whole || p.rows > 0 || order == Beside || !sameCut(&r.Cut, &p.at.cut)
}

func (p *pump) hold(why *pipeline.Refusal) {
	if p.display.hold(why) && p.Events.Held != nil {
		p.Events.Held(why)
	}
}

// sameCut reports whether two frontiers are one. An older log that was restored counts on
// from a lower number, and may give one of those that were read to other rows (O16).
func sameCut(a, b *log.Frontier) bool {
	return a.Number == b.Number && a.Incarnation == b.Incarnation && a.Resume.At == b.Resume.At
}

// order tells how a cut of a view stands to what was read.
func (p *pump) order(cut *log.Frontier) Order {
	if p.Compare == nil || !p.begun || cut.Incarnation != p.at.cut.Incarnation {
		return Follows
	}
	order, err := p.Compare(cut, &p.at.cut)
	if err != nil {
		return Beside // what cannot be read is none that was delivered
	}
	return order
}

// take makes a cut the one that is gone to, if what was read is of its history.
func (p *pump) take(ctx context.Context, r *intake.Report) error {
	if p.begun {
		var back *intake.Back
		err := intake.Succeeds(p.Of, &r.Cut, &p.at.cut)
		switch {
		case p.order(&r.Cut) == Beside, p.Compare != nil && errors.As(err, &back):
			return &intake.Anew{Why: "an older log was restored, in which the view went another way", World: true}
		case err != nil:
			return err
		}
		for _, topic := range p.Topics {
			if intake.IsVoid(p.at.cut.Tables[topic], r.Cut.Tables[topic]) {
				return &intake.Anew{Why: "rows that it holds became void: " + p.tableOf(topic) + " was truncated or made anew", World: true}
			}
		}
	}
	p.newest = *r
	return p.assign(ctx)
}

// tableOf names the table of a topic, where there is more than one.
func (p *pump) tableOf(topic string) string {
	if len(p.Topics) == 1 {
		return "the table"
	}
	return "the table of topic " + topic
}

// assign sets the reader to where was read to, once the partitions of the topics are
// known.
func (p *pump) assign(ctx context.Context) error {
	if p.reader != nil {
		return nil
	}
	from := log.Offsets{}
	for _, f := range p.feeds {
		if err := intake.Spreads(ctx, p.Log, f.topic, &p.newest.Cut); err != nil {
			return err
		}
		if err := f.refresh(ctx); err != nil {
			return err
		}
	}
	for tp := range p.newest.Cut.Offsets {
		from[tp] = p.at.next(tp)
	}
	r, err := p.Log.Reader(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	p.reader = &intake.Rows{Reader: r, Topics: p.Topics, Patience: p.Limits.Patience, Holding: p.Holding}
	err = r.Assign(from)
	if errors.Is(err, log.ErrNoTopic) {
		return p.gone(ctx, err)
	}
	return err
}

// gone says which topic is not there any more.
func (p *pump) gone(ctx context.Context, err error) error {
	for _, topic := range p.Topics {
		if infos, asked := p.Log.Admin().Topics(ctx, topic); asked == nil && len(infos) == 0 {
			return &intake.Gone{Topic: topic, What: err.Error()}
		}
	}
	return &intake.Gone{Topic: p.Topics[0], What: err.Error()}
}

// isSound reports whether a step may end at the newest cut. The limits come first:
// on the embedded log they are what keeps the cut sound from then on.
func (p *pump) isSound(ctx context.Context) (bool, error) {
	cut := p.newest.Cut.Offsets
	p.reader.Limit(cut)
	ok, err := p.Log.Admin().Sound(ctx, cut, p.newest.Written)
	if errors.Is(err, log.ErrNoTopic) {
		err = p.gone(ctx, err)
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
		if err := p.readUp(ctx); err != nil {
			return err
		}
		ok, err := p.isSound(ctx)
		if err != nil {
			return err
		}
		if ok && !p.lacks() {
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
		if !p.lacks() {
			return nil // it may be sound again
		}
	}
}

// readBatch is how many records are asked for at once.
const readBatch = 2000

// readUp gives the rows below the newest cut.
func (p *pump) readUp(ctx context.Context) error {
	for _, f := range p.feeds {
		f.begin(&p.newest.Cut, &p.at.cut, p.at.whole)
	}
	for {
		got, err := p.reader.Next(ctx, readBatch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.of(got.Topic).take(ctx, &got); err != nil {
			return err
		}
	}
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
	if p.lacks() || p.Atomic && p.at.whole || p.OldRows != nil {
		return nil
	}
	end := p.at.resume(p.rows)
	return &end
}

// reach gives the end of a step.
func (p *pump) reach(ctx context.Context) error {
	p.at.cut, p.at.whole, p.rows = p.newest.Cut.Clone(), true, 0
	for tp, next := range p.at.cut.Offsets {
		p.at.of(tp.Topic).read[tp.Partition] = next
	}
	p.given, p.recorded = p.at.cut.Number, p.Now()
	end := p.at.resume(0)
	if p.OldRows != nil {
		return p.giveChanged(ctx, &end)
	}
	return p.send(ctx, &end)
}

// send gives the load to the stage, and its end. Every shape is announced before
// that, also of tables without rows.
func (p *pump) send(ctx context.Context, end *pipeline.Resume) error {
	for end != nil && p.untold() > 0 && !p.tellsLast() {
		if err := p.send(ctx, nil); err != nil {
			return err
		}
	}
	if err := p.loads(ctx); err != nil {
		return err
	}
	l := p.load
	p.announce(l)
	l.batch.End, l.batch.At = end, p.newest.Cut.Time
	p.load = nil
	p.ready <- l // there is room for each
	return nil
}

// untold counts the shapes that were not announced.
func (p *pump) untold() (n int) {
	for _, f := range p.feeds {
		if f.tell {
			n++
		}
	}
	return n
}

// tellsLast reports whether the load announces the last shape that was not announced.
func (p *pump) tellsLast() bool {
	return p.untold() == 1 && (p.load == nil || p.announced(p.load) != nil)
}

// announced gives the feed whose shape a load announces; nil if it announces none. The
// load is of one shape.
func (p *pump) announced(l *load) *feed {
	for _, f := range p.feeds {
		if f.tell && (l.table == f.table || len(l.batch.Changes) == 0) {
			return f
		}
	}
	return nil
}

// announce names a shape before its first row.
func (p *pump) announce(l *load) {
	if f := p.announced(l); f != nil {
		l.batch.Tables, l.batch.Topic, f.tell = []*schema.Table{f.table}, f.number, false
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
