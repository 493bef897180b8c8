package dataflow

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// A world is an engine over a state in memory, beside tables that the oracle
// reads.
type world struct {
	t      testing.TB
	plan   *Plan
	engine *Engine
	state  *Memory
	begun  bool
	tables []map[string]schema.Row // by input and key
	result map[string]schema.Row   // by key
	epoch  *Epoch
}

func newWorld(t testing.TB, p *Plan) *world {
	t.Helper()
	e, err := New(p, Env{NewSorter: NewMemorySorter, MaxGroup: 1 << 20, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, plan: p, engine: e, state: &Memory{}, result: map[string]schema.Row{}}
	for range p.Inputs {
		w.tables = append(w.tables, map[string]schema.Row{})
	}
	return w
}

func (w *world) begin() {
	w.t.Helper()
	var r Reader
	if w.begun {
		r = w.state
	}
	w.begun = true
	e, err := w.engine.Begin(r, w.state)
	if err != nil {
		w.t.Fatal(err)
	}
	w.epoch = e
}

func (w *world) open() *Epoch {
	if w.epoch == nil {
		w.begin()
	}
	return w.epoch
}

func (w *world) keyOf(input int, row schema.Row) (string, schema.Row) {
	var key schema.Row
	for _, c := range w.plan.Inputs[input].Key {
		key = append(key, row[c])
	}
	return string(tuple.AppendRow(nil, key)), key
}

func (w *world) upsert(input int, row schema.Row) {
	w.t.Helper()
	if err := w.open().Upsert(input, row); err != nil {
		w.t.Fatal(err)
	}
	k, _ := w.keyOf(input, row)
	w.tables[input][k] = row
}

func (w *world) delete(input int, row schema.Row) {
	w.t.Helper()
	k, key := w.keyOf(input, row)
	if err := w.open().Delete(input, key); err != nil {
		w.t.Fatal(err)
	}
	delete(w.tables[input], k)
}

func (w *world) clear(input int) {
	w.t.Helper()
	if err := w.open().Clear(input); err != nil {
		w.t.Fatal(err)
	}
	w.tables[input] = map[string]schema.Row{}
}

// finish ends the epoch, and compares it with the oracle.
func (w *world) finish() []string {
	w.t.Helper()
	changes, err := w.tryFinish()
	if err != nil {
		w.t.Fatal(err)
	}
	w.checkResult()
	return changes
}

func (w *world) tryFinish() (changes []string, err error) {
	w.t.Helper()
	t := w.open()
	w.epoch = nil
	last := []byte(nil)
	_, err = t.Finish(context.Background(), func(c Change) error {
		key := w.engine.OutputKey(nil, c.Key)
		if last != nil && bytes.Compare(last, key) >= 0 {
			w.t.Error("changes are not in the order of their keys")
		}
		last = key
		changes = append(changes, w.apply(string(key), c))
		return nil
	})
	if cerr := t.Close(); cerr != nil {
		w.t.Fatal(cerr)
	}
	if err != nil {
		w.state.Drop()
		return nil, err
	}
	w.checkWrites(t.fresh)
	w.state.Apply()
	return changes, nil
}

// apply takes a change to the result, of which it must be one.
func (w *world) apply(key string, c Change) string {
	w.t.Helper()
	was, had := w.result[key]
	if had != (c.Old != nil) || had && !was.Identical(c.Old) {
		w.t.Errorf("a change of %s says it was %s; it was %s", show(c.Key), show(c.Old), show(was))
	}
	if c.Old != nil && c.New != nil && c.Old.Identical(c.New) || c.Old == nil && c.New == nil {
		w.t.Errorf("a change of %s to what it was", show(c.Key))
	}
	if c.New == nil {
		delete(w.result, key)
	} else {
		w.result[key] = c.New.Clone()
	}
	return fmt.Sprintf("%s: %s → %s", show(c.Key), show(c.Old), show(c.New))
}

// checkWrites holds the writer's contract: a key at most once, in order within
// its collection.
func (w *world) checkWrites(fresh bool) {
	w.t.Helper()
	last := map[uint16][]byte{}
	for _, e := range w.state.writes {
		n := binary.BigEndian.Uint16(e.key)
		if bytes.Compare(last[n], e.key) >= 0 {
			w.t.Errorf("collection %d: a key is written twice, or out of order", n)
		}
		if fresh && e.gone {
			w.t.Errorf("collection %d: a fresh epoch deletes", n)
		}
		if v, ok, _ := w.state.Get(e.key); ok == !e.gone && (!ok || bytes.Equal(v, e.value)) {
			w.t.Errorf("collection %d: a write that changes nothing", n)
		}
		last[n] = e.key
	}
}

func (w *world) oracle() []schema.Row {
	o := &oracle{memo: map[Node][]schema.Row{}}
	for _, t := range w.tables {
		var rows []schema.Row
		for _, k := range sortedKeys(t) {
			rows = append(rows, t[k])
		}
		o.tables = append(o.tables, rows)
	}
	return o.rows(w.plan.Root)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// checkResult compares the oracle's result, what the changes add up to, and the
// output and the indexes in the state.
func (w *world) checkResult() {
	w.t.Helper()
	var want, got, kept []string
	for _, row := range w.oracle() {
		want = append(want, show(row))
	}
	for _, row := range w.result {
		got = append(got, show(row))
	}
	for _, e := range w.state.entries {
		if binary.BigEndian.Uint16(e.key) == outputCollection {
			row, err := w.engine.OutputRow(e.value, nil)
			if err != nil {
				w.t.Fatal(err)
			}
			kept = append(kept, show(row))
		}
	}
	for _, s := range [][]string{want, got, kept} {
		slices.Sort(s)
	}
	if !slices.Equal(want, got) || !slices.Equal(want, kept) {
		w.t.Errorf("the result is\n\t%v\nthe state has\n\t%v\nthe oracle says\n\t%v", got, kept, want)
	}
	w.checkIndexes()
}

func (w *world) checkIndexes() {
	w.t.Helper()
	for i, at := range w.plan.Indexes {
		var want, got []string
		for key, row := range w.result {
			var values schema.Row
			for _, c := range at {
				values = append(values, row[c])
			}
			want = append(want, string(w.engine.IndexKey(nil, i, values))+key[collectionBytes:])
		}
		for _, e := range w.state.entries {
			if int(binary.BigEndian.Uint16(e.key)) != 1+i {
				continue
			}
			got = append(got, string(e.key))
			key, err := w.engine.IndexedKey(nil, e.key, e.value)
			if _, ok := w.result[string(key)]; err != nil || !ok {
				w.t.Errorf("index %d leads to a row that is not there: %v", i, err)
			}
		}
		slices.Sort(want)
		if !slices.Equal(want, got) {
			w.t.Errorf("index %d has %d entries, %d expected, or other ones", i, len(got), len(want))
		}
	}
}

// refilled is the state of a view that is filled in one epoch with the rows
// that the tables have now.
func (w *world) refilled() *Memory {
	w.t.Helper()
	f := newWorld(w.t, w.plan)
	f.begin()
	for i, t := range w.tables {
		for _, row := range t { // in any order
			f.upsert(i, row)
		}
	}
	f.finish()
	return f.state
}

// same compares two states byte by byte.
func same(a, b *Memory) error {
	for i := range max(len(a.entries), len(b.entries)) {
		x, y := at(a, i), at(b, i)
		if !bytes.Equal(x.key, y.key) || !bytes.Equal(x.value, y.value) {
			return fmt.Errorf("entry %d differs:\n\t%x = %x\n\t%x = %x", i, x.key, x.value, y.key, y.value)
		}
	}
	return nil
}

func at(m *Memory, i int) entry {
	if i < len(m.entries) {
		return m.entries[i]
	}
	return entry{}
}

func show(row schema.Row) string {
	if row == nil {
		return "nothing"
	}
	var b []byte
	for i, v := range row {
		if i > 0 {
			b = append(b, ' ')
		}
		b = showValue(b, v)
	}
	return string(b)
}

func showValue(b []byte, v schema.Value) []byte {
	switch v.Kind() {
	case schema.KindNull:
		return append(b, "NULL"...)
	case schema.KindBool:
		return fmt.Append(b, v.Bool())
	case schema.KindInt:
		return fmt.Append(b, v.Int())
	case schema.KindFloat:
		return fmt.Append(b, v.Float())
	case schema.KindArray:
		b = append(b, '{')
		for _, e := range v.Elements() {
			b = append(showValue(b, e), ' ')
		}
		return append(b, '}')
	}
	return append(b, v.Ref()...)
}
