package views

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/evertdb/evert/cmd/evert/codes"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/pipeline/view/query"
)

// What becomes of a view that does not get on.

// isSharedOut reports whether the group of the view was shared out anew while it
// ran: another daemon has it now, or this one will have it again in a moment.
func isSharedOut(err error) bool { return errors.Is(err, log.ErrLost) || errors.Is(err, log.ErrFenced) }

func needsPerson(err error) bool { return !isSharedOut(err) && codes.NeedsPerson(err) }

// elsewhere is what readers are told by a daemon that had a view.
func (m *maintaining) elsewhere() error {
	return &pipeline.Refusal{Code: query.CodeNotReady, What: "another daemon keeps it current; this one shows it as it last had it",
		Mend: "ask the other daemon; evert status   # says of each view whether it is on standby"}
}

// rest waits before the next try. A query that failed on a row may hold again as
// soon as a table changes, and is tried then.
func (m *maintaining) rest(ctx context.Context, d time.Duration) error {
	began, end, tick := time.Now(), time.NewTimer(d), time.NewTicker(mendPoll)
	defer end.Stop()
	defer tick.Stop()
	for {
		select {
		case <-end.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if task := m.present(); task != nil && m.failedOnRow() && m.mayBeMended(ctx, task.Status(), time.Since(began)) {
				return nil
			}
		}
	}
}

// mendPoll is how often is looked whether the rows that a view stopped on have
// changed.
const mendPoll = time.Second

// failedOnRow reports whether other rows may mend why the view stands.
func (m *maintaining) failedOnRow() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.problem == nil {
		return false
	}
	switch m.problem.Code {
	case dataflow.CodeExpression, dataflow.CodeNotUnique:
		return true
	}
	return false
}

// mayBeMended reports whether it is worth to try again: what the last try read is
// little beside the time since, and there is more to read now.
func (m *maintaining) mayBeMended(ctx context.Context, s view.Status, since time.Duration) bool {
	return since >= 10*s.Progress.Took && m.isNewer(ctx, s.Read)
}

// isNewer reports whether a source has committed rows of the view's tables behind
// these offsets.
func (m *maintaining) isNewer(ctx context.Context, read log.Offsets) bool {
	m.mu.Lock()
	plan := m.plan
	m.mu.Unlock()
	for i, in := range plan.Plan.Inputs {
		fold, err := log.ReadFrontier(ctx, m.views.Topics, log.FrontierTopic(m.views.File.Name, in.Source))
		newest, ok := fold.Frontier()
		if err != nil || !ok {
			continue
		}
		for tp, end := range newest.Offsets {
			if tp.Topic == plan.topics[i] && end > read[tp] {
				return true
			}
		}
	}
	return false
}

func (m *maintaining) failed(err error, wait time.Duration) {
	if isSharedOut(err) {
		m.waits(m.elsewhere(), wait, false)
		m.log.Info("the views were shared out anew; this daemon stands by for the view until it is its turn", "why", err.Error())
		return
	}
	person := needsPerson(err)
	p := m.waits(err, wait, person)
	level := slog.LevelWarn
	if person {
		level = slog.LevelError
	}
	m.log.Log(context.Background(), level, "the view does not get on and will be tried again; what it shows stays", "error", p.Text, "code", string(p.Code),
		"mend", p.Mend, "retry_in", wait.Round(time.Millisecond).String())
}
