package sinktest

import (
	"context"
	"maps"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// MemoryTarget is a system in memory that can be filled beside what is seen. Safe
// for concurrent use.
type MemoryTarget struct {
	seen, filled Memory
	fresh        bool // what readers see is not the newest fill
}

// NewMemoryTarget makes an empty system.
func NewMemoryTarget() *MemoryTarget { return &MemoryTarget{fresh: true} }

// New makes a target over m.
func (m *MemoryTarget) New(testing.TB) deliver.Target { return &memoryTarget{m: m} }

// Rows gives the rows that are seen.
func (m *MemoryTarget) Rows(t testing.TB) map[int64]string { return m.seen.Rows(t) }

type memoryTarget struct {
	m    *MemoryTarget
	sink *memorySink
}

func (t *memoryTarget) Open(ctx context.Context) (pipeline.Resume, error) {
	t.sink = &memorySink{system: &t.m.seen}
	if t.m.fresh {
		t.sink.system = &t.m.filled
	}
	return t.sink.Open(ctx)
}

func (t *memoryTarget) Write(ctx context.Context, b pipeline.Batch) error {
	return t.sink.Write(ctx, b)
}

func (t *memoryTarget) Commit(ctx context.Context, at pipeline.Resume) error {
	if err := t.sink.Commit(ctx, at); err != nil || !t.m.fresh || !at.Whole() {
		return err
	}
	seen, filled := &t.m.seen, &t.m.filled
	seen.mu.Lock()
	defer seen.mu.Unlock()
	seen.rows, seen.resume, seen.holder = maps.Clone(filled.rows), filled.resume, t.sink
	t.sink.system, t.m.fresh = seen, false
	return nil
}

func (t *memoryTarget) Renew(context.Context) error {
	t.m.filled = Memory{}
	t.m.fresh = true
	return nil
}

func (t *memoryTarget) Close() error {
	if t.sink == nil {
		return nil
	}
	return t.sink.Close()
}
