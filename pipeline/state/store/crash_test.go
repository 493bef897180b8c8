package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// seeds are few in a quick run.
func seeds(few, many uint64) uint64 {
	if os.Getenv("EVERT_FULL") != "" {
		return many
	}
	return few
}

// crasher takes clones of a file system, as a crash would leave it, before the
// operations that change it.
type crasher struct {
	mu     sync.Mutex
	mem    *vfs.MemFS
	rng    *rand.Rand
	every  int // one operation in so many
	done   int // epochs committed
	safe   int // of these, epochs before the last flush
	clones []clone
}

// clone is what a crash left, and how far the state was.
type clone struct {
	fs         *vfs.MemFS
	done, safe int
	torn       bool // of what was not synced, some is there and some is not
}

// tell says how far the state is.
func (c *crasher) tell(done, safe int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.safe = done, safe
}

func (c *crasher) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileRead, errorfs.OpFileReadAt, errorfs.OpFileStat, errorfs.OpStat, errorfs.OpList, errorfs.OpOpen, errorfs.OpFileClose:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rng.IntN(c.every) == 0 {
		percent := []int{0, 50, 100}[c.rng.IntN(3)]
		fs := c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
		c.clones = append(c.clones, clone{fs, c.done, c.safe, percent == 50})
	}
	return nil
}

func (c *crasher) String() string { return "crasher" }

// A crash before any operation on the disk leaves the state of an epoch, and
// the progress of that same epoch (R01, R02, R04).
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for seed := range seeds(2, 60) {
		t.Run(fmt.Sprintf("R01 R02 R04 seed %d", seed), func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewCrashableMem()
			c := &crasher{mem: mem, rng: rand.New(rand.NewPCG(seed, 1)), every: 12}
			y := newStory(seed)
			o := small(errorfs.Wrap(mem, c))
			for range 3 {
				s := open(t, o)
				must(t, y.check(s))
				for range 25 {
					must(t, y.epoch(s))
					c.tell(len(y.states)-1, c.safe)
				}
				must(t, y.check(s))
				must(t, s.Close())
				c.tell(c.done, c.done)
			}
			goneBack := checkClones(t, c.clones, y)
			t.Logf("%d crashes, %d lost epochs", len(c.clones), goneBack)
			if len(c.clones) < 20 || goneBack == 0 {
				t.Errorf("%d crashes, of which %d lost an epoch: this tests nothing", len(c.clones), goneBack)
			}
		})
	}
}

// checkClones opens each clone, compares it, and goes on with it.
func checkClones(t *testing.T, clones []clone, y *story) (goneBack int) {
	for i, c := range clones {
		s, err := Open("state", thing, small(c.fs))
		if c.torn && errors.Is(err, ErrDamaged) && errors.Is(err, os.ErrNotExist) {
			continue // Pebble trusts that names reach a folder in order; then it is made anew
		}
		if err != nil {
			t.Errorf("crash %d: %v", i, err)
			continue
		}
		if err := y.check(s); err != nil {
			t.Errorf("crash %d: %v", i, err)
		}
		n, _ := strconv.Atoi(string(s.Progress()))
		if n < c.safe {
			t.Errorf("crash %d: back at epoch %d, although %d were flushed", i, n, c.safe)
		}
		if n < c.done {
			goneBack++
		}
		again := newStory(uint64(i))
		if err := goOn(s, y, again); err != nil {
			t.Errorf("after crash %d: %v", i, err)
		}
		must(t, s.Close())
	}
	return goneBack
}

// goOn makes an epoch over what a crash left.
func goOn(s *Store, before, y *story) error {
	n, _ := strconv.Atoi(string(s.Progress()))
	y.states = before.states[: n+1 : n+1]
	return errors.Join(y.epoch(s), y.check(s))
}

// A copy of the directory that is older is a state of its own progress (R03).
func TestOlderCopy(t *testing.T) {
	t.Parallel()
	t.Run("R03 an older copy", func(t *testing.T) {
		fs, y := vfs.NewMem(), newStory(1)
		s := open(t, small(fs))
		for range 10 {
			must(t, y.epoch(s))
		}
		must(t, s.Close())
		older := vfs.NewMem()
		if ok, err := vfs.Clone(fs, older, "state", "state"); !ok || err != nil {
			t.Fatal(ok, err)
		}
		at := len(y.states)
		s = open(t, small(fs))
		for range 10 {
			must(t, y.epoch(s))
		}
		must(t, s.Close())
		s = open(t, small(older))
		defer s.Close()
		if string(s.Progress()) != fmt.Sprint(at-1) {
			t.Errorf("progress is %s, want %d", s.Progress(), at-1)
		}
		must(t, y.check(s))
	})
}
