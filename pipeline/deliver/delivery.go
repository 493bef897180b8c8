package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
)

// A Delivery is one sink: a stage from its topics to its system, made anew after
// each failure, and a target that is filled anew when it has to be.
//
//	Run: ┌─► target, source ─► stage ──── fails ────► its caller, who tries again
//	     └── Renew on a new target ◄── a Renewal
//
// Run is called by one goroutine, again after each error; the rest may be called
// by any.
type Delivery struct {
	Config
	display  display
	follower *intake.Follower
	news     chan struct{} // for the source; capacity 1
	renewed  bool          // and was not whole since; owned by Run
	pauses   atomic.Int32  // who wants the sink to rest

	mu        sync.Mutex
	follows   bool // the follower runs
	closed    bool
	stop      context.CancelFunc // of the follower
	following sync.WaitGroup
}

// New makes a delivery; nothing happens before Run.
func New(c Config) *Delivery {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rejects == nil {
		c.Rejects = Stop{}
	}
	if c.Holding == nil {
		c.Holding = func(context.Context, string) error { return nil }
	}
	c.Limits = c.Limits.withDefaults()
	d := &Delivery{Config: c, news: make(chan struct{}, 1), display: display{now: c.Now, moved: make(chan struct{}), positions: c.positions}}
	plant(&d.Config) // wrong orders of the steps, in test builds
	d.follower = &intake.Follower{Log: c.Log, Of: c.Of, Source: c.Owner, Topic: log.FrontierTopic(c.Deployment, c.Owner), Topics: c.Topics, State: c.Positions != nil,
		Known: d.display.knows, Moved: d.sawNews}
	return d
}

// positions gives where each source is at a cut.
func (c *Config) positions(f *log.Frontier) map[string]string {
	if c.Positions == nil {
		return map[string]string{c.Owner: f.Resume.At.Native}
	}
	all, err := c.Positions(f)
	if err != nil {
		return nil // it is not known
	}
	return all
}

// Run delivers until ctx ends (its cause) or something fails. After an error
// nothing is lost: the next Run believes the target (I1, I10).
func (d *Delivery) Run(ctx context.Context) error {
	for fresh := false; ; fresh = true {
		d.follow()
		err := d.once(ctx, fresh)
		var r *Renewal
		if !errors.As(err, &r) {
			return err
		}
		if err := d.renew(ctx, r); err != nil {
			return err
		}
	}
}

// once is one life of the stage; fresh says that the target was just given up.
func (d *Delivery) once(ctx context.Context, fresh bool) error {
	target, err := d.Target()
	if err != nil {
		return fmt.Errorf("make the target of sink %s: %w", d.Name, err)
	}
	var transforms []pipeline.Transform
	if d.Transforms != nil {
		if transforms, err = d.Transforms(d.Rejects); err != nil {
			return errors.Join(err, target.Close())
		}
	}
	source := &Source{Config: &d.Config, follower: d.follower, moved: d.news, display: &d.display, paused: d.rests, fresh: fresh}
	if d.OldRows != nil {
		transforms = append(transforms, halving{source})
	}
	stage := pipeline.Stage{
		Source: source, Transforms: transforms, Sink: target, Limits: d.Limits.stage(), Now: d.Now,
		Events: pipeline.Events{Opened: d.opened, Committed: d.committed},
	}
	return stage.Run(ctx)
}

// renew gives up what the target holds. A second time, with nothing whole between,
// is for a person, unless the topic is what moved: it would go on for ever.
func (d *Delivery) renew(ctx context.Context, r *Renewal) error {
	if d.renewed && !r.moved {
		d.renewed = false // whoever starts it again wants another try
		return d.tooManyRenewals(r.Why)
	}
	if d.Events.Renewing != nil && !r.quiet {
		d.Events.Renewing(r.Why)
	}
	target, err := d.Target()
	if err != nil {
		return fmt.Errorf("make the target of sink %s: %w", d.Name, err)
	}
	err = target.Renew(ctx)
	if err := errors.Join(err, target.Close()); err != nil {
		return fmt.Errorf("begin sink %s anew: %w", d.Name, err)
	}
	d.renewed = d.renewed || !r.moved
	d.display.renewed(r.quiet)
	return nil
}

func (d *Delivery) opened(from pipeline.Resume) {
	has := &standing{}
	if !from.IsZero() {
		has, _ = parseStanding(from.State, d.Topics) // the source has read it
	}
	d.display.opened(has)
	if d.Events.Opened != nil {
		d.Events.Opened(Opening{Filling: !has.whole, At: from.At, Inside: from.Rows})
	}
}

func (d *Delivery) committed(c pipeline.Committed) {
	has, err := parseStanding(c.At.State, d.Topics)
	if err != nil {
		return // it is the source's own
	}
	if has.whole {
		d.renewed = false
	}
	c.Rows -= int(d.display.again.Swap(0))
	filled, tell, p := d.display.committed(has, c)
	if tell && !filled && d.Events.Filling != nil {
		d.Events.Filling(p)
	}
	if filled && d.Events.Filled != nil {
		d.Events.Filled(c.At.At, p)
	}
	if d.Events.Committed != nil {
		d.Events.Committed(c)
	}
}

// follow sees that the frontier is followed, also while the target is away: how
// far the sink is behind is known then.
func (d *Delivery) follow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.follows || d.closed {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	d.follows, d.stop = true, stop
	d.following.Go(func() {
		d.follower.Run(ctx)
		stop()
		d.mu.Lock()
		d.follows = false
		d.mu.Unlock()
	})
}

// sawNews takes in what the follower has read.
func (d *Delivery) sawNews() {
	if r, err := d.follower.Report(); err == nil {
		d.display.written(r)
	}
	d.wake()
}

// wake tells the source that there is something to look at.
func (d *Delivery) wake() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// Status says how the sink is.
func (d *Delivery) Status() Status {
	d.display.mu.Lock()
	defer d.display.mu.Unlock()
	return d.display.status
}

// Moved gives a channel that is closed when Status would give something else than
// now.
func (d *Delivery) Moved() <-chan struct{} {
	d.display.mu.Lock()
	defer d.display.mu.Unlock()
	return d.display.moved
}

// Close ends what follows the frontier; Run has returned.
func (d *Delivery) Close() {
	d.mu.Lock()
	d.closed = true
	if d.stop != nil {
		d.stop()
	}
	d.mu.Unlock()
	d.following.Wait()
}

func (d *Delivery) rests() bool { return d.pauses.Load() > 0 }

// Pause makes the sink read nothing more, from its next place on, until release is
// called.
func (d *Delivery) Pause() (release func()) {
	d.pauses.Add(1)
	d.wake()
	return sync.OnceFunc(func() {
		d.pauses.Add(-1)
		d.wake()
	})
}

// Rest makes the sink stay where it is, at a cut that its target has reached, until
// release is called: nothing more is read, and the cut stays sound on an embedded
// log. It waits for that until ctx ends. A sink that has no cut yet goes on to its
// first one.
func (d *Delivery) Rest(ctx context.Context) (at Resting, release func(), err error) {
	if err := d.until(ctx, d.display.isWhole); err != nil {
		return Resting{}, nil, err
	}
	release = d.Pause()
	err = d.until(ctx, func() (ok bool) { at, ok = d.display.rests(); return ok })
	if err != nil {
		release()
		return Resting{}, nil, err
	}
	return at, release, nil
}

// until waits until something is so, or for ctx.
func (d *Delivery) until(ctx context.Context, so func() bool) error {
	for {
		moved := d.Moved()
		if so() {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
