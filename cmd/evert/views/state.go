package views

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/pipeline/view/local"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
)

// How a view is, for readers, people and metrics.

// Snapshot implements query.View.
func (m *maintaining) Snapshot() (query.Snapshot, error) {
	m.mu.Lock()
	reading := m.reading
	m.mu.Unlock()
	if reading == nil {
		return nil, nil
	}
	return reading.Snapshot()
}

// State implements query.View.
func (m *maintaining) State() query.State {
	m.mu.Lock()
	task, still, problem, person := m.task, m.still, m.problem, m.person
	m.mu.Unlock()
	s := query.State{Phase: query.Filling}
	switch {
	case task != nil:
		s = local.Phases(task.Status())
	case still != nil:
		s.Phase = query.Frozen
	}
	switch {
	case problem == nil:
	case person:
		s.Phase, s.Why = query.Stopped, problem
	case s.Phase != query.Filling:
		s.Phase, s.Why = query.Frozen, problem
	default:
		s.Why = problem
	}
	return s
}

// Moved implements query.View.
func (m *maintaining) Moved() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.moved
}

// Feed implements query.View.
func (m *maintaining) Feed() *query.Feed { return m.feed }

// Since implements query.Rememberer.
func (m *maintaining) Since(ctx context.Context, epoch uint64, fn func(key schema.Row) error) (bool, error) {
	task := m.present()
	if task == nil {
		return false, nil
	}
	return task.Since(ctx, epoch, fn)
}

// Hasten implements query.View.
func (m *maintaining) Hasten(covers func(query.Vector) bool) (leave func()) {
	m.mu.Lock()
	reading := m.reading
	m.mu.Unlock()
	if reading == nil {
		return func() {}
	}
	return reading.Hasten(covers)
}

// events are the words of the log, and the numbers of the metrics.
func (m *maintaining) events() view.Events {
	return view.Events{
		Opened: func(o view.Opening) {
			m.change(func() { m.problem, m.person = nil, false })
			m.meter.Running()
			if o.Hydrating {
				m.log.Info("hydrating the view: its state is filled from the topics", "why", o.Why, "rows_to_compare", o.Tail)
				return
			}
			m.log.Info("the view goes on", "position", o.At.String(), "rows_to_compare", o.Tail)
		},
		Held: func(why *pipeline.Refusal) {
			if why == nil {
				m.log.Info("the view is held no longer")
				return
			}
			m.log.Warn("the view is held", "why", why.What, "code", string(why.Code), "mend", why.Mend)
		},
		Reading: func(p view.Progress) {
			m.log.Info("the view reads", "rows", p.Rows, "bytes", p.Bytes, "share", p.Share(), "left", p.Left().Round(time.Second).String())
		},
		Part: func(part, rows int) { m.log.Info("committed a part of a large epoch", "part", part, "rows", rows) },
		Epoch: func(e view.Epochal) {
			m.meter.Epoch(monitor.ViewEpoch{RowsIn: e.In, RowsOut: e.Out, Took: e.Took, StateBytes: e.Bytes, SourceTime: e.At.Time()})
			if e.Anew {
				m.log.Info("the view is complete", "epoch", e.Epoch, "position", e.At.String(), "rows_read", e.In, "rows_changed", e.Out, "took", e.Took.Round(time.Millisecond).String())
			}
		},
		Rebuilding: func(why string) { m.log.Warn("the view's state is thrown away and built anew", "why", why) },
		Damaged: func(err error) {
			m.log.Error("the view's state is damaged; it is put aside and built anew", "error", err)
		},
		Switched: func(old []string) { m.log.Info("the view's earlier versions were removed", "versions", old) },
	}
}

// status gives how the view is now.
func (m *maintaining) status() monitor.ViewStatus {
	s := m.meter.Status()
	s.Topic = view.Topic(m.views.File.Name, m.name)
	m.mu.Lock()
	task, still := m.task, m.still
	s.Version = m.hash
	m.mu.Unlock()
	if still != nil {
		showing(&s, still.Shown())
	}
	if task == nil {
		return s
	}
	st := task.Status()
	now := time.Now()
	s.BehindTransactions, s.BehindRecords = st.Behind.Transactions, st.Behind.Records
	if !st.Behind.Since.IsZero() {
		s.LagSeconds = max(0, now.Sub(st.Behind.Since).Seconds())
	}
	if st.Shown != nil {
		showing(&s, *st.Shown)
	}
	s.Problem = heldProblem(s.Problem, st, now)
	s.State = phaseOf(s, st)
	if st.Phase == view.Hydrating && st.Progress.Total > 0 {
		s.Hydration = &monitor.Hydration{Rows: st.Progress.Rows, Bytes: st.Progress.Bytes, Ratio: st.Progress.Share(), LeftSeconds: st.Progress.Left().Seconds()}
	}
	return s
}

func showing(s *monitor.ViewStatus, shown view.Shown) {
	s.Ready, s.Epoch, s.Position = true, shown.Epoch, local.EpochOf(shown).At.String()
}

func heldProblem(p *monitor.Problem, st view.Status, now time.Time) *monitor.Problem {
	if p == nil && st.Held != nil {
		return monitor.ProblemOf(st.Held, now)
	}
	return p
}

func phaseOf(s monitor.ViewStatus, st view.Status) monitor.State {
	switch {
	case s.State == monitor.Standby || s.State == monitor.Waiting || s.State == monitor.Refused:
		return s.State
	case st.Phase == view.Hydrating:
		return monitor.Hydrating
	case st.Phase == view.Frozen:
		return monitor.Frozen
	}
	return monitor.Streaming
}

// removeLeft removes the states of views that are not in the file any more, and
// names their topics, which stay for who reads them.
func removeLeft(c *configs.Config, logger *slog.Logger) error {
	root := filepath.Join(c.DataDir, "views")
	list, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		if _, known := c.Views[e.Name()]; known || !e.IsDir() {
			continue
		}
		if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
			return err
		}
		logger.Info("a view is not in the file any more: its state was removed, and its topic is kept", "view", e.Name(), "topic", view.Topic(c.Name, e.Name()))
	}
	return err
}

// caughtUp waits until the view shows what its sources have committed by now, or
// a person has to mend it.
func (m *maintaining) caughtUp(ctx context.Context) {
	for {
		moved := m.Moved()
		m.mu.Lock()
		task, stopped, problem := m.task, m.person, m.problem
		m.mu.Unlock()
		if stopped {
			m.views.Fail(problem)
			return
		}
		if task != nil && m.shows(ctx, task) {
			return
		}
		select {
		case <-moved:
		case <-m.finished:
			return
		case <-ctx.Done():
			return
		}
	}
}

// shows reports whether the newest frontier of every source is shown.
func (m *maintaining) shows(ctx context.Context, task *view.Task) bool {
	shown := task.Status().Shown
	if shown == nil || shown.Old {
		return false
	}
	for source, cut := range shown.At {
		fold, err := log.ReadFrontier(ctx, m.views.Topics, log.FrontierTopic(m.views.File.Name, source))
		if err != nil {
			return false
		}
		if f, ok := fold.Frontier(); !ok || f.Incarnation != cut.Incarnation || f.Number > cut.Number {
			return false
		}
	}
	return true
}
