package view

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// Shown is what a view shows: one epoch of one version.
type Shown struct {
	Version string // the plan's hash
	Old     bool   // of an earlier definition, while the present one is hydrated
	Epoch   uint64 // from 1; grows over the life of the view's topic
	At      Vector
	Time    time.Time // when it was applied, or last found to hold
}

// A Look is a view as of one epoch. One goroutine uses it at a time, and closes
// it.
type Look struct {
	Shown
	Snapshot
	free func() error
}

// Close frees the look; it may be called again.
func (l *Look) Close() error {
	if l.free == nil {
		return nil
	}
	free := l.free
	l.free = nil
	return errors.Join(l.Snapshot.Close(), free())
}

// A Phase is what a view does.
type Phase uint8

// A view fills its state; follows its sources; or waits, with its last cut, for
// a table that is being copied or has stopped.
const (
	Hydrating Phase = iota
	Following
	Frozen
)

// String gives the phase's name.
func (p Phase) String() string {
	return [...]string{"hydrating", "following", "frozen"}[min(p, Frozen)]
}

// A Status is how a view is, as far as it knows itself.
type Status struct {
	Phase    Phase
	Held     *pipeline.Refusal // why it is frozen
	Progress Progress          // of the epoch that is read; of the hydration
	Shown    *Shown            // nil: nothing can be read
	Behind   Behind            // of what the sources committed
	Read     log.Offsets       // how far the tables were read, also for an epoch that failed
}

// Behind is how much of what the sources committed is not shown yet.
type Behind struct {
	Transactions uint64
	Records      int64     // of the table topics, about: offsets have gaps
	Since        time.Time // when it last was nothing, or when the view was held; zero while it follows
}

// display is what others see of a view; the task changes it.
type display struct {
	mu     sync.Mutex
	place  *place // whose snapshots are given; nil: none
	shown  Shown
	status Status
	moved  chan struct{} // closed when any of it changes
	begun  time.Time
	told   time.Time   // when progress was last told
	from   log.Offsets // how far it is
}

// place is an open state. It is closed when nobody looks at it any more.
type place struct {
	state State
	looks int
	left  bool         // by the task
	gone  func() error // when it was closed
}

func newDisplay() display { return display{moved: make(chan struct{})} }

// Look pins what the view shows. It is nil while there is nothing.
func (t *Task) Look() (*Look, error) { return t.display.look() }

func (d *display) look() (*Look, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.place == nil {
		return nil, nil
	}
	s, err := d.place.state.Snapshot()
	if err != nil {
		return nil, err
	}
	p := d.place
	p.looks++
	return &Look{Shown: d.shown, Snapshot: s, free: func() error { return d.leave(p) }}, nil
}

// leave ends a look.
func (d *display) leave(p *place) error {
	d.mu.Lock()
	p.looks--
	d.mu.Unlock()
	return d.drop(p, false)
}

// drop closes a place that nobody uses any more; by says that the task does not.
func (d *display) drop(p *place, by bool) error {
	d.mu.Lock()
	p.left = p.left || by
	last := p.left && p.looks == 0 && p.state != nil
	state := p.state
	if last {
		p.state = nil
	}
	d.mu.Unlock()
	if !last {
		return nil
	}
	err := state.Close()
	if p.gone != nil {
		err = errors.Join(err, p.gone())
	}
	return err
}

// Status says how the view is. Any goroutine may ask.
func (t *Task) Status() Status {
	d := &t.display
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	s.Read = maps.Clone(d.from)
	if d.place != nil {
		shown := d.shown
		shown.At = maps.Clone(shown.At)
		s.Shown = &shown
	}
	return s
}

// Moved gives a channel that is closed when Status or Look would give something
// else than now.
func (t *Task) Moved() <-chan struct{} {
	t.display.mu.Lock()
	defer t.display.mu.Unlock()
	return t.display.moved
}

// change changes what is seen, and wakes those who wait for that.
func (d *display) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.moved)
	d.moved = make(chan struct{})
}

// commit applies an epoch and shows it in one step, so that no look finds the one
// without the other. If it fails nobody knows which one is there, and it is not
// shown until the state was taken up again.
func (d *display) commit(p *place, shown Shown, apply func() error) (before *place, err error) {
	d.change(func() {
		if err = apply(); err != nil {
			if d.place == p {
				d.place, d.shown = nil, Shown{}
			}
			return
		}
		if before = d.place; before == p {
			before = nil
		}
		d.place, d.shown, d.status.Phase = p, shown, Following
	})
	return before, err
}

// behind notes how far the sources are ahead.
func (d *display) behind(b Behind, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b.Since = d.status.Behind.Since; b.Since.IsZero() {
		b.Since = now
	}
	if b.Transactions == 0 && b.Records == 0 {
		b.Since = time.Time{}
	}
	d.status.Behind = b
}

// drift shows later positions of the same rows.
func (d *display) drift(at Vector, now time.Time) {
	d.change(func() { d.shown.At, d.shown.Time = at, now })
}

// hide shows nothing any more, and gives what was shown.
func (d *display) hide() (before *place) {
	d.change(func() { before, d.place, d.shown = d.place, nil, Shown{} })
	return before
}

// hideOnly shows nothing any more if p is what was shown.
func (d *display) hideOnly(p *place) {
	d.change(func() {
		if d.place == p {
			d.place, d.shown = nil, Shown{}
		}
	})
}

func (d *display) isShowing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.place != nil
}

// hydrating says that the state is filled.
func (d *display) hydrating() {
	d.change(func() { d.status.Phase, d.status.Progress = Hydrating, Progress{Hydrating: true} })
}

// hold notes why the view is held, and reports whether that is news.
func (d *display) hold(why *pipeline.Refusal, now time.Time) (news bool) {
	d.mu.Lock()
	had := d.status.Held
	d.mu.Unlock()
	if had == nil && why == nil || had != nil && why != nil && had.What == why.What {
		return false
	}
	d.change(func() {
		d.status.Held = why
		if why != nil && d.status.Behind.Since.IsZero() {
			d.status.Behind.Since = now
		}
		switch {
		case d.status.Phase == Hydrating:
		case why != nil:
			d.status.Phase = Frozen
		default:
			d.status.Phase = Following
		}
	})
	return true
}

// reading begins the progress of an epoch.
func (d *display) reading(hydrating bool, from, to log.Offsets, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun, d.told, d.from = now, now, log.Offsets{}
	maps.Copy(d.from, from)
	d.status.Progress = Progress{Hydrating: hydrating}
	for tp, end := range to {
		d.status.Progress.Total += end - d.from[tp]
	}
}

// tellEvery is how often progress is told.
const tellEvery = time.Second

// read notes a fetch, and reports whether it is time to tell.
func (d *display) read(f *log.Fetch, now time.Time) (p Progress, tell bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := &d.status.Progress
	q.Rows += int64(len(f.Records))
	for i := range f.Records {
		q.Bytes += int64(len(f.Records[i].Key) + len(f.Records[i].Value))
	}
	q.Done += f.Next - d.from[f.TopicPartition]
	d.from[f.TopicPartition] = f.Next
	q.Took = now.Sub(d.begun)
	if tell = now.Sub(d.told) >= tellEvery; tell {
		d.told = now
		close(d.moved)
		d.moved = make(chan struct{})
	}
	return *q, tell
}
