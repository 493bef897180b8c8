package query

import "github.com/evertdb/evert/schema"

// What tests of the package's outside need of its inside.

const (
	CheckEvery = checkEvery
	AliveEvery = aliveEvery
)

func ParseValue(t *schema.Type, text string) (schema.Value, string) { return parseValue(t, text) }

func (s *Shape) Column(name string) int { return s.column(name) }

func (s *Shape) Encode(column int, v schema.Value) []byte { return s.encode(column, v) }

// Bound changes how many bytes the feed holds.
func (f *Feed) Bound(max int) { f.max = max }

// Held counts what the feed holds, and for how many.
func (f *Feed) Held() (epochs, bytes, watchers int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.epochs), f.bytes, f.watchers
}

// Glance follows for a moment.
func (f *Feed) Glance() { f.watch()() }
