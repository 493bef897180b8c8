package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/schema"
)

// catalog is the shop's tables.
type catalog []*schema.Table

// Table finds a table by its name.
func (c catalog) Table(_, _, name string) (*schema.Table, error) {
	for _, t := range c {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("there is no table %s", name)
}

// View finds none.
func (c catalog) View(string) (string, bool) { return "", false }

// Runner maintains one view on disk. One goroutine uses it.
type Runner struct {
	engine *dataflow.Engine
	store  *store.Store
	pool   *spill.Pool
	inputs [3][]int // by table: the places in the plan's inputs
	plan   *dataflow.Plan
	row    schema.Row

	Changed int64 // rows of the view that changed, so far
}

// Config places a Runner.
type Config struct {
	Dir     string // a folder of its own
	Memory  int64  // of sorters
	Cache   int64  // of state
	Workers int    // that fill
}

// Open compiles a view and begins its state.
func Open(v View, c Config) (*Runner, error) {
	tables := Tables()
	compiled, err := sql.Compile(v.SQL, catalog(tables), sql.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Name, err)
	}
	r := &Runner{plan: compiled.Plan}
	for i, in := range r.plan.Inputs {
		at := slices.IndexFunc(tables, func(t *schema.Table) bool { return t.Name == in.Table.Name })
		r.inputs[at] = append(r.inputs[at], i)
	}
	if r.pool, err = spill.Open(c.Dir+"/spill", spill.Options{Memory: c.Memory}); err != nil {
		return nil, err
	}
	if r.engine, err = dataflow.New(r.plan, dataflow.Env{NewSorter: r.pool.NewSorter, MaxGroup: 64 << 20, Workers: c.Workers}); err != nil {
		return nil, err
	}
	shared := store.NewShared(c.Cache, 500)
	defer shared.Close() // the store holds on to it
	r.store, err = store.Open(c.Dir+"/state", store.Identity{View: v.Name}, store.Options{Shared: shared, Reserve: -1})
	return r, err
}

// Epoch runs one epoch over changes. The first one fills the view.
func (r *Runner) Epoch(ctx context.Context, changes func(yield func(Change) bool)) (err error) {
	step, err := r.store.Begin()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, step.Discard()) }()
	var reads dataflow.Reader
	if r.store.Epoch() > 0 {
		reads = step
	}
	e, err := r.engine.Begin(reads, step)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	for c := range changes {
		if err := r.say(e, &c); err != nil {
			return err
		}
	}
	if _, err := e.Finish(ctx, func(dataflow.Change) error { r.Changed++; return nil }); err != nil {
		return err
	}
	return step.Commit([]byte("done"))
}

// say tells the plan's inputs of a change.
func (r *Runner) say(e *dataflow.Epoch, c *Change) error {
	for _, input := range r.inputs[c.Table] {
		if c.Row == nil {
			if err := e.Delete(input, c.Key); err != nil {
				return err
			}
			continue
		}
		r.row = r.row[:0]
		for _, col := range r.plan.Inputs[input].Carry {
			r.row = append(r.row, c.Row[col])
		}
		if err := e.Upsert(input, r.row); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the state.
func (r *Runner) Close() error { return r.store.Close() }
