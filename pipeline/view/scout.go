package view

import (
	"context"
	"sync"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
)

// scout sends out one follower per source, each on a goroutine of its own, and
// gives a function that waits until all have ended, after ctx has.
func (t *Task) scout(ctx context.Context) (wait func()) {
	t.scouts, t.moved = map[string]*intake.Follower{}, make(chan struct{}, 1)
	known := map[string]bool{}
	for source := range t.at {
		known[source] = true
	}
	for _, in := range t.inputs {
		s := t.scouts[in.Source]
		if s == nil {
			s = &intake.Follower{Log: t.Log, Of: "source " + in.Source, Source: in.Source, Topic: log.FrontierTopic(t.Deployment, in.Source),
				Known: func() bool { return known[in.Source] }, Moved: t.wake}
			t.scouts[in.Source] = s
		}
		s.Topics = append(s.Topics, in.topic)
	}
	var all sync.WaitGroup
	for _, s := range t.scouts {
		all.Go(func() { s.Run(ctx) })
	}
	return all.Wait
}

// wake tells the task that a scout has news.
func (t *Task) wake() {
	select {
	case t.moved <- struct{}{}:
	default:
	}
}

// held says why the view is held by a source.
func (t *Task) held(source string, h *intake.Hold) *pipeline.Refusal {
	mend := h.Mend
	if mend == "" {
		mend = "evert status   # how far source " + source + " is"
	}
	return &pipeline.Refusal{Code: CodeHeld, Where: "view " + t.Name + ", source " + source, What: h.What + "; the view keeps its last cut", Mend: mend}
}
