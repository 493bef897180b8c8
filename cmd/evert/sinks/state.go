package sinks

import (
	"context"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
)

// How a sink is, for readers, people and metrics.

// events are the words of the log, and the numbers of the metrics.
func (s *Sink) events() deliver.Events {
	return deliver.Events{
		Opened: func(o deliver.Opening) {
			s.opens()
			if o.Filling {
				s.log.Info("filling the sink's system from the beginning of its topic", "topics", strings.Join(s.place.Topics, ", "))
				return
			}
			s.log.Info("the sink goes on", "position", o.At.String(), "rows_behind_it", o.Inside)
		},
		Held: func(why *pipeline.Refusal) {
			if why == nil {
				s.log.Info("the sink is held no longer")
				return
			}
			s.log.Warn("the sink is held", "why", why.What, "code", string(why.Code), "mend", why.Mend)
		},
		Filling: func(p deliver.Progress) {
			s.log.Info("filling", "rows", p.Rows, "share", p.Share(), "left", p.Left().Round(time.Second).String())
		},
		Filled: func(at pipeline.Position, p deliver.Progress) {
			s.log.Info("the sink's system is filled, and its readers see that", "position", at.String(), "rows", p.Rows, "took", p.Took.Round(time.Millisecond).String())
		},
		Renewing: func(why string) {
			s.log.Warn("what the sink's system holds is given up, and filled anew beside what readers see", "why", why)
		},
		Committed: func(c pipeline.Committed) {
			s.meter.Committed(c.Took)
			s.runs()
		},
	}
}

// opens notes that target and source are open. A sink that had a problem is well
// when it has delivered something, or has nothing to deliver: many systems can be
// opened and take nothing.
func (s *Sink) opens() {
	s.change(func() { s.opened = true })
	s.mu.Lock()
	well := s.problem == nil
	s.mu.Unlock()
	if well {
		s.meter.Running()
	}
}

// runs notes that the sink is well.
func (s *Sink) runs() {
	s.mu.Lock()
	ill := s.problem != nil
	s.mu.Unlock()
	if ill {
		s.change(func() { s.problem, s.person = nil, false })
	}
	s.meter.Running()
}

// isIdle reports whether a sink that had a problem is open and has nothing to
// deliver.
func (s *Sink) isIdle(d *deliver.Status) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem != nil && s.opened && d.Behind.Known && d.Behind.Since.IsZero()
}

// status gives how the sink is now.
func (s *Sink) status() monitor.SinkStatus {
	d, now := s.Delivery.Status(), time.Now()
	if s.isIdle(&d) {
		s.runs()
	}
	st := s.meter.Status()
	st.From, st.Topic, st.Position = s.Config.From.String(), strings.Join(s.place.Topics, ", "), d.At.Native
	st.Tables = s.tables(&d)
	st.Totals.Rows, st.Totals.Bytes, st.Totals.Commits, st.Totals.Renewals = d.Totals.Rows, d.Totals.Bytes, d.Totals.Commits, d.Totals.Renewals
	if d.Behind.Known {
		st.LagRows = &d.Behind.Records
	}
	if !d.Behind.Since.IsZero() {
		st.LagSeconds = max(0, now.Sub(d.Behind.Since).Seconds())
	}
	if n, known := s.queue.Count(); known {
		st.DeadLetters = &n
	}
	if st.State != monitor.Streaming {
		return st
	}
	switch d.Phase {
	case deliver.Filling:
		st.State = monitor.Filling
		st.Filling = &monitor.Fill{Rows: d.Progress.Rows, Ratio: d.Progress.Share(), LeftSeconds: d.Progress.Left().Seconds()}
	case deliver.Frozen:
		st.State = monitor.Frozen
	}
	if d.Held != nil && st.Problem == nil {
		st.Problem = monitor.ProblemOf(d.Held, now)
	}
	return st
}

// tables tells how far each is behind, where the sink delivers several.
func (s *Sink) tables(d *deliver.Status) (all []monitor.SinkTable) {
	if !s.Config.Several() {
		return nil
	}
	for i, from := range s.Config.From {
		t := monitor.SinkTable{Table: from, Topic: s.place.Topics[i]}
		if n := d.Behind.Topics[t.Topic]; d.Behind.Known {
			t.LagRows = &n
		}
		all = append(all, t)
	}
	return all
}

// caughtUp waits until the sink's system has what was committed by now, or a
// person has to mend it, or let it rest.
func (s *Sink) caughtUp(ctx context.Context) {
	for {
		delivered := s.Delivery.Moved()
		s.mu.Lock()
		moved, stopped, problem := s.moved, s.person, s.problem
		s.mu.Unlock()
		if stopped {
			s.sinks.Fail(problem)
			return
		}
		paused, commanded := s.isPaused()
		if paused || s.has(ctx) {
			return
		}
		select {
		case <-delivered:
		case <-moved:
		case <-commanded:
		case <-s.finished:
			return
		case <-ctx.Done():
			return
		}
	}
}

// has reports whether the newest frontier was delivered. One of an earlier incarnation
// of its topics says nothing, whatever its number: a reset counts from one again. Nor does
// one that lies before what was delivered, or elsewhere under its number: an older log was
// restored.
func (s *Sink) has(ctx context.Context) bool {
	d := s.Delivery.Status()
	if d.At.IsZero() || d.Held != nil {
		return false
	}
	_, owner := outlets.OwnerOf(s.Config)
	fold, err := log.ReadFrontier(ctx, s.sinks.Topics, log.FrontierTopic(s.sinks.File.Name, owner))
	if err != nil {
		return false
	}
	f, ok := fold.Frontier()
	return ok && f.Incarnation == d.Incarnation && f.Number == d.Cut && f.Resume.At == d.At
}
