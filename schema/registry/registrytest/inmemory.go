package registrytest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/evertdb/evert/schema/registry"
)

// InMemory is a registry that gives ids in the order of registration, refuses
// nothing, and outlives every crash of who uses it. The zero value is ready.
type InMemory struct {
	mu     sync.Mutex
	texts  []string
	latest map[string]int
}

// Register gives the id of a text, the same under every subject.
func (m *InMemory) Register(_ context.Context, subject, text string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.latest == nil {
		m.latest = map[string]int{}
	}
	id := slices.Index(m.texts, text) + 1
	if id == 0 {
		m.texts = append(m.texts, text)
		id = len(m.texts)
	}
	m.latest[subject] = id
	return id, nil
}

// Lookup is Register.
func (m *InMemory) Lookup(ctx context.Context, subject, text string) (int, error) {
	return m.Register(ctx, subject, text)
}

// Latest gives what was last registered under a subject.
func (m *InMemory) Latest(_ context.Context, subject string) (int, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.latest[subject]
	if !ok {
		return 0, "", registry.ErrNotFound
	}
	return id, m.texts[id-1], nil
}

// Delete forgets what is the latest of a subject.
func (m *InMemory) Delete(_ context.Context, subject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.latest, subject)
	return nil
}

// Schema gives the text of an id.
func (m *InMemory) Schema(_ context.Context, id int) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id < 1 || id > len(m.texts) {
		return "", fmt.Errorf("schema %d: %w", id, registry.ErrNotFound)
	}
	return m.texts[id-1], nil
}
