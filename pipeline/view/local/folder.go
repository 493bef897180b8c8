// Package local puts a view on this machine: its states lie in a folder, its
// plan runs in an engine of dataflow, and readers find what it shows.
//
//	data_dir/views/<view>/<hash>/        the state of one version, see state/store
//	data_dir/views/<view>/<hash>.shape   what its rows look like, for who shows it later
package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/view"
)

// A Folder holds the versions of one view's state. One goroutine uses it.
type Folder struct {
	Dir       string
	Identity  store.Identity // of every version, but for the plan
	Options   store.Options
	NewSorter func() (dataflow.Sorter, error)
	Other     func(why error) // a state of something else was removed; may be nil

	described atomic.Pointer[string] // the version that Describe told of last
}

var _ view.States = (*Folder)(nil)

func (f *Folder) version(hash string) string { return filepath.Join(f.Dir, hash) }

// Open opens the state of a version. One that is of something else, as the file
// in it says, is removed and begun anew (R06).
func (f *Folder) Open(hash string) (view.State, error) {
	id := f.Identity
	id.Plan = hash
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return nil, err
	}
	s, err := store.Open(f.version(hash), id, f.Options)
	if pipeline.CodeOf(err) == store.RefuseOther {
		if f.Other != nil {
			f.Other(err)
		}
		if err := store.Remove(f.version(hash), f.Options); err != nil {
			return nil, err
		}
		s, err = store.Open(f.version(hash), id, f.Options)
	}
	if err != nil {
		return nil, translated(err)
	}
	return &state{Store: s, sorter: f.NewSorter}, nil
}

// translated gives the store's words for a state that is damaged, or cannot go on, as the view knows them.
func translated(err error) error {
	switch {
	case errors.Is(err, store.ErrDamaged):
		return fmt.Errorf("%w: %w", view.ErrDamaged, err)
	case errors.Is(err, store.ErrDead):
		return fmt.Errorf("%w: %w", view.ErrDead, err)
	}
	return err
}

// The endings of what is no version: put aside, being removed, a shape.
var endings = []string{".damaged", ".removed", shapeEnding}

// Versions are the folders of states.
func (f *Folder) Versions() ([]string, error) {
	list, err := os.ReadDir(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []string
	for _, e := range list {
		if e.IsDir() && !slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(e.Name(), end) }) {
			all = append(all, e.Name())
		}
	}
	return all, err
}

// Remove deletes a version. What the rows of the one described last look like
// stays: it is removed to be built anew, and is shown then.
func (f *Folder) Remove(hash string) error {
	if err := store.Remove(f.version(hash), f.Options); err != nil {
		return err
	}
	if d := f.described.Load(); d != nil && *d == hash {
		return nil
	}
	if err := os.Remove(f.version(hash) + shapeEnding); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// state is a store as view.State.
type state struct {
	*store.Store
	sorter func() (dataflow.Sorter, error)
}

// Progress is what the last Commit was given; nil if nothing was.
func (s *state) Progress() []byte {
	if p := s.Store.Progress(); len(p) > 0 {
		return p
	}
	return nil
}

func (s *state) Begin() (view.Batch, error) {
	e, err := s.Store.Begin()
	if err != nil {
		return nil, translated(err)
	}
	return &batch{e}, nil
}

func (s *state) Snapshot() (view.Snapshot, error) {
	n, err := s.Store.Snapshot()
	if err != nil {
		return nil, translated(err)
	}
	return &snapshot{at: n}, nil
}

func (s *state) Sorter() (dataflow.Sorter, error) { return s.sorter() }

func (s *state) Bytes() int64 {
	stats := s.Stats()
	return int64(stats.DiskBytes + stats.MemoryBytes)
}

func (s *state) Close() error { return translated(s.Store.Close()) }

// batch is an epoch of the store, whose damage is the view's.
type batch struct{ e *store.Epoch }

func (b *batch) Get(key []byte) ([]byte, bool, error) {
	v, ok, err := b.e.Get(key)
	return v, ok, translated(err)
}

func (b *batch) Scan(low, high []byte) (dataflow.Cursor, error) {
	c, err := b.e.Scan(low, high)
	if err != nil {
		return nil, translated(err)
	}
	return cursor{c}, nil
}

func (b *batch) Bytes() int64                 { return b.e.Bytes() }
func (b *batch) Put(key, value []byte) error  { return translated(b.e.Put(key, value)) }
func (b *batch) Delete(key []byte) error      { return translated(b.e.Delete(key)) }
func (b *batch) Commit(progress []byte) error { return translated(b.e.Commit(progress)) }
func (b *batch) Discard() error               { return translated(b.e.Discard()) }

type cursor struct{ dataflow.Cursor }

func (c cursor) Err() error { return translated(c.Cursor.Err()) }

// snapshot is one of the store, read by one goroutine.
type snapshot struct {
	at    *store.Snapshot
	value []byte
}

func (s *snapshot) Get(key []byte) (value []byte, ok bool, err error) {
	s.value, ok, err = s.at.Get(s.value[:0], key)
	return s.value, ok, translated(err)
}

func (s *snapshot) Scan(low, high []byte, backward bool) (dataflow.Cursor, error) {
	c, err := s.at.Scan(low, high, backward)
	if err != nil {
		return nil, translated(err)
	}
	return cursor{c}, nil
}

func (s *snapshot) Close() error {
	s.at.Release()
	return nil
}
