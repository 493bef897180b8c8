package deliver

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
)

// A Phase is what a sink does.
type Phase uint8

// A sink opens its target; fills it; follows its topic; or waits, with what it
// has, for a table that is being copied or has stopped.
const (
	Beginning Phase = iota
	Filling
	Following
	Frozen
)

// String gives the phase's name.
func (p Phase) String() string {
	return [...]string{"opening", "filling", "following", "frozen"}[min(p, Frozen)]
}

// A Status is how a sink is, as far as it knows itself.
type Status struct {
	Phase Phase
	Held  *pipeline.Refusal // why it is frozen
	// At is the position that readers of the system see; zero while nothing whole
	// was delivered. Cut is the number of the frontier record there, among those of
	// an incarnation of the topics.
	At               pipeline.Position
	Cut, Incarnation uint64
	// Positions are the native positions of the sources at At: one, or those of a
	// view. It is shared: nobody changes it.
	Positions map[string]string
	Time      time.Time // the source's clock at At; zero if unknown
	Progress  Progress  // of the fill
	Behind    Behind
	Totals    Totals
}

// Progress is how far a target is filled.
type Progress struct {
	Rows  int64 // committed in this fill, since the process began
	Done  int64 // offsets committed
	Total int64 // offsets to pass
	Took  time.Duration
	from  int64 // offsets that were committed when it began
}

// Share is the part that is filled, at most 1.
func (p Progress) Share() float64 {
	if p.Total <= 0 {
		return 1
	}
	return min(1, float64(p.Done)/float64(p.Total))
}

// Left is how long the rest takes at the pace so far; 0 if that is not known.
func (p Progress) Left() time.Duration {
	if p.Done <= p.from || p.Done >= p.Total {
		return 0
	}
	return time.Duration(float64(p.Took) * float64(p.Total-p.Done) / float64(p.Done-p.from))
}

// Behind is how much of what the source committed the system does not have.
type Behind struct {
	Known   bool             // the target was asked, so that Records counts
	Records int64            // of the topics, about: offsets have gaps
	Topics  map[string]int64 // the same of each topic; nobody changes it
	Since   time.Time        // when it last was nothing; zero while it follows
}

// Totals count since the process began.
type Totals struct {
	Rows     uint64 // committed
	Bytes    uint64
	Commits  uint64
	Renewals uint64
}

// display is what others see of a sink.
type display struct {
	now       func() time.Time
	positions func(*log.Frontier) map[string]string

	mu     sync.Mutex
	moved  chan struct{} // closed when any of it changes
	status Status
	has    *standing     // what the target has committed; nil while that is not known
	newest *log.Frontier // that the source has written; nil while that is not known
	rest   *rest         // the source reads nothing beyond that; nil while it does
	later  *log.Frontier // at which the rows are those of has.cut, if that is number since
	since  uint64
	begun  time.Time // the fill
	told   time.Time // of its progress

	again atomic.Int64 // changes that were given, and are given again before the next commit
}

// change changes what is seen, and wakes those who wait for that.
func (d *display) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	d.judge()
	close(d.moved)
	d.moved = make(chan struct{})
}

// judge derives what follows from the rest.
func (d *display) judge() {
	s := &d.status
	if d.has == nil || !d.has.whole {
		s.At, s.Cut, s.Incarnation, s.Time, s.Positions = pipeline.Position{}, 0, 0, time.Time{}, nil
	} else if at := d.shown(); s.At != at.Resume.At || s.Cut != at.Number || s.Incarnation != at.Incarnation || s.Positions == nil {
		s.At, s.Cut, s.Incarnation, s.Time, s.Positions = at.Resume.At, at.Number, at.Incarnation, at.Time, d.positions(at)
	}
	s.Behind.Known = d.has != nil && d.newest != nil
	s.Behind.Records, s.Behind.Topics = d.unread()
	switch late := d.isBehind(); {
	case !late:
		s.Behind.Since = time.Time{}
	case s.Behind.Since.IsZero():
		s.Behind.Since = d.now()
	}
	s.Phase = d.phase()
}

func (d *display) phase() Phase {
	switch {
	case d.has == nil:
		return Beginning
	case !d.has.whole:
		return Filling
	case d.status.Held != nil:
		return Frozen
	}
	return Following
}

// shown is the newest cut at which the rows are those that the target has.
func (d *display) shown() *log.Frontier {
	if d.later != nil && d.since == d.has.cut.Number && d.later.Number > d.since && d.later.Incarnation == d.has.cut.Incarnation {
		return d.later
	}
	return &d.has.cut
}

