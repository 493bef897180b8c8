package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var thing = Identity{Deployment: "shop", View: "orders", Plan: "a1", Log: "log-1", Topics: map[string]string{"shop.public.orders": "i1"}}

// small are bounds that a test passes soon.
func small(fs vfs.FS) Options {
	return Options{FS: fs, MemTable: 64 << 10, EpochBytes: 8 << 10, Reserve: -1}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open("state", thing, o)
	must(t, err)
	return s
}

// contents is a state as it should be.
type contents map[string]string

// key is key n of a collection.
func key(in, n int) []byte {
	return fmt.Appendf(binary.BigEndian.AppendUint16(nil, uint16(in)), "key %05d", n)
}

// story makes epochs at random and remembers what the state was after each;
// states[n] is that of progress n.
type story struct {
	rng    *rand.Rand
	states []contents
}

func newStory(seed uint64) *story {
	return &story{rng: rand.New(rand.NewPCG(seed, 7)), states: []contents{{}}}
}

func (y *story) last() contents { return y.states[len(y.states)-1] }

// epoch writes one epoch and commits it, or not.
func (y *story) epoch(s *Store) error {
	e, err := s.Begin()
	if err != nil {
		return err
	}
	defer e.Discard()
	next := maps.Clone(y.last())
	count := 1 + y.rng.IntN(20)
	if y.rng.IntN(4) == 0 {
		count = 200 // goes through files
	}
	for in := range 3 {
		if err := y.collection(e, in, count, next); err != nil {
			return err
		}
	}
	if y.rng.IntN(5) == 0 {
		return nil // discarded
	}
	y.states = append(y.states, next)
	return e.Commit(fmt.Appendf(nil, "%d", len(y.states)-1))
}

func (y *story) collection(e *Epoch, in, count int, next contents) error {
	numbers := y.rng.Perm(400)[:count]
	slices.Sort(numbers)
	for _, n := range numbers {
		k := key(in, n)
		if y.rng.IntN(3) == 0 {
			delete(next, string(k))
			if err := e.Delete(k); err != nil {
				return err
			}
			continue
		}
		v := fmt.Sprintf("%d of %x %0*d", len(y.states), k, y.rng.IntN(100), 0)
		next[string(k)] = v
		if err := e.Put(k, []byte(v)); err != nil {
			return err
		}
	}
	return nil
}

// check compares the whole of a state with the one its progress names.
func (y *story) check(s *Store) error {
	n, _ := strconv.Atoi(string(s.Progress())) // 0 before the first epoch
	if n >= len(y.states) {
		return fmt.Errorf("progress is %d of %d", n, len(y.states)-1)
	}
	return compareState(s, y.states[n])
}

func compareState(s *Store, want contents) error {
	snap, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	c, err := snap.Scan(nil, progressKey, false)
	if err != nil {
		return err
	}
	defer c.Close()
	keys := slices.Sorted(maps.Keys(want))
	for ; c.Next(); keys = keys[1:] {
		if len(keys) == 0 || keys[0] != string(c.Key()) || want[keys[0]] != string(c.Value()) {
			return fmt.Errorf("progress %s: found %q = %q, want the first of %d keys", snap.Progress(), c.Key(), c.Value(), len(keys))
		}
	}
	if c.Err() == nil && len(keys) > 0 {
		return fmt.Errorf("progress %s: %d keys are missing, from %q on", snap.Progress(), len(keys), keys[0])
	}
	return c.Err()
}
