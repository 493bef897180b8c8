package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
)

// A Source reads topics by their frontier, from cut to cut. A Delivery makes one
// for each run.
//
//	Follower ─► pump, on a goroutine of its own: await a sound cut, read and decode up to it
//	                 │  ready: loads that wait for the target
//	                 ▼                                          ▲ free: loads to be filled
//	               Next ─► the stage: write, commit ────────────┘ at the Next behind it
//
// There are as many loads as readAhead, so what was decoded ahead is bounded (I9).
type Source struct {
	*Config
	follower *intake.Follower
	moved    <-chan struct{} // the follower has news, or somebody lets go of a pause; capacity 1
	display  *display
	paused   func() bool // nothing more is to be read
	fresh    bool        // the target was just given up
	until    *Resting    // all that is read, and nothing is followed; nil: it goes on

	ready   chan *load
	free    chan *load
	present *load         // that the stage has
	acked   chan struct{} // the target has committed what was given; capacity 1
	failed  error         // of the pump; read once ready is closed
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

// readAhead is how many loads there are: one with the stage, one that is filled,
// the rest between.
const readAhead = 4

// Open implements pipeline.Source. What the place says of the topic is checked
// against the first cut, by Next.
func (s *Source) Open(ctx context.Context, from pipeline.Resume) error {
	at := newStanding(s.Definition, s.Topics)
	if s.fresh && !from.IsZero() {
		return s.tooManyRenewals("its system goes on from a place that it was to give up")
	}
	if !from.IsZero() {
		var err error
		if at, err = parseStanding(from.State, s.Topics); err != nil {
			return &Renewal{Why: "what it says of its place cannot be read"}
		}
		if err := s.continues(ctx, at, from.Rows == 0); err != nil {
			return err
		}
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.ready, s.free = make(chan *load, readAhead), make(chan *load, readAhead)
	for range readAhead {
		s.free <- &load{}
	}
	p := &pump{Source: s, at: at, rows: from.Rows}
	if s.OldRows != nil && s.until == nil {
		if err := s.openOld(ctx, p, from); err != nil {
			s.stop()
			return err
		}
	}
	s.ended.Go(func() {
		defer close(s.ready)
		s.failed = p.run(ctx)
	})
	return nil
}

// openOld opens what the target was given. A target that begins, and may hold rows of
// a try that nothing is known of, is given up first.
func (s *Source) openOld(ctx context.Context, p *pump, from pipeline.Resume) (err error) {
	if from.IsZero() && !s.fresh && !s.Atomic && !s.OldRows.Repeats {
		return &Renewal{Why: "it begins", moved: true, quiet: true}
	}
	s.acked = make(chan struct{}, 1)
	s.display.again.Store(0)
	p.old, err = openOld(ctx, s.Config, from, s.fresh)
	return err
}

// continues refuses a place of another definition, and one from which the way is
// lost. between says that it lies between two steps.
func (s *Source) continues(ctx context.Context, at *standing, between bool) error {
	if at.definition != s.Definition {
		return &Renewal{Why: "its definition changed", moved: true}
	}
	for _, topic := range s.Topics {
		if intake.Forgets(ctx, s.Log, topic, at.reached(), s.Now()) || intake.Aged(ctx, s.Log, topic, at.of(topic).read, at.whole && between) {
			return &Renewal{Why: "it is older than what its topic keeps"}
		}
	}
	return nil
}

// Next implements pipeline.Source.
func (s *Source) Next(ctx context.Context) (pipeline.Batch, error) {
	if s.present != nil {
		s.free <- s.present // there is room for each
		s.present = nil
	}
	select {
	case l, ok := <-s.ready:
		return s.give(l, ok)
	default:
	}
	select {
	case l, ok := <-s.ready:
		return s.give(l, ok)
	case <-ctx.Done():
		return pipeline.Batch{}, context.Cause(ctx)
	}
}

func (s *Source) give(l *load, ok bool) (pipeline.Batch, error) {
	if !ok {
		if s.failed == nil || errors.Is(s.failed, context.Canceled) {
			return pipeline.Batch{}, io.ErrClosedPipe
		}
		return pipeline.Batch{}, s.failed
	}
	s.present = l
	return l.batch, nil
}

// Ack implements pipeline.Source: the log keeps what it keeps, and a step with old
// rows is followed by the next.
func (s *Source) Ack(context.Context, pipeline.Position) error {
	if s.acked != nil {
		s.acked <- struct{}{} // there is room: one step is under way
	}
	return nil
}

// Reached implements pipeline.Source. Positions of a topic are those of what is
// captured into it, and only its source can tell them apart.
func (s *Source) Reached(_, _ string) (bool, error) {
	return false, fmt.Errorf("positions of what comes from %s are compared by its source", s.Of)
}

// Close implements pipeline.Source.
func (s *Source) Close() error {
	if s.stop != nil {
		s.stop()
	}
	s.ended.Wait()
	return nil
}
