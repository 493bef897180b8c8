package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
)

// takeUp finds out what the open state is worth:
//
//	                    ┌─ nothing, or of another history, or ahead ─► hydrate: said = the whole topic
//	state's progress ───┤
//	                    └─ of this history ─► go on: said = the topic behind it; nothing, as a rule
func (t *Task) takeUp(ctx context.Context) error {
	infos, err := t.Log.Admin().Topics(ctx, t.output.topic)
	if err != nil {
		return err
	}
	if len(infos) == 0 {
		return t.topicReplaced("it is gone")
	}
	at, from, why := t.judge(ctx)
	if why != "" && t.place.state.Progress() != nil {
		return t.rebuild(why)
	}
	t.at, t.recorded = at, t.Now()
	if err := t.listen(ctx, from, infos[0].Ends); err != nil {
		return err
	}
	if err := t.showState(); err != nil {
		return err
	}
	t.opened(why)
	return nil
}

// openState opens the state, unless it is from the Run before. One that is empty
// leaves the stage to an earlier version for now.
func (t *Task) openState() error {
	if t.place == nil {
		s, err := t.States.Open(t.Hash)
		if err != nil {
			return fmt.Errorf("open the state of view %s: %w", t.Name, err)
		}
		t.place = &place{state: s}
	}
	if t.place.state.Progress() == nil && !t.display.isShowing() {
		t.showOld()
	}
	return nil
}

// showState shows what the state holds: it may lie behind the view's topic, and
// says so.
func (t *Task) showState() error {
	if t.at == nil {
		t.display.hydrating()
		return nil
	}
	had, err := log.ParseFrontier(t.place.state.Progress())
	if err != nil {
		return err
	}
	shown := Shown{Version: t.Hash, Epoch: had.Number + 1, At: t.at, Time: t.Now()}
	before, err := t.display.commit(t.place, shown, func() error { return nil })
	if t.Events.Showing != nil {
		t.Events.Showing(shown)
	}
	return errors.Join(err, t.switched(before))
}

// judge reads the state's progress, which is the frontier record that it was
// committed with: how far its inputs were read, and where the view's topic ended.
// It gives why it is of no use, if it is not.
func (t *Task) judge(ctx context.Context) (at Vector, from log.Offsets, why string) {
	progress := t.place.state.Progress()
	if progress == nil {
		return nil, nil, "there is none yet"
	}
	had, err := log.ParseFrontier(progress)
	if err != nil {
		return nil, nil, "its progress cannot be read"
	}
	switch {
	case t.fresh || had.Incarnation != t.own.Incarnation:
		return nil, nil, "it is of another history of the view's topic"
	case had.Number > t.own.Number:
		return nil, nil, fmt.Sprintf("it is of epoch %d, and the log ends at %d", had.Number, t.own.Number)
	}
	if at, err = parseVector(had.Resume.State); err != nil {
		return nil, nil, "its progress cannot be read"
	}
	if !t.isOfPlan(at) {
		return nil, nil, "its sources or tables are not those of the view"
	}
	if t.isForgotten(ctx, at) {
		return nil, nil, "it is older than its topics keep tombstones"
	}
	return at, had.Offsets, ""
}

// isOfPlan reports whether a vector speaks of every input.
func (t *Task) isOfPlan(at Vector) bool {
	return !slices.ContainsFunc(t.inputs, func(in *input) bool {
		_, ok := at[in.Source].Tables[in.topic]
		return !ok
	})
}

// isForgotten reports whether tombstones that the state has not seen may be gone
// from a topic (K17).
func (t *Task) isForgotten(ctx context.Context, at Vector) bool {
	return slices.ContainsFunc(t.inputs, func(in *input) bool {
		cut := at[in.Source]
		return intake.Forgets(ctx, t.Log, in.topic, &cut, t.Now())
	})
}

// rebuild is an error that makes Run begin again with an empty state.
func (t *Task) rebuild(why string) error {
	if t.Events.Rebuilding != nil {
		t.Events.Rebuilding(why)
	}
	return fmt.Errorf("view %s: %s: %w", t.Name, why, errRebuild)
}

// throwAway removes the state, once nobody looks at it.
func (t *Task) throwAway(ctx context.Context) error {
	if err := t.vacate(ctx); err != nil {
		return err
	}
	return t.States.Remove(t.Hash)
}

// vacate hides the state and closes it; whoever looks at it ends first.
func (t *Task) vacate(ctx context.Context) error {
	p := t.place
	if p == nil {
		return nil
	}
	t.place = nil
	closed := make(chan struct{})
	p.gone = func() error { close(closed); return nil }
	t.display.hideOnly(p)
	err := t.display.drop(p, true)
	select {
	case <-closed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// damaged gives up a state that cannot be trusted, which puts it aside: the next
// Run builds it anew (R07). When that was done before, opening is refused.
func (t *Task) damaged(ctx context.Context, cause error) error {
	if t.Events.Damaged != nil {
		t.Events.Damaged(cause)
	}
	if err := t.vacate(ctx); err != nil && !errors.Is(err, ErrDamaged) {
		return errors.Join(cause, err)
	}
	return cause
}

// tell tells of an epoch.
func (t *Task) tell(e *epoch, anew bool) {
	if t.Events.Epoch == nil {
		return
	}
	t.Events.Epoch(Epochal{Shown: t.display.shown, Anew: anew, In: e.in, Out: e.out, Parts: e.output.part + 1,
		Took: t.Now().Sub(t.began), Bytes: t.place.state.Bytes()})
}

// Epochal describes one epoch.
type Epochal struct {
	Shown
	Anew  bool          // all rows came anew, into an empty state
	In    int64         // rows read
	Out   int64         // rows of the result changed
	Parts int           // commits
	Took  time.Duration // from the choice of the cuts to the state
	Bytes int64         // that the state occupies
}
