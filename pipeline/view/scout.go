package view

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// A scout follows the frontier topic of one source, on a goroutine of its own,
// and keeps the newest cut of the view's tables.
type scout struct {
	task   *Task
	source string
	topic  string // of the frontier
	topics []string

	mu  sync.Mutex
	now report
	err error // why it follows no more
}

// A report is what a scout knows.
type report struct {
	known   bool // the rest says something
	cut     log.Frontier
	written time.Time         // when the log took the frontier record
	held    *pipeline.Refusal // why no epoch may end at the cut
}

// scout sends out one scout per source, and gives a function that waits until
// all have ended, after ctx has.
func (t *Task) scout(ctx context.Context) (wait func()) {
	t.scouts, t.moved = map[string]*scout{}, make(chan struct{}, 1)
	for _, in := range t.inputs {
		s := t.scouts[in.Source]
		if s == nil {
			s = &scout{task: t, source: in.Source, topic: log.FrontierTopic(t.Deployment, in.Source)}
			t.scouts[in.Source] = s
		}
		s.topics = append(s.topics, in.topic)
	}
	var all sync.WaitGroup
	for _, s := range t.scouts {
		all.Go(func() { s.run(ctx) })
	}
	return all.Wait
}

func (s *scout) run(ctx context.Context) {
	err := s.follow(ctx)
	if ctx.Err() != nil {
		return
	}
	s.tell(func() { s.err = fmt.Errorf("follow %s: %w", s.topic, err) })
}

// tell changes what is known, and wakes the task.
func (s *scout) tell(change func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	select {
	case s.task.moved <- struct{}{}:
	default:
	}
}

func (s *scout) report() (report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.err
}

// topicPoll is how often is asked whether a source has begun.
const topicPoll = 500 * time.Millisecond

// follow reads the frontier topic from its start on, for good.
func (s *scout) follow(ctx context.Context) error {
	if err := s.awaitTopic(ctx); err != nil {
		return err
	}
	r, err := s.task.Log.Reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Assign(log.Offsets{{Topic: s.topic}: 0}); err != nil {
		return err
	}
	var fold log.Fold
	var written time.Time
	for {
		f, err := r.Next(ctx, 1000)
		if errors.Is(err, log.ErrNoTopic) {
			return s.task.inputGone(s.topic, "the frontier of source "+s.source+" is gone: the source was reset, or somebody deleted the topic")
		}
		if err != nil {
			return err
		}
		for i := range f.Records {
			if err := fold.Apply(&f.Records[i]); err != nil {
				return poison(&f.Records[i], err)
			}
			if string(f.Records[i].Key) != log.ResumeKey {
				written = f.Records[i].Time
			}
		}
		if f.Next < f.Stable || len(f.Records) == 0 {
			continue
		}
		now := report{known: true, held: s.hold("the copy of its tables is not complete", "")}
		if newest, ok := fold.Frontier(); ok {
			now = s.see(newest, written)
		}
		s.tell(func() { s.now = now })
	}
}

// awaitTopic waits until the source has begun. A source that the view has read
// of cannot begin: its topic is gone (R23).
func (s *scout) awaitTopic(ctx context.Context) error {
	for {
		infos, err := s.task.Log.Admin().Topics(ctx, s.topic)
		if err != nil || len(infos) > 0 && infos[0].Ends[0].Stable > 0 {
			return err
		}
		if _, known := s.task.at[s.source]; known {
			return s.task.inputGone(s.topic, "the frontier of source "+s.source+" is gone: the source was reset or renamed, or somebody deleted the topic")
		}
		s.tell(func() { s.now = report{known: true, held: s.hold("the source has committed nothing yet", "")} })
		if err := pause(ctx, topicPoll); err != nil {
			return err
		}
	}
}

// pause waits for d, or gives why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// see takes the view's part out of a frontier.
func (s *scout) see(f *log.Frontier, written time.Time) report {
	r := report{known: true, written: written, cut: log.Frontier{
		Number: f.Number, Incarnation: f.Incarnation, Resume: pipeline.Resume{At: f.Resume.At}, Time: f.Time,
		Offsets: log.Offsets{}, Tables: map[string]log.TableState{},
	}}
	for _, topic := range s.topics {
		state, ok := f.Tables[topic]
		switch {
		case !ok:
			r.held = s.hold("table topic "+topic+" is not among those that the source writes",
				"evert status   # which tables the source captures; list this one under sources."+s.source)
		case state.State == log.Copying:
			r.held = s.hold("table topic "+topic+" is being copied", "evert status   # how far the copy is")
		case state.State == log.Stopped:
			r.held = s.hold("table topic "+topic+" has stopped", "evert status   # why it has stopped, and what mends it")
		}
		r.cut.Tables[topic] = state
		for p := range state.From {
			tp := log.TopicPartition{Topic: topic, Partition: int32(p)}
			r.cut.Offsets[tp] = f.Offsets[tp]
		}
	}
	return r
}

func (s *scout) hold(what, mend string) *pipeline.Refusal {
	if mend == "" {
		mend = "evert status   # how far source " + s.source + " is"
	}
	return &pipeline.Refusal{Code: CodeHeld, Where: "view " + s.task.Name + ", source " + s.source, What: what + "; the view keeps its last cut", Mend: mend}
}
