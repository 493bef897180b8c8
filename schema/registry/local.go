package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Store is the compacted topic in which Local keeps its records. Read may be
// called from any goroutine, the others by one at a time.
type Store interface {
	// Take takes the topic over: who held it before can append nothing more, and
	// what that left open is settled. It may be called again.
	Take(ctx context.Context) error

	// Read calls fn with every committed record from a mark on, in order, up to
	// the end that is stable when it is called, and gives the mark there. A nil
	// value is a tombstone. fn does not keep the bytes. anew says that the mark
	// was not of this topic, as the zero one, so that these are all records. It
	// fences nobody; after a Take it sees everything.
	Read(ctx context.Context, from string, fn func(key, value []byte) error) (to string, anew bool, err error)

	// Append commits the records in one step, and gives the mark behind them. It
	// fails if somebody else took the topic since; after any other error the
	// records may be there or not.
	Append(ctx context.Context, records ...Record) (to string, err error)
}

// Local is the registry inside the process. Several processes may have one over
// the same topic: each reads what the others write, and takes the topic over
// when it has something to write itself, so that what it decides rests on all
// that was decided before.
//
//	take ─► read to the end ─► decide ─► append ─► apply
//	          ▲                            │ fenced, or the outcome is unknown
//	          └────────────────────────────┘
type Local struct {
	store Store

	turn  chan struct{} // capacity 1: held to read the topic or to write it
	holds bool          // by turn: nobody took the topic from us, as far as we know
	mark  string        // by turn: the state has everything below it
	at    time.Time     // by turn: when the topic was last read to its end
	reads atomic.Int64  // how often reading began
	good  int64         // by turn: the last reading that went well, by that count

	mu    sync.RWMutex
	state *state // by mu, and changed only by the holder of turn
}

// Open reads the topic to its end. It takes nothing over.
func Open(ctx context.Context, store Store) (*Local, error) {
	l := &Local{store: store, turn: make(chan struct{}, 1), state: newState()}
	return l, l.follow(ctx)
}

// begin waits for the turn.
func (l *Local) begin(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Local) end() { <-l.turn }

// follow takes in what others wrote. Of those who wait for it together one
// reads.
func (l *Local) follow(ctx context.Context) error {
	seen := l.reads.Load()
	if err := l.begin(ctx); err != nil {
		return err
	}
	defer l.end()
	if l.good > seen { // it began after we asked
		return nil
	}
	_, err := l.read(ctx)
	return err
}

// forgetful is how long a topic may stay unread until it is read anew: by then
// the tombstones of what we hold may be gone.
const forgetful = 24 * time.Hour

