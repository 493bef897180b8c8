package view_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema"
)

// This file has an engine that works out the whole result anew, and a disk for
// states that outlives every crash. Both are slow, and too simple to be wrong.

// toy is an engine over a function from all rows of all inputs to the result.
type toy struct {
	plan   *dataflow.Plan
	result func(tables []table) table
}

// A table is rows by the text of their key.
type table = intaketest.Rows

func places(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// parseRow reads what intaketest.AppendValue wrote of each value.
func parseRow(b []byte) schema.Row {
	var row schema.Row
	for len(b) > 0 {
		switch b[0] {
		case 'i':
			row, b = append(row, schema.Int(int64(binary.BigEndian.Uint64(b[1:])))), b[9:]
		case 't':
			n := binary.BigEndian.Uint32(b[1:])
			row, b = append(row, schema.Text(bytes.Clone(b[5:5+n]))), b[5+n:]
		default:
			row, b = append(row, schema.Null()), b[1:]
		}
	}
	return row
}

// The state's keys: a byte for the collection, 0 the result and then the inputs,
// and the key's text.
func stateKey(collection int, key string) []byte { return append([]byte{byte(collection)}, key...) }

func (y *toy) Begin(r dataflow.Reader, w dataflow.Writer) (view.Epoch, error) {
	e := &toyEpoch{toy: y, w: w, before: make([]table, len(y.plan.Inputs)+1)}
	for c := range e.before {
		e.before[c] = table{}
		if r == nil {
			continue
		}
		cursor, err := r.Scan([]byte{byte(c)}, []byte{byte(c + 1)})
		if err != nil {
			return nil, err
		}
		for cursor.Next() {
			e.before[c][string(cursor.Key()[1:])] = parseRow(cursor.Value())
		}
		if err := errors.Join(cursor.Err(), cursor.Close()); err != nil {
			return nil, err
		}
	}
	for _, t := range e.before {
		e.after = append(e.after, maps.Clone(t))
	}
	return e, nil
}

func (y *toy) Result(r dataflow.Reader, key schema.Row) (schema.Row, bool, error) {
	v, ok, err := r.Get(stateKey(0, intaketest.KeyText(key, places(len(key)))))
	if !ok || err != nil {
		return nil, false, err
	}
	return parseRow(v), true, nil
}

type toyEpoch struct {
	*toy
	w             dataflow.Writer
	before, after []table
}

func (e *toyEpoch) Upsert(input int, row schema.Row) error {
	e.after[input+1][intaketest.KeyText(row, e.plan.Inputs[input].Key)] = row.Clone()
	return nil
}

func (e *toyEpoch) Delete(input int, key schema.Row) error {
	delete(e.after[input+1], intaketest.KeyText(key, places(len(key))))
	return nil
}

func (e *toyEpoch) Clear(input int) error {
	e.after[input+1] = table{}
	return nil
}

func (e *toyEpoch) Finish(_ context.Context, emit func(dataflow.Change) error) error {
	e.after[0] = e.result(e.after[1:])
	for c := range e.after {
		for _, key := range slices.Sorted(maps.Keys(union(e.before[c], e.after[c]))) {
			was, is := e.before[c][key], e.after[c][key]
			if was != nil && is != nil && was.Identical(is) {
				continue
			}
			if err := e.write(stateKey(c, key), is); err != nil {
				return err
			}
			if c > 0 {
				continue
			}
			of := was
			if is != nil {
				of = is
			}
			change := dataflow.Change{Old: was, New: is}
			for _, i := range e.plan.Key {
				change.Key = append(change.Key, of[i])
			}
			if err := emit(change); err != nil {
				return err
			}
		}
	}
	return nil
}

func union(a, b table) table {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func (e *toyEpoch) write(key []byte, row schema.Row) error {
	if row == nil {
		return e.w.Delete(key)
	}
	var b []byte
	for _, v := range row {
		b = intaketest.AppendValue(b, v)
	}
	return e.w.Put(key, b)
}

func (e *toyEpoch) Close() error { return nil }

// disk is where states lie.
type disk struct {
	mu     sync.Mutex
	states map[string]*contents
	aside  map[string]bool
	edge   func(what string) error // faults: before and after each effect
	open   int
	check  func(progress []byte) // at each commit
}

type contents struct {
	rows     map[string][]byte
	progress []byte
	damaged  bool
	dead     bool // until it is closed
}

func newDisk() *disk {
	return &disk{states: map[string]*contents{}, aside: map[string]bool{}, edge: func(string) error { return nil }}
}

func (d *disk) Open(hash string) (view.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.states[hash]
	if c == nil {
		c = &contents{rows: map[string][]byte{}}
		d.states[hash] = c
	}
	if c.damaged && d.aside[hash] {
		return nil, &pipeline.Refusal{Code: "STATE_DAMAGED", What: "again"}
	}
	if c.damaged {
		d.aside[hash] = true
		delete(d.states, hash)
		return nil, fmt.Errorf("open: %w", view.ErrDamaged)
	}
	d.open++
	return &memState{disk: d, contents: c}, nil
}

func (d *disk) Versions() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.states)), nil
}

