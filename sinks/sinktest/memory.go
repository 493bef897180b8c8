package sinktest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// Memory is a system in memory: rows of Items by id, and the position they
// reach. Safe for concurrent use.
type Memory struct {
	mu     sync.Mutex
	rows   map[int64]string
	resume pipeline.Resume
	holder *memorySink
}

// New makes a sink over m.
func (m *Memory) New(testing.TB) pipeline.Sink { return &memorySink{system: m} }

// Rows gives the committed rows.
func (m *Memory) Rows(testing.TB) map[int64]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.rows)
}

// memorySink gathers what a commit will do.
type memorySink struct {
	system *Memory
	todo   []func(rows map[int64]string)
}

var errFenced = errors.New("a newer sink holds the system")

func (k *memorySink) Open(context.Context) (pipeline.Resume, error) {
	k.system.mu.Lock()
	defer k.system.mu.Unlock()
	k.system.holder = k
	return k.system.resume, nil
}

func (k *memorySink) Write(_ context.Context, b pipeline.Batch) error {
	for i := range b.Changes {
		k.change(&b.Changes[i])
	}
	return nil
}

func (k *memorySink) change(c *pipeline.Change) {
	if c.Op == pipeline.Truncate {
		k.todo = append(k.todo, func(rows map[int64]string) { clear(rows) })
		return
	}
	if c.Op == pipeline.Delete || c.KeyChanged() {
		old := c.Before[0].Int()
		k.todo = append(k.todo, func(rows map[int64]string) { delete(rows, old) })
	}
	if c.After != nil {
		id, v := c.After[0].Int(), string(c.After[1].Ref())
		if c.After[1].IsNull() {
			v = "NULL"
		}
		k.todo = append(k.todo, func(rows map[int64]string) { rows[id] = v })
	}
}

// Commit applies everything to a copy and swaps it in, with the position.
func (k *memorySink) Commit(_ context.Context, at pipeline.Resume) error {
	m := k.system
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder != k {
		return errFenced
	}
	rows := maps.Clone(m.rows)
	if rows == nil {
		rows = map[int64]string{}
	}
	for _, do := range k.todo {
		do(rows)
	}
	k.todo = nil
	at.State = slices.Clone(at.State)
	m.rows, m.resume = rows, at
	return nil
}

func (k *memorySink) Close() error {
	k.todo = nil
	return nil
}
