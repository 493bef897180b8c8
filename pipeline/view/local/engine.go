package local

import (
	"context"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema"
)

// An Engine is dataflow's, as a view uses it.
type Engine struct {
	*dataflow.Engine
	tally tally
	key   []byte
	row   schema.Row
}

var _ view.Engine = (*Engine)(nil)

// NewEngine makes the engine of a plan.
func NewEngine(p *dataflow.Plan, env dataflow.Env) (*Engine, error) {
	e, err := dataflow.New(p, env)
	if err != nil {
		return nil, err
	}
	return &Engine{Engine: e}, nil
}

// Begin opens an epoch.
func (e *Engine) Begin(r dataflow.Reader, w dataflow.Writer) (view.Epoch, error) {
	t, err := e.Engine.Begin(r, w)
	if err != nil {
		return nil, err
	}
	return epoch{t, e, r == nil}, nil
}

type epoch struct {
	*dataflow.Epoch
	engine *Engine
	fills  bool // an empty state
}

func (t epoch) Finish(ctx context.Context, emit func(dataflow.Change) error) error {
	did, err := t.Epoch.Finish(ctx, emit)
	if err == nil {
		t.engine.tally.add(&did, t.fills)
	}
	return err
}

// Result gives a row of the view.
func (e *Engine) Result(r dataflow.Reader, key schema.Row) (schema.Row, bool, error) {
	e.key = e.OutputKey(e.key[:0], key)
	value, ok, err := r.Get(e.key)
	if !ok || err != nil {
		return nil, false, err
	}
	e.row, err = e.OutputRow(value, e.row[:0])
	return e.row, err == nil, err
}
