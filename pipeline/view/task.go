package view

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

// Config says what a view is and where it lives. All of it is read only.
type Config struct {
	Deployment string
	Name       string
	Plan       *dataflow.Plan
	Hash       string   // of the plan: the version of the view
	Topics     []string // of Plan.Inputs, in their order
	Log        log.Log
	Registry   registry.Registry
	Engine     Engine
	States     States
	Partitions int // of the view's topic; 1 if 0
	Limits     Limits
	Events     Events
	// Generation is the fence of who owns the view; nil where the log has none.
	Generation func() log.Generation
	// Holding tells who else holds the stable end of a topic, as a refusal that
	// passes; nil: nobody.
	Holding func(ctx context.Context, topic string) error
	Now     func() time.Time // time.Now if nil
}

// Limits bound what a view does at once (I9). The zero value of a field takes
// the default.
type Limits struct {
	Interval   time.Duration // an epoch follows at most this often, unless a reader waits; 50 ms
	IdleCommit time.Duration // positions without rows are committed at most this often; 5 s
	Rows       int           // a commit has at most this many rows; 100,000
	Bytes      int           // and this many bytes; 32 MiB
	Timeout    time.Duration // and is open for at most this long: half the transaction timeout; 30 s
	State      int64         // bytes that the state may occupy, whatever compaction has yet to free; 0: without bound
	Patience   time.Duration // how long reading may stand still before is asked who is in the way; 10 s
}

func (l Limits) withDefaults() Limits {
	d := pipeline.DefaultLimits()
	for _, f := range []struct {
		have *time.Duration
		or   time.Duration
	}{{&l.Interval, 50 * time.Millisecond}, {&l.IdleCommit, 5 * time.Second}, {&l.Timeout, d.Timeout}, {&l.Patience, 10 * time.Second}} {
		if *f.have == 0 {
			*f.have = f.or
		}
	}
	if l.Rows == 0 {
		l.Rows = d.Rows
	}
	if l.Bytes == 0 {
		l.Bytes = d.Bytes
	}
	return l
}

// A Task maintains one view. Run is called by one goroutine, again after each
// error; Look may be called by any.
type Task struct {
	Config
	inputs  []*input // by place in the plan
	byTopic map[string]*input
	display display
	waiters *waiters
	place   *place // the state, open from one Run to the next
	cleaned bool   // of earlier versions

	// Of one Run, and owned by its goroutine:
	writer   log.Writer
	rows     *intake.Rows // of all tables
	output   *output
	scouts   map[string]*intake.Follower // by source
	moved    chan struct{}               // a scout has news; capacity 1
	at       Vector                      // what the state holds, and idle sources beyond it; nil in an empty state
	own      log.Frontier                // the view's newest frontier record; Number is that of the next if fresh
	fresh    bool                        // there is none yet
	said     Vector                      // of own when it was read
	terms    []term                      // of own
	entered  bool                        // the last of them is of this Run
	told     *told                       // what the topic says and the state may not know; nil: nothing
	began    time.Time                   // when the last epoch did
	took     time.Duration               // and how long it took until it was shown
	recorded time.Time                   // when the last commit was made
}

// New makes a task; nothing happens before Run.
func New(c Config) *Task {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Holding == nil {
		c.Holding = func(context.Context, string) error { return nil }
	}
	c.Limits = c.Limits.withDefaults()
	c.Partitions = max(c.Partitions, 1)
	plant(&c) // wrong orders of the steps, in test builds
	t := &Task{Config: c, byTopic: map[string]*input{}, display: newDisplay(), waiters: newWaiters()}
	for i := range c.Plan.Inputs {
		in := t.newInput(&c.Plan.Inputs[i], i, c.Topics[i])
		t.inputs = append(t.inputs, in)
		t.byTopic[in.topic] = in
	}
	return t
}

// Run maintains the view until ctx ends (its cause) or something fails. After an
// error nothing is lost: the next Run believes the log (I1, I10). What the view
// shows, it shows on meanwhile.
func (t *Task) Run(ctx context.Context) error {
	for {
		err := t.once(ctx)
		if !errors.Is(err, errRebuild) {
			return err
		}
		if err := t.throwAway(ctx); err != nil {
			return fmt.Errorf("remove the state of view %s: %w", t.Name, err)
		}
	}
}

// once is one life of the view. A state that cannot be trusted, or cannot go on, is given
// up; the error stands, and whoever calls again opens another.
func (t *Task) once(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	err := t.live(ctx, stop)
	err = errors.Join(err, t.end())
	switch {
	case errors.Is(err, ErrDamaged):
		return t.damaged(ctx, err)
	case errors.Is(err, ErrDead):
		if left := t.vacate(ctx); !errors.Is(left, ErrDead) {
			err = errors.Join(err, left)
		}
	}
	return err
}

// live is the straight line of a view: take up the state, then an epoch after
// the other.
func (t *Task) live(ctx context.Context, stop context.CancelFunc) error {
	if err := t.openState(); err != nil { // first: when open refuses, an earlier version is shown
		return err
	}
	if err := t.open(ctx); err != nil {
		return err
	}
	if err := t.takeUp(ctx); err != nil {
		return err
	}
	defer t.scout(ctx)()
	defer stop() // before the scouts are waited for
	for {
		if n := t.place.state.Bytes(); t.Limits.State > 0 && n > t.Limits.State {
			return t.stateTooLarge(n)
		}
		next, err := t.await(ctx)
		if err != nil {
			return err
		}
		if err := t.step(ctx, next); err != nil {
			return err
		}
	}
}

// step brings the view to a later vector.
func (t *Task) step(ctx context.Context, next target) error {
	t.began = t.Now()
	defer func() { t.took = t.Now().Sub(t.began) }()
	if t.isIdle(next.cuts) {
		return t.drift(next.cuts)
	}
	batch, err := t.place.state.Begin()
	if err != nil {
		return err
	}
	defer batch.Discard()
	e := epoch{Task: t, batch: batch}
	if err := e.compute(ctx, next); err != nil {
		return err
	}
	if err := e.commit(ctx); err != nil {
		return err
	}
	return e.apply()
}

// isIdle reports whether next says only that sources moved on, which need not be
// committed yet.
func (t *Task) isIdle(next Vector) bool {
	return t.at != nil && t.told == nil && !t.rowsMoved(next) && t.Now().Sub(t.recorded) < t.Limits.IdleCommit
}

// drift shows positions at which the result is what it was.
func (t *Task) drift(next Vector) error {
	t.at = next
	t.display.drift(next, t.Now())
	t.display.behind(Behind{}, t.Now())
	if t.Events.Drifted != nil {
		t.Events.Drifted(t.display.shown)
	}
	return nil
}

// end frees what one life made.
func (t *Task) end() error {
	var err error
	if t.told != nil {
		err = t.told.sorter.Close()
	}
	if t.rows != nil {
		err = errors.Join(err, t.rows.Close())
	}
	if t.writer != nil {
		err = errors.Join(err, t.writer.Close())
	}
	t.told, t.rows, t.writer = nil, nil, nil
	if err != nil {
		return fmt.Errorf("close view %s: %w", t.Name, err)
	}
	return nil
}

// Close ends what the view shows. Run has returned; looks may be open, and the
// state is closed with the last of them.
func (t *Task) Close() error {
	err := t.leave()
	if before := t.display.hide(); before != nil {
		err = errors.Join(err, t.display.drop(before, true))
	}
	return err
}

// leave gives up the state.
func (t *Task) leave() error {
	if t.place == nil {
		return nil
	}
	p := t.place
	t.place = nil
	return t.display.drop(p, true)
}
