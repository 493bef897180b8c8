package local

import (
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// Work is what an engine has done: the epoch that filled the state last, and all
// epochs behind it, or since the engine was made. An epoch whose commit failed
// counts as well, for it was worked out.
type Work struct {
	Filled    Done
	Following Done
}

// Done is what some epochs did together; the zero Done is none. An epoch in which
// no row moved is not counted.
type Done struct {
	Epochs int64
	Since  time.Time // when the first of them was done
	dataflow.Stats
}

func (d *Done) add(s *dataflow.Stats, now time.Time) {
	if d.Epochs++; d.Epochs == 1 {
		d.Since = now
	}
	d.Stats.Add(s)
}

// tally is the work of an engine, for any goroutine to ask.
type tally struct {
	mu   sync.Mutex
	work Work
}

func (t *tally) add(s *dataflow.Stats, fills bool) {
	moved := s.Rows > 0 || s.Changes > 0
	for _, n := range s.Nodes {
		moved = moved || n.In > 0
	}
	if !moved {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if fills {
		t.work = Work{}
		t.work.Filled.add(s, time.Now())
		return
	}
	t.work.Following.add(s, time.Now())
}

// Work is what the engine has done so far. Any goroutine may ask.
func (e *Engine) Work() Work {
	e.tally.mu.Lock()
	defer e.tally.mu.Unlock()
	w := e.tally.work
	w.Filled.Nodes = append([]dataflow.NodeStat(nil), w.Filled.Nodes...)
	w.Following.Nodes = append([]dataflow.NodeStat(nil), w.Following.Nodes...)
	return w
}