// read brings the state to the topic's end, and gives what was new. The caller
// has the turn.
func (l *Local) read(ctx context.Context) (fresh []Record, err error) {
	count, from := l.reads.Add(1), l.mark
	if time.Since(l.at) > forgetful {
		from = ""
	}
	to, anew, err := l.store.Read(ctx, from, func(key, value []byte) error {
		fresh = append(fresh, Record{bytes.Clone(key), bytes.Clone(value)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the registry's topic: %w", err)
	}
	if anew {
		l.holds = false // what is there now may lack what we appended: whoever decides takes it first
	}
	if err := l.apply(fresh, anew); err != nil {
		return nil, err
	}
	l.mark, l.at, l.good = to, time.Now(), count
	return fresh, nil
}

// apply takes records into the state, or into an empty one.
func (l *Local) apply(records []Record, anew bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.state
	if anew {
		next = newState()
	}
	for _, r := range records {
		if err := next.apply(r); err != nil {
			return fmt.Errorf("the registry's topic is damaged: %w", err)
		}
	}
	l.state = next
	return nil
}

// tries bounds how often one change is decided, when others take the topic
// meanwhile or the outcome of an append is unknown.
const tries = 10

// change decides what to write and commits it. decide sees all that was
// committed before and is called again if somebody came between; with no records
// nothing is written.
func (l *Local) change(ctx context.Context, decide func(*state) ([]Record, error)) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	defer l.end()
	var lost []Record // what an append of unknown outcome tried
	var err error
	for try := range tries {
		if err != nil {
			pause(ctx, try)
		}
		fresh, failed := l.take(ctx)
		if failed != nil {
			return failed
		}
		if lost != nil && contains(fresh, lost) {
			return nil
		}
		if lost, failed = decide(l.state); failed != nil || len(lost) == 0 {
			return failed
		}
		if err = l.append(ctx, lost); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// take makes sure that we hold the topic and know all of it.
func (l *Local) take(ctx context.Context) (fresh []Record, err error) {
	if l.holds {
		return nil, nil
	}
	if err := l.store.Take(ctx); err != nil {
		return nil, fmt.Errorf("take the registry's topic over: %w", err)
	}
	fresh, err = l.read(ctx)
	l.holds = err == nil
	return fresh, err
}

// append commits records and, once they are, takes them into the state.
func (l *Local) append(ctx context.Context, records []Record) error {
	l.holds = false
	to, err := l.store.Append(ctx, records...)
	if err != nil {
		return fmt.Errorf("append to the registry's topic: %w", err)
	}
	l.holds, l.mark = true, to
	return l.apply(records, false)
}

// contains reports whether all of some is among records, in its order.
func contains(records, some []Record) bool {
	same := func(a, b Record) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }
	for _, r := range records {
		if len(some) > 0 && same(r, some[0]) {
			some = some[1:]
		}
	}
	return len(some) == 0
}

// pause lets another holder of the topic finish; longer each time, and never
// twice the same.
func pause(ctx context.Context, try int) {
	longest := min(10*time.Millisecond<<try, time.Second)
	select {
	case <-ctx.Done():
	case <-time.After(longest/2 + rand.N(longest/2)):
	}
}

// Register implements Registry.
func (l *Local) Register(ctx context.Context, subject, schema string) (int, error) {
	v, err := l.Add(ctx, subject, Proposal{Schema: Schema{Text: schema}})
	if err != nil {
		return 0, fmt.Errorf("registry: register under %s: %w", subject, err)
	}
	return v.ID, nil
}

// Lookup implements Registry.
func (l *Local) Lookup(ctx context.Context, subject, schema string) (int, error) {
	v, err := l.Find(ctx, subject, Schema{Text: schema}, false)
	if err != nil {
		return 0, fmt.Errorf("registry: look up under %s: %w", subject, err)
	}
	return v.ID, nil
}

// Schema implements Registry. What is known is given without a look at the topic.
func (l *Local) Schema(ctx context.Context, id int) (string, error) {
	s, err := l.ByID(ctx, id)
	switch {
	case err != nil:
		return "", fmt.Errorf("registry: schema %d: %w", id, err)
	case len(s.References) > 0:
		return "", fmt.Errorf("registry: schema %d is not an Avro schema that stands alone", id)
	}
	return s.Text, nil
}

// Latest implements Registry.
func (l *Local) Latest(ctx context.Context, subject string) (int, string, error) {
	v, err := l.Version(ctx, subject, Newest, false)
	if err != nil {
		return 0, "", fmt.Errorf("registry: latest of %s: %w", subject, err)
	}
	return v.ID, v.Text, nil
}

// Delete implements Registry.
func (l *Local) Delete(ctx context.Context, subject string) error {
	_, err := l.DeleteSubject(ctx, subject, false)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("registry: delete %s: %w", subject, err)
	}
	return nil
}

// look reads the state after what others wrote was taken in.
func look[T any](ctx context.Context, l *Local, get func(*state) (T, error)) (T, error) {
	if err := l.follow(ctx); err != nil {
		var none T
		return none, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return get(l.state)
}

// ByID gives the schema with an id. A known one is given without a look at the
// topic, as ids do not change their meaning.
func (l *Local) ByID(ctx context.Context, id int) (Schema, error) {
	l.mu.RLock()
	h, ok := l.state.schemas[id]
	l.mu.RUnlock()
	if ok {
		return h.Schema, nil
	}
	return look(ctx, l, func(s *state) (Schema, error) {
		if h, ok := s.schemas[id]; ok {
			return h.Schema, nil
		}
		return Schema{}, refuse(CodeNoSchema, "Schema %d not found", id)
	})
}

// Version gives a version by its number; Newest is one.
func (l *Local) Version(ctx context.Context, subject string, number int, deleted bool) (Version, error) {
	return look(ctx, l, func(s *state) (Version, error) {
		v, err := s.get(subject, number, deleted)
		if err != nil {
			return Version{}, err
		}
		return s.version(subject, v), nil
	})
}

// Find gives the newest version of a subject with this schema.
func (l *Local) Find(ctx context.Context, subject string, schema Schema, deleted bool) (Version, error) {
	return look(ctx, l, func(s *state) (Version, error) {
		if len(s.list(subject, deleted)) == 0 {
			return Version{}, noSubject(subject)
		}
		schema, err := s.resolve(schema)
		if err != nil {
			return Version{}, err
		}
		print, err := fingerprintOf(schema)
		if err != nil {
			return Version{}, invalid(err)
		}
		v, ok := s.find(subject, print, deleted)
		if !ok {
			return Version{}, refuse(CodeNoSchema, "Schema not found")
		}
		return s.version(subject, v), nil
	})
}

// Versions gives all versions of the subjects with a prefix, sorted.
func (l *Local) Versions(ctx context.Context, prefix string, deleted bool) ([]Version, error) {
	return look(ctx, l, func(s *state) (all []Version, _ error) {
		for _, subject := range s.names(prefix) {
			for _, v := range s.list(subject, deleted) {
				all = append(all, s.version(subject, v))
			}
		}
		return all, nil
	})
}

// Referrers gives the ids of the schemas that refer to a version.
func (l *Local) Referrers(ctx context.Context, subject string, number int) ([]int, error) {
	return look(ctx, l, func(s *state) ([]int, error) {
		v, err := s.get(subject, number, true)
		if err != nil {
			return nil, err
		}
		return s.referrers(subject, v.number, false), nil
	})
}

// Size is how many schemas there are, and the highest id that was given out, as
// far as the topic was read.
func (l *Local) Size() (schemas, highest int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.state.schemas), l.state.nextID - 1
}

// names gives the subjects with a prefix, sorted.
func (s *state) names(prefix string) (names []string) {
	for name := range s.subjects {
		if len(name) >= len(prefix) && name[:len(prefix)] == prefix {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
