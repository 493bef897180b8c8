package sinktest

import (
	"context"
	"slices"
	"sync"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// A MemoryKeeper keeps the place of a target whose system has no room for it, in
// memory. Safe for concurrent use.
type MemoryKeeper struct {
	mu     sync.Mutex
	at     pipeline.Resume
	holder *memoryKeeper
}

// New makes a deliver.Keeper over k, as a new process would.
func (k *MemoryKeeper) New() deliver.Keeper { return &memoryKeeper{k} }

type memoryKeeper struct{ k *MemoryKeeper }

func (m *memoryKeeper) Open(context.Context) (pipeline.Resume, error) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	m.k.holder = m
	return m.k.at, nil
}

func (m *memoryKeeper) Keep(_ context.Context, at pipeline.Resume) error {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if m.k.holder != m {
		return errFenced
	}
	at.State = slices.Clone(at.State)
	m.k.at = at
	return nil
}

func (m *memoryKeeper) Close() error { return nil }
