package view

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
)

// A target is a vector to go to, and when the log took the cut of each source.
type target struct {
	cuts    Vector
	written map[string]time.Time
}

// soundPoll is how often a cut that is not sound is looked at again, should no
// newer one come.
const soundPoll = time.Second

// await waits for a sound vector later than the present one, and for the pace.
func (t *Task) await(ctx context.Context) (target, error) {
	for {
		next, err := t.newest(ctx)
		if err != nil {
			return target{}, err
		}
		wait := time.Duration(0)
		if next.cuts != nil && t.isLater(next.cuts) {
			if wait = t.rest(next.cuts); wait <= 0 {
				ok, err := t.isSound(ctx, next)
				if ok || err != nil {
					return next, err
				}
				wait = soundPoll
			}
		}
		if err := t.sleep(ctx, wait); err != nil {
			return target{}, err
		}
	}
}

// sleep waits for news, for at most d if that is not 0.
func (t *Task) sleep(ctx context.Context, d time.Duration) error {
	var due <-chan time.Time
	news := t.moved
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
		if d < soundPoll && !t.waiters.any() {
			news = nil // the pace is kept, whatever comes
		}
	}
	select {
	case <-due:
	case <-news:
	case <-t.waiters.news:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// newest is the vector of the newest cuts; none while the view is held.
func (t *Task) newest(ctx context.Context) (target, error) {
	next := target{cuts: Vector{}, written: map[string]time.Time{}}
	var held *pipeline.Refusal
	for _, source := range slices.Sorted(maps.Keys(t.scouts)) {
		r, err := t.scouts[source].Report()
		if err != nil {
			return target{}, t.stopped(err)
		}
		if !r.Known {
			return target{}, nil
		}
		if r.Held != nil {
			held = t.held(source, r.Held)
			continue
		}
		if err := t.follows(source, &r.Cut); err != nil {
			return target{}, t.stopped(err)
		}
		next.cuts[source], next.written[source] = r.Cut, r.Written
	}
	t.hold(held)
	if held != nil {
		return target{}, nil
	}
	t.display.behind(t.behind(next.cuts), t.Now())
	return next, t.assign(ctx, next.cuts)
}

// behind counts what lies between the state and a vector.
func (t *Task) behind(next Vector) (b Behind) {
	for source, cut := range next {
		have := t.at[source]
		b.Transactions += cut.Resume.At.Seq - have.Resume.At.Seq
		for tp, end := range cut.Offsets {
			b.Records += end - have.Offsets[tp]
		}
	}
	return b
}

// hold tells once that the view is held, and once that it is no more.
func (t *Task) hold(why *pipeline.Refusal) {
	if t.display.hold(why, t.Now()) && t.Events.Held != nil {
		t.Events.Held(why)
	}
}

// errRebuild says that the state is of an input's earlier life.
var errRebuild = errors.New("the state has to be built anew")

// follows checks a cut against the one the state holds of the source: another
// incarnation begins the view anew, and nothing goes back (R05).
func (t *Task) follows(source string, cut *log.Frontier) error {
	// What the view's topic says binds as much as what the state holds, which may
	// be behind it; but not what it says of an earlier life of the source.
	if said := t.floor(source); said != nil && said.Incarnation == cut.Incarnation {
		if err := intake.Reaches("source "+source, cut, said, "the view has read"); err != nil {
			return err
		}
	}
	have, ok := t.at[source]
	if !ok {
		return nil
	}
	return intake.Succeeds("source "+source, cut, &have)
}

// floor is the cut that the view's topic stood at when it was opened, which any
// state must reach before more is said.
func (t *Task) floor(source string) *log.Frontier {
	if f, ok := t.said[source]; ok {
		return &f
	}
	return nil
}

// isLater reports whether next says more than the state holds.
func (t *Task) isLater(next Vector) bool {
	if t.at == nil || t.told != nil {
		return true
	}
	for source, cut := range next {
		if cut.Number != t.at[source].Number {
			return true
		}
	}
	return false
}

// rowsMoved reports whether a table changed between the present vector and next.
func (t *Task) rowsMoved(next Vector) bool {
	for source, cut := range next {
		have := t.at[source]
		if !maps.Equal(have.Offsets, cut.Offsets) {
			return true
		}
		for topic, state := range cut.Tables {
			if intake.IsVoid(have.Tables[topic], state) {
				return true
			}
		}
	}
	return false
}

// isSound reports whether an epoch may end at next. The limits come first: on the
// embedded log they are what keeps the cut sound from then on.
func (t *Task) isSound(ctx context.Context, next target) (bool, error) {
	t.rows.Limit(next.cuts.Offsets())
	for source, cut := range next.cuts {
		ok, err := t.Log.Admin().Sound(ctx, cut.Offsets, next.written[source])
		if errors.Is(err, log.ErrNoTopic) {
			err = t.inputGone(source, "a table topic of source "+source+" is gone: "+err.Error())
		}
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// assign sets the reader of rows to where the state ends, once the tables of
// next are known.
func (t *Task) assign(ctx context.Context, next Vector) error {
	if t.rows != nil {
		return nil
	}
	for _, in := range t.inputs {
		cut := next[in.Source]
		if err := intake.Spreads(ctx, t.Log, in.topic, &cut); err != nil {
			return t.stopped(err)
		}
	}
	from := log.Offsets{}
	for source, cut := range next {
		for tp := range cut.Offsets {
			from[tp] = t.at[source].Offsets[tp] // 0 where the state holds nothing
		}
	}
	r, err := t.Log.Reader(context.Background())
	if err != nil {
		return err
	}
	if err := r.Assign(from); err != nil {
		r.Close()
		if errors.Is(err, log.ErrNoTopic) {
			return t.inputGone("of a table", err.Error())
		}
		return err
	}
	for _, in := range t.inputs {
		clear(in.places.Last)
		clear(in.missing)
	}
	t.rows = &intake.Rows{Reader: r, Topics: slices.Collect(maps.Keys(t.byTopic)), Patience: t.Limits.Patience, Holding: t.Holding}
	return nil
}
