package view

import (
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
)

// Events are told what a view does, on the task's own goroutine; they must not
// block. Any of them may be nil.
type Events struct {
	Opened     func(o Opening)             // the state was taken up
	Held       func(why *pipeline.Refusal) // no epoch until a table is there; nil: no longer
	Reading    func(p Progress)            // rows came, of a large epoch or of a hydration
	Part       func(part, rows int)        // a part of a large epoch was committed
	Showing    func(s Shown)               // the state of before is shown again, or that of an earlier version
	Begun      func()                      // the operators of an epoch begin
	Changed    func(c dataflow.Change)     // a row of the result changes; it is not kept
	Drifted    func(s Shown)               // the same rows hold at later positions
	Epoch      func(e Epochal)             // an epoch is committed, applied and shown
	Rebuilding func(why string)            // the state is thrown away, and built anew
	Damaged    func(err error)             // the state cannot be trusted; the next Run begins an empty one
	Switched   func(old []string)          // earlier versions' states were removed
}

// Opening says how a view was taken up.
type Opening struct {
	Hydrating bool   // the state is filled anew
	Why       string // it is
	At        Vector // where it goes on; nil if hydrating
	Tail      int64  // records of the view's topic that the state has not seen
}

// Progress is how far an epoch has read.
type Progress struct {
	Hydrating bool
	Rows      int64 // records so far
	Bytes     int64
	Done      int64 // offsets passed
	Total     int64 // offsets to pass
	Took      time.Duration
}

// Share is the part that is read, at most 1.
func (p Progress) Share() float64 {
	if p.Total <= 0 {
		return 1
	}
	return min(1, float64(p.Done)/float64(p.Total))
}

// Left is how long the rest takes at the pace so far; 0 if that is not known.
func (p Progress) Left() time.Duration {
	if p.Done <= 0 || p.Done >= p.Total {
		return 0
	}
	return time.Duration(float64(p.Took) * float64(p.Total-p.Done) / float64(p.Done))
}

func (t *Task) opened(why string) {
	if t.Events.Opened == nil {
		return
	}
	o := Opening{Hydrating: t.at == nil, Why: why, At: t.at}
	if t.told != nil {
		o.Tail = t.told.n
	}
	t.Events.Opened(o)
}
