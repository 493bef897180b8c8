package dataflow

import (
	"errors"
	"fmt"

	"github.com/evertdb/evert/schema"
)

// Env is what an engine gets from outside.
type Env struct {
	// NewSorter makes a place for deltas. They are closed with the epoch.
	NewSorter func() (Sorter, error)
	// MaxGroup bounds, in bytes, what is held in memory of one key of a join
	// before it spills, and how long one value that an aggregate builds may be.
	MaxGroup int64
	// Workers is how many goroutines an epoch without a Reader may use, which
	// fills a view; 0: one. NewSorter is then called from any of them, Put and
	// Delete by one at a time.
	Workers int
	// Trace is told every delta that a node gives, if it is not nil; an
	// engine with one has one worker. The row is valid during the call.
	Trace func(node int, row schema.Row, weight int64)
}

// An Engine runs a plan, one epoch at a time. What it says of its layout may be
// asked from any goroutine, also during an epoch.
type Engine struct {
	plan   *Plan
	env    Env
	nodes  []*vertex // inputs before those who read them
	inputs []*input  // by their place in the plan
	steps  []step    // in the order in which they run
	waits  schedule
	out    *output
	layout []Collection
	open   bool // there is an epoch
}

// A step is an operator that waits for all its deltas before it begins.
type step interface {
	run(t *Epoch) error // frees its deltas when nobody needs them any more
	reset() error       // drops them, wherever the epoch is
}

// New makes the engine of a plan.
func New(p *Plan, env Env) (*Engine, error) {
	if env.NewSorter == nil || env.MaxGroup <= 0 {
		return nil, errors.New("dataflow: an engine needs sorters and a bound on groups")
	}
	c := &compiler{e: &Engine{plan: p, env: env}, made: map[Node]*vertex{}, sides: map[string]*arrangement{}}
	if err := c.compile(); err != nil {
		return nil, fmt.Errorf("dataflow: %w", err)
	}
	c.e.waits = c.e.scheduled()
	return c.e, nil
}

// Plan is the plan that it runs.
func (e *Engine) Plan() *Plan { return e.plan }

// Nodes are the operators, inputs before those who read them; a delta's and a
// figure's node is its place here.
func (e *Engine) Nodes() []Node {
	nodes := make([]Node, len(e.nodes))
	for i, v := range e.nodes {
		nodes[i] = v.node
	}
	return nodes
}

// Begin opens an epoch over the state that r reads, nil if it is empty, with
// writes going to w. There is at most one epoch at a time.
func (e *Engine) Begin(r Reader, w Writer) (*Epoch, error) {
	if e.open {
		return nil, errors.New("dataflow: an epoch is open already")
	}
	e.open = true
	t := &Epoch{e: e, fresh: r == nil, meter: &meteredWriter{w: w}}
	t.w = t.meter
	if r != nil {
		t.r = &meteredReader{r: r}
	}
	for _, v := range e.nodes {
		v.in, v.out = 0, 0
	}
	return t, nil
}
