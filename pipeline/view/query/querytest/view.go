// Package querytest is a view in memory, whose epochs are made by a test.
package querytest

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
)

// A View is a view whose epochs are made by a test. Its methods may be called
// from any goroutine.
type View struct {
	Open atomic.Int64 // snapshots that are not closed

	feed   *query.Feed
	shape  *query.Shape
	orders []order

	mu    sync.Mutex
	rows  map[string]schema.Row // by key of collection 0
	now   *cut                  // nil: nothing completed
	state query.State
	moved chan struct{}
	waits map[int]func(query.Vector) bool // readers that do
	came  int                             // of these, ever
}

// order is a collection, as pipeline/dataflow says how it lies in a store.
type order struct {
	begin   []byte
	columns []int
	key     *tuple.Key
}

// cut is the store after one epoch.
type cut struct {
	shape  *query.Shape
	epoch  query.Epoch
	keys   []string
	values map[string][]byte
}

// New makes a view that fills, and has completed no epoch.
func New(shape *query.Shape, feed *query.Feed) (*View, error) {
	m := &View{shape: shape, feed: feed, rows: map[string]schema.Row{}, waits: map[int]func(query.Vector) bool{}, state: query.State{Phase: query.Filling}, moved: make(chan struct{})}
	for i, index := range append([][]int{nil}, shape.Indexes...) {
		o := order{begin: []byte{0, byte(i)}, columns: slices.Concat(index, shape.Key)}
		columns := make([]schema.Column, len(o.columns))
		for j, c := range o.columns {
			columns[j] = shape.Columns[c]
		}
		var err error
		if o.key, err = tuple.NewKey(columns, nil); err != nil {
			return nil, err
		}
		m.orders = append(m.orders, o)
	}
	return m, nil
}

// Step makes an epoch: rows are put in place of those with their keys; those in
// gone, which are keys, are deleted.
func (m *View) Step(e query.Epoch, rows []schema.Row, gone ...schema.Row) {
	m.mu.Lock()
	m.feed.Begin()
	for _, row := range rows {
		key := make(schema.Row, len(m.shape.Key))
		for i, c := range m.shape.Key {
			key[i] = row[c]
		}
		m.rows[m.key(key)] = row
		m.feed.Change(m.shape, dataflow.Change{Key: key, New: row})
	}
	for _, key := range gone {
		delete(m.rows, m.key(key))
		m.feed.Change(m.shape, dataflow.Change{Key: key, Old: key})
	}
	m.now = m.cut(e)
	m.state = query.State{Phase: query.Live}
	m.wake()
	m.mu.Unlock()
	m.feed.Done(e)
}

func (m *View) key(key schema.Row) string {
	return string(m.orders[0].key.Append([]byte{0, 0}, key, nil))
}

func (m *View) wake() {
	close(m.moved)
	m.moved = make(chan struct{})
}

// Hasten implements query.View.
func (m *View) Hasten(covers func(query.Vector) bool) (leave func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.came
	m.came++
	m.waits[id] = covers
	m.wake()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.waits, id)
	}
}

// Awaited counts the readers that wait, and those of them whom a vector would do.
func (m *View) Awaited(at query.Vector) (all, covered int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, covers := range m.waits {
		if all++; covers(at) {
			covered++
		}
	}
	return all, covered
}

// Tell changes the view's state.
func (m *View) Tell(s query.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = s
	m.wake()
}

func (m *View) cut(e query.Epoch) *cut {
	c := &cut{shape: m.shape, epoch: e, values: map[string][]byte{}}
	for _, row := range m.rows {
		for i, o := range m.orders {
			value := []byte{}
			if i == 0 {
				value = tuple.AppendRow(nil, row)
			}
			c.values[string(o.key.Append(bytes.Clone(o.begin), row, o.columns))] = value
		}
	}
	c.keys = slices.Sorted(maps.Keys(c.values))
	return c
}

// Snapshot implements query.View.
func (m *View) Snapshot() (query.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now == nil {
		return nil, nil
	}
	m.Open.Add(1)
	return &pinned{cut: m.now, owner: m}, nil
}

// State implements query.View.
func (m *View) State() query.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Moved implements query.View.
func (m *View) Moved() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.moved
}

// Feed implements query.View.
func (m *View) Feed() *query.Feed { return m.feed }

// pinned is a snapshot of a cut.
type pinned struct {
	*cut
	owner  *View
	closed bool
}

var errClosed = errors.New("the snapshot is closed")

func (p *pinned) Shape() *query.Shape { return p.shape }
func (p *pinned) Epoch() query.Epoch  { return p.epoch }

func (p *pinned) Get(key []byte) ([]byte, bool, error) {
	if p.closed {
		return nil, false, errClosed
	}
	v, ok := p.values[string(key)]
	return v, ok, nil
}

func (p *pinned) Scan(low, high []byte, backward bool) (dataflow.Cursor, error) {
	if p.closed {
		return nil, errClosed
	}
	from, _ := slices.BinarySearch(p.keys, string(low))
	to, _ := slices.BinarySearch(p.keys, string(high))
	keys := slices.Clone(p.keys[from:max(from, to)])
	if backward {
		slices.Reverse(keys)
	}
	return &walk{p: p, keys: keys, at: -1}, nil
}

func (p *pinned) Close() error {
	if !p.closed {
		p.closed = true
		p.owner.Open.Add(-1)
	}
	return nil
}

// walk is a cursor that gives bytes which the next step spoils.
type walk struct {
	p          *pinned
	keys       []string
	at         int
	key, value []byte
}

func (w *walk) Next() bool {
	for _, b := range [][]byte{w.key, w.value} {
		for i := range b {
			b[i] ^= 0x55
		}
	}
	if w.at++; w.at >= len(w.keys) || w.p.closed {
		return false
	}
	w.key, w.value = []byte(w.keys[w.at]), bytes.Clone(w.p.values[w.keys[w.at]])
	return true
}

func (w *walk) Key() []byte   { return w.key }
func (w *walk) Value() []byte { return w.value }
func (w *walk) Close() error  { return nil }

func (w *walk) Err() error {
	if w.p.closed {
		return errClosed
	}
	return nil
}
