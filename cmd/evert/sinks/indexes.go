package sinks

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/sinks/bleve"
)

// indexing are the sinks of a daemon that can be searched, by name.
type indexing map[string]searched

// searched is one of them: its index, and how far the sink is.
type searched struct {
	*Sink
	index *bleve.Index
}

// Indexes gives those of the daemon's sinks.
func (s *Sinks) Indexes() api.Indexes {
	all := indexing{}
	s.each(func(s *Sink) {
		if o, ok := s.Outlet.(*outlets.BleveOutlet); ok {
			all[s.Name] = searched{s, o.Index}
		}
	})
	return all
}

// LoadIndexes makes readable what was there, each by a call of run. What keeps an index
// from that, its sink says as well.
func (s *Sinks) LoadIndexes(ctx context.Context, run func(func())) {
	s.each(func(s *Sink) {
		if o, ok := s.Outlet.(*outlets.BleveOutlet); ok {
			run(func() { _ = o.Index.Load(ctx) })
		}
	})
}

// SweepIndexes removes the indexes of sinks that are not in the file any more, as
// the states of views go: both can be made anew from the log.
func SweepIndexes(c *configs.Config, logger *slog.Logger) error {
	root, err := os.OpenRoot(outlets.IndexesDir(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		if s := c.Sinks[e.Name()]; s != nil && s.Bleve != nil || !e.IsDir() {
			continue
		}
		logger.Info("a sink is not in the file any more: its index is removed", "sink", e.Name())
		err = errors.Join(err, root.RemoveAll(e.Name()))
	}
	return err
}

// Names implements api.Indexes.
func (x indexing) Names() []string { return slices.Sorted(maps.Keys(x)) }

// Index implements api.Indexes.
func (x indexing) Index(name string) (api.Index, bool) {
	one, ok := x[name]
	return one, ok
}

// Search implements api.Index.
func (s searched) Search(ctx context.Context, r bleve.Request) (*bleve.Result, error) {
	return s.index.Search(ctx, r)
}

// State implements api.Index.
func (s searched) State() (bleve.State, error) { return s.index.State() }

// Moved implements api.Index: what moves the index, moves the sink behind it.
func (s searched) Moved() <-chan struct{} { return s.Delivery.Moved() }

// At implements api.Index.
func (s searched) At(place pipeline.Resume) (query.Vector, time.Time) {
	cut, ok := s.Delivery.CutAt(place)
	if !ok {
		return nil, time.Time{}
	}
	if source, _, ok := s.Config.Tables(); ok {
		return query.Vector{source: cut.Resume.At.Native}, cut.Time
	}
	isSource := func(name string) bool { return s.sinks.File.Sources[name] != nil }
	return view.Natives(cut.Resume.At.Native, isSource), cut.Time
}

// Progress implements api.Index.
func (s searched) Progress() api.Progress {
	p := s.Delivery.Status().Progress
	return api.Progress{Rows: p.Rows, SecondsLeft: p.Left().Seconds()}
}
