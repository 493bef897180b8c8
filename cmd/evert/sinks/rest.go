package sinks

import (
	"context"
	"errors"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
)

// How a sink rests: while it is paused, while its letters are delivered once more,
// and when it has come to the same record for the third time.
//
//	rest ──► deliver ──► a pause, or a job ──► rest
//	  ▲         └──────► a record stops it ──► the third time: rest, until a person has it skipped
//	  └── resume, skip ◄─────────────────────────┘

// errRest ends a run of a sink that has to rest.
var errRest = errors.New("the sink has to rest")

// haltsToPark is how often a sink comes to a record that stops it before it waits
// for a person: what it did before that record is done again each time.
const haltsToPark = 3

// codeAtRecord says that a sink waits for a person at a record.
const codeAtRecord pipeline.Code = "SINK_AT_RECORD"

// codeElsewhere says that this daemon does not deliver a sink now.
const codeElsewhere pipeline.Code = "SINK_ELSEWHERE"

// halting is the record at which a sink stops.
type halting struct {
	place  deliver.Place
	times  int
	parked bool
}

// owned runs the sink while this daemon owns it.
func (s *Sink) owned(ctx context.Context) error {
	defer s.finishWork(ctx)
	s.sweep(ctx)
	for {
		if err := s.rest(ctx); err != nil {
			return err
		}
		err := s.deliverUntilRest(ctx)
		if ctx.Err() != nil || !errors.Is(err, errRest) && !s.halted(err) {
			return err
		}
	}
}

// rest returns when the sink may deliver.
func (s *Sink) rest(ctx context.Context) error {
	for {
		holds, known, moved := s.sinks.Control.Sink(s.Name)
		s.mu.Lock()
		parked := s.halt.parked && !holds.IsSkipped(deadletter.PlaceText(s.halt.place))
		free := s.unparked
		s.mu.Unlock()
		switch {
		case s.pending != nil:
			s.finishWork(ctx)
			continue
		case known && holds.Paused != nil:
			s.meter.Paused(holds.Paused.At, holds.Paused.By)
		case known && !parked:
			s.meter.Resumed()
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-moved:
		case <-free:
		case s.pending = <-s.jobs:
		}
	}
}

// finishWork does the job that waits, if one does: nothing is delivered meanwhile.
func (s *Sink) finishWork(ctx context.Context) {
	if j := s.pending; j != nil {
		s.pending = nil
		defer close(j.done)
		j.do(ctx)
	}
}

// restJob is something to do while a sink rests.
type restJob struct {
	do   func(ctx context.Context)
	done chan struct{}
}

// deliverUntilRest delivers until something fails, or the sink has to rest.
func (s *Sink) deliverUntilRest(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watchRest(ctx, stop)
	}()
	err := s.Delivery.Run(ctx)
	stop(nil)
	<-watched
	return err
}

// watchRest stops a run when the sink has to rest, and looks after its letters.
func (s *Sink) watchRest(ctx context.Context, stop context.CancelCauseFunc) {
	sweep := time.NewTicker(time.Hour)
	defer sweep.Stop()
	for {
		holds, _, moved := s.sinks.Control.Sink(s.Name)
		if holds.Paused != nil {
			stop(errRest)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-moved:
		case s.pending = <-s.jobs:
			stop(errRest)
			return
		case <-sweep.C:
			s.sweep(ctx)
		}
	}
}

// sweep removes letters that are older than they may be (X21).
func (s *Sink) sweep(ctx context.Context) {
	if err := s.queue.Sweep(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("old dead letters could not be removed; it is tried again in an hour", "error", err)
	}
}

// halted notes what ended a run, and reports whether the sink waits for a person
// from now on.
func (s *Sink) halted(err error) bool {
	var halt *deliver.Halt
	at := errors.As(err, &halt)
	s.mu.Lock()
	switch {
	case !at:
		s.halt = halting{}
	case s.halt.place != halt.Place:
		s.halt = halting{place: halt.Place, times: 1}
	default:
		s.halt.times++
	}
	parks := s.halt.times >= haltsToPark
	if parks {
		s.halt.parked, s.unparked = true, make(chan struct{})
	}
	s.mu.Unlock()
	if parks {
		s.park(halt)
	}
	return parks
}

// park says that the sink waits at a record.
func (s *Sink) park(halt *deliver.Halt) {
	why := monitor.ProblemOf(halt, time.Now())
	at := &pipeline.Refusal{Code: codeAtRecord, Where: "sink " + s.Name + ", " + deadletter.PlaceText(halt.Place),
		What: "it has come to this record for the third time, and waits: " + why.Text,
		Mend: "evert skip " + s.Name + "   # goes on without the record, which is kept; or mend what is wrong, and: evert resume " + s.Name}
	p := monitor.ProblemOf(at, time.Now())
	s.meter.Parked(p)
	s.change(func() { s.person, s.problem = true, at })
	s.log.Error("the sink waits at a record; what was delivered stays", "error", p.Text, "code", string(p.Code), "mend", p.Mend)
}

// unpark lets a sink try its record again; false if it does not wait at one.
func (s *Sink) unpark() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.halt.parked {
		return false
	}
	s.halt = halting{}
	close(s.unparked)
	return true
}

// stoppedAt gives the record that stopped the sink last.
func (s *Sink) stoppedAt() (deliver.Place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halt.place, s.halt.times > 0
}

// isPaused reports whether the sink rests because somebody told it to; moved is
// closed when that may have changed.
func (s *Sink) isPaused() (paused bool, moved <-chan struct{}) {
	holds, _, moved := s.sinks.Control.Sink(s.Name)
	return holds.Paused != nil, moved
}

// isSkipped reports whether a person had a record skipped.
func (s *Sink) isSkipped(p deliver.Place) bool {
	holds, _, _ := s.sinks.Control.Sink(s.Name)
	return holds.IsSkipped(deadletter.PlaceText(p))
}

// newQueue makes what takes the rows that the system does not take.
func (s *Sink) newQueue() *deadletter.Queue {
	return deadletter.New(deadletter.Config{Log: s.sinks.Topics, Deployment: s.sinks.File.Name, Sink: s.Name, Keep: s.Config.OnReject == "dead_letter",
		Most: s.Config.MaxDeadLetters, Retention: s.Config.DeadLetterRetention, Skips: s.isSkipped, Kept: s.kept})
}

// kept tells of a letter; nothing of its row.
func (s *Sink) kept(r deliver.Rejection) {
	s.log.Warn("a row is kept as a dead letter, and the sink goes on", "place", deadletter.PlaceText(r.Place), "code", string(r.Why.Code), "why", r.Why.What,
		"mend", "evert dlq list "+s.Name)
}

// whileResting does something while the sink does not deliver, and returns when it
// was done. Only who owns the sink can.
func (s *Sink) whileResting(ctx context.Context, do func(ctx context.Context)) error {
	j := &restJob{do, make(chan struct{})}
	waiting, cancel := context.WithTimeout(ctx, 2*s.Config.RetryMax+10*time.Second)
	defer cancel()
	select {
	case s.jobs <- j:
		<-j.done
		return nil
	case <-s.finished:
	case <-waiting.Done():
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return &pipeline.Refusal{Code: codeElsewhere, Where: "sink " + s.Name, What: "this daemon does not deliver it now, so nothing was changed",
		Mend: "evert status   # another daemon may own the sink: run the command there; or its system is away"}
}
