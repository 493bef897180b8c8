package gate

import (
	"context"
	"errors"
	"sync"

	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/pipeline"
)

// A Gate lets a comparison stop a source's capture at an exact place: between the
// transactions whose commit lies before it and all others, so that the frontier
// has a cut there. While the place is not known yet, nothing passes.
//
//	hold ─► nothing passes ─► until(place) ─► what is before it passes ─► reached: the cut ─► release
//
// Batches wait in the source meanwhile, which keeps the server's connection alive.
type Gate struct {
	mu     sync.Mutex
	moved  chan struct{} // closed at each change of what follows
	held   bool
	place  databases.Prefix  // nil: not known
	beyond bool              // nothing before place is left to pass
	passed pipeline.Position // the end of the last whole transaction that passed, or an idle place
	within bool              // a part of a transaction passed, and its rest not yet
	stored pipeline.Position // the last place that was committed
	failed error
}

// New makes a gate that is open.
func New() *Gate { return &Gate{moved: make(chan struct{})} }

func (g *Gate) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	close(g.moved)
	g.moved = make(chan struct{})
}

// Hold lets nothing pass; false says that somebody else holds it.
func (g *Gate) Hold() (ok bool) {
	g.change(func() {
		if ok = !g.held; ok {
			g.held, g.place, g.beyond, g.failed = true, nil, false, nil
		}
	})
	return ok
}

// IsHeld reports whether somebody holds it.
func (g *Gate) IsHeld() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// Until lets pass what was committed before a place. All of it may have passed already:
// where nothing is committed, no position comes behind it.
func (g *Gate) Until(place databases.Prefix) {
	g.change(func() {
		g.place = place
		if g.passed.Native != "" {
			g.beyond, g.failed = place.Passed(g.passed.Native)
		}
	})
}

// Release lets everything pass again.
func (g *Gate) Release() { g.change(func() { g.held = false }) }

// Committed notes what is in the log.
func (g *Gate) Committed(at pipeline.Resume) {
	if at.Whole() {
		g.change(func() { g.stored = at.At })
	}
}

// Reached waits until everything before the place is in the log, and nothing else
// is, and gives the position of that cut.
func (g *Gate) Reached(ctx context.Context) (pipeline.Position, error) {
	for {
		g.mu.Lock()
		at, err, moved := g.stored, g.failed, g.moved
		there := g.beyond && !g.within && g.stored == g.passed && !at.IsZero()
		g.mu.Unlock()
		if err != nil || there {
			return at, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return at, context.Cause(ctx)
		}
	}
}

// Begin forgets what passed in an earlier stage: from is where the log ends.
func (g *Gate) Begin(from pipeline.Resume) {
	g.change(func() { g.passed, g.stored, g.within, g.beyond = from.At, from.At, from.Rows > 0, false })
}

// verdict says whether a batch may pass now, and notes it if so; moved is closed
// when it has to be asked again.
func (g *Gate) verdict(b *pipeline.Batch) (pass bool, moved <-chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.held {
		g.note(b)
		return true, nil, nil
	}
	if pass, err = g.before(b); err != nil {
		return false, nil, err
	}
	if pass {
		g.note(b)
	}
	close(g.moved) // for reached; the batch waits for the next change
	g.moved = make(chan struct{})
	return pass, g.moved, nil
}

// before reports whether a batch lies before the place. An idle position behind
// it says that nothing is left before it: it passes, and nothing after it.
func (g *Gate) before(b *pipeline.Batch) (bool, error) {
	switch {
	case g.place == nil || g.beyond && (len(b.Changes) > 0 || b.End != nil):
		return false, nil
	case len(b.Changes) > 0:
		first, err := g.place.Holds(b.Changes[0].Tx)
		if err != nil {
			return false, err
		}
		last, err := g.place.Holds(b.Changes[len(b.Changes)-1].Tx)
		if first && !last {
			g.failed = errors.New("a batch holds transactions on both sides of the place")
		}
		g.beyond = !first
		return first, err
	case b.End == nil || b.End.At.Native == "":
		return true, nil
	}
	var err error
	g.beyond, err = g.place.Passed(b.End.At.Native)
	return true, err
}

func (g *Gate) note(b *pipeline.Batch) {
	g.within = len(b.Changes) > 0
	if b.End != nil && b.End.Whole() {
		g.passed, g.within = b.End.At, false
	}
}

// Guard puts the gate before a source.
func (g *Gate) Guard(s databases.Source) databases.Source { return &gated{Source: s, gate: g} }

// gated is a source behind a gate. It is used like any source.
type gated struct {
	databases.Source
	gate *Gate
	kept *pipeline.Batch // read, and not let through yet; valid as long as nothing more is read
}

// Next gives what the gate lets through.
func (s *gated) Next(ctx context.Context) (pipeline.Batch, error) {
	if s.kept == nil {
		b, err := s.Source.Next(ctx)
		if err != nil {
			return b, err
		}
		s.kept = &b
	}
	for {
		pass, moved, err := s.gate.verdict(s.kept)
		if err != nil {
			return pipeline.Batch{}, err
		}
		if pass {
			b := *s.kept
			s.kept = nil
			return b, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return pipeline.Batch{}, context.Cause(ctx)
		}
	}
}
