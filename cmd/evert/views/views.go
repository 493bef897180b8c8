package views

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema/registry"
)

// A Config is what the views of a file are made from.
type Config struct {
	File     *configs.Config
	Topics   *storage.Log
	Registry registry.Registry
	Reads    *query.Reader
	Log      *slog.Logger
	FailFast bool        // end at the first failure
	Fail     func(error) // ends the daemon; it may be called from any goroutine
}

// Views is what all views of a daemon share.
//
//	limits.memory ─┬─ a quarter: blocks of states that were read
//	               ├─ an eighth: what is sorted before it spills to data_dir/spill
//	               └─ a sixteenth: one group of a join or an aggregate
type Views struct {
	Config
	shared  *store.Shared
	pool    *spill.Pool
	Group   int64
	byName  map[string]*maintaining
	running []*maintaining
}

// Open makes the views of the file; nothing runs yet. It is nil if there are none.
func Open(c Config) (v *Views, err error) {
	if len(c.File.Views) == 0 {
		return nil, removeLeft(c.File, c.Log)
	}
	memory := int64(c.File.Limits.Memory)
	v = &Views{Config: c, shared: store.NewShared(memory/4, stateFiles), Group: memory / 16, byName: map[string]*maintaining{}}
	if v.pool, err = spill.Open(datadir.SpillPath(c.File.DataDir, "views.tmp"), spill.Options{Memory: memory / 8, Disk: int64(c.File.Limits.SpillBytes)}); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.File.Views)) {
		m := v.newView(name)
		v.byName[name], v.running = m, append(v.running, m)
	}
	return v, removeLeft(c.File, c.Log)
}

// stateFiles is how many files of states are open at one time.
const stateFiles = 500

// Names implements api.Views.
func (v *Views) Names() []string { return slices.Sorted(maps.Keys(v.byName)) }

// View implements api.Views.
func (v *Views) View(name string) (query.View, bool) {
	m, ok := v.byName[name]
	return m, ok
}

// Explain implements api.Views.
func (v *Views) Explain(name string) (*api.Explanation, error) {
	m, ok := v.byName[name]
	if !ok {
		return nil, api.NoView(name)
	}
	return m.explain()
}

// The rest may be called with a nil v: there are no views.

// Close frees what the views shared; they have ended.
func (v *Views) Close() {
	if v != nil {
		v.shared.Close()
	}
}

func (v *Views) all() []*maintaining {
	if v == nil {
		return nil
	}
	return v.running
}

// Start begins to maintain every view, until ctx ends or Cancel is called.
func (v *Views) Start(ctx context.Context) {
	for _, m := range v.all() {
		m.start(ctx)
	}
}

// Cancel tells every view to end.
func (v *Views) Cancel() {
	for _, m := range v.all() {
		m.cancel()
	}
}

// Wait returns when every view has ended.
func (v *Views) Wait() {
	for _, m := range v.all() {
		m.wait()
	}
}

// Meters are the numbers of the metrics.
func (v *Views) Meters() (all []*monitor.View) {
	for _, m := range v.all() {
		all = append(all, m.meter)
	}
	return all
}

// Reports gives what tells the metrics how every view is; nil if there are none.
func (v *Views) Reports() func() []monitor.ViewStatus {
	if v == nil {
		return nil
	}
	return v.Status
}

// CaughtUp waits until every view shows what its sources have committed, or has
// stopped.
func (v *Views) CaughtUp(ctx context.Context) {
	for _, m := range v.all() {
		m.caughtUp(ctx)
	}
}

// Status gives how every view is.
func (v *Views) Status() (all []monitor.ViewStatus) {
	if v == nil {
		return nil
	}
	for _, m := range v.running {
		all = append(all, m.status())
	}
	return all
}
