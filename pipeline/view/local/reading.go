package local

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

const shapeEnding = ".shape"

// described is the file that says what a version's rows look like, in the schema
// of its topic.
type described struct {
	Key     string  `json:"key"`
	Value   string  `json:"value"`
	Indexes [][]int `json:"indexes,omitempty"`
}

// Describe notes what the rows of a version look like.
func (f *Folder) Describe(hash string, t *schema.Table, indexes [][]int) error {
	codec, err := avro.Compile(t, avro.Options{Topic: t.Name, Envelope: avro.Row})
	if err != nil {
		return err
	}
	b, err := json.Marshal(described{codec.KeySchema(), codec.ValueSchema(), indexes})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return err
	}
	f.described.Store(&hash)
	return os.WriteFile(f.version(hash)+shapeEnding, b, 0o600)
}

// Shape reads what Describe wrote.
func (f *Folder) Shape(hash string) (*query.Shape, error) {
	b, err := os.ReadFile(f.version(hash) + shapeEnding)
	if err != nil {
		return nil, err
	}
	var d described
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("read the shape of version %s: %w", hash, err)
	}
	codec, err := avro.ParseCodec(d.Key, d.Value)
	if err != nil {
		return nil, fmt.Errorf("read the shape of version %s: %w", hash, err)
	}
	return query.NewShape(codec.Table().Columns, codec.Table().Key, d.Indexes)
}

// A Looker shows a view: a view.Task, or a view.Still.
type Looker interface {
	Look() (*view.Look, error)
}

// A Reading is what is shown of a view as query reads it. Its methods may be called
// from any goroutine.
type Reading struct {
	At Looker
	// Of finds the shape of a version.
	Of func(version string) (*query.Shape, error)

	mu    sync.Mutex
	shape *query.Shape
	of    string
}

// Snapshot pins what the view shows; nil if there is nothing.
func (r *Reading) Snapshot() (query.Snapshot, error) {
	look, err := r.At.Look()
	if err != nil || look == nil {
		return nil, err
	}
	shape, err := r.shapeOf(look.Version)
	if err != nil {
		_ = look.Close()
		return nil, err
	}
	return &pinned{look, shape}, nil
}

func (r *Reading) shapeOf(version string) (*query.Shape, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == version {
		return r.shape, nil
	}
	shape, err := r.Of(version)
	if err == nil {
		r.shape, r.of = shape, version
	}
	return shape, err
}

type pinned struct {
	*view.Look
	shape *query.Shape
}

func (p *pinned) Shape() *query.Shape { return p.shape }
func (p *pinned) Epoch() query.Epoch  { return EpochOf(p.Shown) }

// EpochOf is what a view shows, in the words of those who read it.
func EpochOf(s view.Shown) query.Epoch {
	return query.Epoch{Version: versionOf(s.Version), Number: s.Epoch, At: placesOf(s.At), Time: s.At.Time(), Old: s.Old}
}

func placesOf(v view.Vector) query.Vector {
	at := query.Vector{}
	for source, cut := range v {
		at[source] = cut.Resume.At.Native
	}
	return at
}

// Hasten says that a reader waits, see query.View. Only a task can make haste.
func (r *Reading) Hasten(covers func(query.Vector) bool) (leave func()) {
	task, ok := r.At.(*view.Task)
	if !ok {
		return func() {}
	}
	return task.Hasten(func(at view.Vector) bool { return covers(placesOf(at)) })
}

// versionOf makes a number of a hash.
func versionOf(hash string) uint64 {
	var b [8]byte
	if raw, err := hex.DecodeString(hash); err == nil && len(raw) >= len(b) {
		return binary.BigEndian.Uint64(raw)
	}
	copy(b[:], hash)
	return binary.BigEndian.Uint64(b[:])
}

// Phases translates how a view is.
func Phases(s view.Status) query.State {
	q := query.State{Phase: query.Live}
	switch s.Phase {
	case view.Hydrating:
		q.Phase, q.Rows, q.Of, q.Left = query.Filling, s.Progress.Done, s.Progress.Total, s.Progress.Left()
		q.Why = s.Held
	case view.Frozen:
		q.Phase, q.Why = query.Frozen, s.Held
	}
	return q
}

// Follow tells a feed what a task does, beside what events tells.
func Follow(feed *query.Feed, shape *query.Shape, e view.Events) view.Events {
	told := e
	e.Begun = func() { feed.Begin(); call(told.Begun) }
	e.Changed = func(c dataflow.Change) { feed.Change(shape, c) }
	e.Showing = func(s view.Shown) { feed.Start(EpochOf(s)); call1(told.Showing, s) }
	e.Drifted = func(s view.Shown) { feed.Drift(EpochOf(s)); call1(told.Drifted, s) }
	e.Epoch = func(t view.Epochal) {
		if t.Anew {
			feed.Start(EpochOf(t.Shown))
		} else {
			feed.Done(EpochOf(t.Shown))
		}
		call1(told.Epoch, t)
	}
	return e
}

func call(f func()) {
	if f != nil {
		f()
	}
}

func call1[T any](f func(T), v T) {
	if f != nil {
		f(v)
	}
}