// isBehind reports whether the source has written what the target has not.
func (d *display) isBehind() bool {
	if d.status.Held != nil {
		return true // nobody knows of what
	}
	if d.newest == nil {
		return false
	}
	if d.has == nil || !d.has.whole || d.has.cut.Incarnation != d.newest.Incarnation {
		return true
	}
	return !sameRows(&d.has.cut, d.newest)
}

// sameRows reports whether nothing happened to the rows between two cuts of one
// incarnation.
func sameRows(a, b *log.Frontier) bool {
	if !maps.Equal(a.Offsets, b.Offsets) {
		return false
	}
	for topic, state := range b.Tables {
		if intake.IsVoid(a.Tables[topic], state) {
			return false
		}
	}
	return true
}

// unread counts offsets.
func (d *display) unread() (n int64, of map[string]int64) {
	of = map[string]int64{}
	if d.has == nil || d.newest == nil {
		return 0, of
	}
	for tp, end := range d.newest.Offsets {
		if d.has.cut.Incarnation == d.newest.Incarnation {
			end -= d.has.next(tp)
		}
		n += max(0, end)
		of[tp.Topic] += max(0, end)
	}
	return n, of
}

// written notes what the source has written.
func (d *display) written(r intake.Report) {
	if !r.Known || r.Cut.Tables == nil {
		return
	}
	d.change(func() { d.newest = &r.Cut })
}

// opened notes what the target has.
func (d *display) opened(has *standing) {
	d.change(func() {
		d.has = has
		if !has.whole {
			d.fill()
		}
	})
}

// fill begins the progress of a fill; it goes on over restarts of a target.
func (d *display) fill() {
	if d.begun.IsZero() {
		d.begun = d.now()
		d.status.Progress = Progress{from: d.has.sum()}
	}
}

// committed notes a commit, and reports whether a fill ended with it, and whether
// its progress should be told.
func (d *display) committed(has *standing, c pipeline.Committed) (filled, tell bool, p Progress) {
	d.change(func() {
		filled = has.whole && (d.has == nil || !d.has.whole)
		d.has = has
		t := &d.status.Totals
		t.Rows, t.Bytes, t.Commits = t.Rows+uint64(c.Rows), t.Bytes+uint64(c.Bytes), t.Commits+1
		if has.whole && !filled {
			return
		}
		tell = d.progress(c)
		p = d.status.Progress
		if filled {
			d.begun = time.Time{}
		}
	})
	return filled, tell, p
}

// tellEvery is how often progress is told.
const tellEvery = time.Second

func (d *display) progress(c pipeline.Committed) (tell bool) {
	now := d.now()
	p := &d.status.Progress
	p.Rows += int64(c.Rows)
	p.Done, p.Total = d.has.sum(), 0
	to := d.has.cut.Offsets
	if d.newest != nil && !d.has.whole {
		to = d.newest.Offsets
	}
	for _, end := range to {
		p.Total += end
	}
	p.Took = now.Sub(d.begun)
	if tell = now.Sub(d.told) >= tellEvery; tell {
		d.told = now
	}
	return tell
}

// renewed notes that the target holds nothing any more.
func (d *display) renewed(quietly bool) {
	d.change(func() {
		if !quietly {
			d.status.Totals.Renewals++
		}
		d.has, d.begun, d.later = nil, time.Time{}, nil
	})
}

// drift notes a later cut with the rows of cut number since.
func (d *display) drift(later *log.Frontier, since uint64) {
	d.change(func() { d.later, d.since = later, since })
}

// rest is a cut at which the source stays.
type rest struct {
	number  uint64
	written time.Time // by the log
}

// resting notes that the source reads nothing beyond at; and that it does, if at is
// nil.
func (d *display) resting(at *rest) {
	d.mu.Lock()
	same := at == nil && d.rest == nil || at != nil && d.rest != nil && *at == *d.rest
	d.mu.Unlock()
	if !same {
		d.change(func() { d.rest = at })
	}
}

// rests gives where the target rests; false while it does not.
func (d *display) rests() (at Resting, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rest == nil || d.has == nil || !d.has.whole || d.has.cut.Number != d.rest.number {
		return at, false
	}
	return Resting{d.has.cut.Clone(), d.rest.written}, true
}

// isWhole reports whether the target is at a cut.
func (d *display) isWhole() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.has != nil && d.has.whole
}

// knows reports whether anything of the source was delivered.
func (d *display) knows() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.has != nil && d.has.cut.Incarnation != 0
}

// hold notes why the sink is held, and reports whether that is news.
func (d *display) hold(why *pipeline.Refusal) (news bool) {
	d.mu.Lock()
	had := d.status.Held
	d.mu.Unlock()
	if had == nil && why == nil || had != nil && why != nil && had.What == why.What {
		return false
	}
	d.change(func() { d.status.Held = why })
	return true
}