// largest counts the rows of the largest state.
func (d *disk) largest() (most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.states {
		most = max(most, len(c.rows))
	}
	return most
}

func (d *disk) Remove(hash string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.states, hash)
	return nil
}

type memState struct {
	disk *disk
	*contents
}

func (s *memState) Progress() []byte {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return s.progress
}

func (s *memState) Begin() (view.Batch, error) {
	if err := s.disk.edge("begin"); err != nil {
		return nil, err
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.damaged {
		return nil, fmt.Errorf("read: %w", view.ErrDamaged)
	}
	if s.dead {
		return nil, view.ErrDead
	}
	return &memBatch{memView: memView{maps.Clone(s.rows)}, s: s, puts: map[string][]byte{}}, nil
}

func (s *memState) Snapshot() (view.Snapshot, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return forward{&memView{maps.Clone(s.rows)}}, nil
}

// forward is a snapshot that nobody reads backward.
type forward struct{ *memView }

func (f forward) Scan(low, high []byte, _ bool) (dataflow.Cursor, error) {
	return f.memView.Scan(low, high)
}

func (s *memState) Sorter() (dataflow.Sorter, error) { return &memSorter{}, nil }

func (s *memState) Bytes() int64 { return int64(len(s.rows)) }

func (s *memState) Close() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.disk.open--
	s.dead = false
	return nil
}

// memView reads rows as they were.
type memView struct{ rows map[string][]byte }

func (v *memView) Get(key []byte) ([]byte, bool, error) {
	value, ok := v.rows[string(key)]
	return value, ok, nil
}

func (v *memView) Scan(low, high []byte) (dataflow.Cursor, error) {
	c := &memCursor{at: -1}
	for k, value := range v.rows {
		if k >= string(low) && k < string(high) {
			c.entries = append(c.entries, entry{[]byte(k), value})
		}
	}
	c.sort()
	return c, nil
}

func (v *memView) Close() error { return nil }

type memBatch struct {
	memView
	s    *memState
	puts map[string][]byte // nil: deleted
}

func (b *memBatch) Put(key, value []byte) error {
	if _, twice := b.puts[string(key)]; twice {
		return fmt.Errorf("key %q was written twice", key)
	}
	b.puts[string(key)] = append([]byte{}, value...)
	return nil
}

func (b *memBatch) Bytes() int64 { return int64(len(b.puts)) }

func (b *memBatch) Delete(key []byte) error { b.puts[string(key)] = nil; return nil }

func (b *memBatch) Commit(progress []byte) error {
	d := b.s.disk
	if err := d.edge("apply"); err != nil {
		return err
	}
	if d.check != nil {
		d.check(progress)
	}
	d.mu.Lock()
	rows := maps.Clone(b.s.rows)
	for k, v := range b.puts {
		rows[k] = v
		if v == nil {
			delete(rows, k)
		}
	}
	b.s.rows, b.s.progress = rows, bytes.Clone(progress)
	d.mu.Unlock()
	return d.edge("applied")
}

func (b *memBatch) Discard() error { return nil }

type entry struct{ key, value []byte }

type memSorter struct{ memCursor }

func (s *memSorter) Add(key, value []byte) error {
	s.entries = append(s.entries, entry{bytes.Clone(key), bytes.Clone(value)})
	return nil
}

func (s *memSorter) Sort() (dataflow.Cursor, error) {
	c := &memCursor{entries: slices.Clone(s.entries), at: -1}
	c.sort()
	return c, nil
}

type memCursor struct {
	entries []entry
	at      int
}

func (c *memCursor) sort() {
	sort.SliceStable(c.entries, func(i, j int) bool { return bytes.Compare(c.entries[i].key, c.entries[j].key) < 0 })
}

func (c *memCursor) Next() bool    { c.at++; return c.at < len(c.entries) }
func (c *memCursor) Key() []byte   { return c.entries[c.at].key }
func (c *memCursor) Value() []byte { return c.entries[c.at].value }
func (c *memCursor) Err() error    { return nil }
func (c *memCursor) Close() error  { return nil }
