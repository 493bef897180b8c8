package local

import (
	"errors"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/pipeline/view/query"
)

// A Resting is a view that nobody maintains, as its newest state has it. It is
// read only.
type Resting struct {
	store *store.Store
	shape *query.Shape
	shown view.Shown
	why   *pipeline.Refusal
}

var _ query.View = (*Resting)(nil)

// Rest opens the newest state of the folder without changing anything; nil if
// there is none that was ever shown. why says to readers that nobody maintains
// it. The caller owns the data directory, and closes the Resting.
func (f *Folder) Rest(why *pipeline.Refusal) (newest *Resting, err error) {
	versions, err := f.Versions()
	if err != nil {
		return nil, err
	}
	for _, hash := range versions {
		r, err := f.restVersion(hash)
		if err != nil {
			return nil, errors.Join(err, newest.Close())
		}
		if r == nil {
			continue
		}
		if newest == nil || r.shown.Epoch > newest.shown.Epoch {
			r, newest = newest, r
		}
		if err := r.Close(); err != nil {
			return nil, errors.Join(err, newest.Close())
		}
	}
	if newest != nil {
		newest.why = why
	}
	return newest, nil
}

func (f *Folder) restVersion(hash string) (*Resting, error) {
	id, options := f.Identity, f.Options
	id.Plan, options.ReadOnly = hash, true
	s, err := store.Open(f.version(hash), id, options)
	if err != nil {
		return nil, err
	}
	r := &Resting{store: s}
	if len(s.Progress()) == 0 { // it was being filled
		return nil, s.Close()
	}
	if r.shown, err = view.ShownOf(hash, s.Progress()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if r.shape, err = f.Shape(hash); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return r, nil
}

// Snapshot implements query.View.
func (r *Resting) Snapshot() (query.Snapshot, error) {
	n, err := r.store.Snapshot()
	if err != nil {
		return nil, translated(err)
	}
	return &rested{snapshot{at: n}, r}, nil
}

// State implements query.View.
func (r *Resting) State() query.State { return query.State{Phase: query.Stopped, Why: r.why} }

// Moved implements query.View: it never does.
func (r *Resting) Moved() <-chan struct{} { return nil }

// Feed implements query.View: nothing comes by.
func (r *Resting) Feed() *query.Feed { return query.NewFeed(0, 0) }

// Hasten implements query.View: nobody can.
func (r *Resting) Hasten(func(query.Vector) bool) (leave func()) { return func() {} }

// Close frees the state; a nil Resting has none.
func (r *Resting) Close() error {
	if r == nil {
		return nil
	}
	return r.store.Close()
}

type rested struct {
	snapshot
	of *Resting
}

func (s *rested) Shape() *query.Shape { return s.of.shape }
func (s *rested) Epoch() query.Epoch  { return EpochOf(s.of.shown) }
