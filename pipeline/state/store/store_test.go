package store

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
)

// An epoch reads what the one before left, not what itself writes (R02).
func TestEpoch(t *testing.T) {
	t.Parallel()
	s := open(t, small(vfs.NewMem()))
	defer s.Close()
	if s.Progress() != nil || s.Epoch() != 0 {
		t.Fatalf("a new state has progress %q", s.Progress())
	}
	e := begin(t, s)
	must(t, e.Put(key(1, 1), []byte("one")))
	must(t, e.Put(key(1, 2), []byte("two")))
	expect(t, e, "nothing yet", "1: - 2: -")
	must(t, e.Commit([]byte("p1")))

	e = begin(t, s)
	if _, err := s.Begin(); err == nil {
		t.Error("a second epoch was begun beside an open one")
	}
	must(t, e.Delete(key(1, 1)))
	must(t, e.Put(key(1, 2), []byte("deux")))
	expect(t, e, "while the second is open", "1: one 2: two")
	must(t, e.Discard())

	e = begin(t, s)
	expect(t, e, "after it was discarded", "1: one 2: two")
	must(t, e.Delete(key(1, 1)))
	must(t, e.Commit([]byte("p2")))
	must(t, e.Discard()) // does nothing any more
	e = begin(t, s)
	defer e.Discard()
	expect(t, e, "after the second", "1: - 2: two")
	if string(s.Progress()) != "p2" || s.Epoch() != 2 {
		t.Errorf("progress is %q of epoch %d", s.Progress(), s.Epoch())
	}
}

func begin(t testing.TB, s *Store) *Epoch {
	t.Helper()
	e, err := s.Begin()
	must(t, err)
	return e
}

// expect reads two keys one by one and by a scan.
func expect(t *testing.T, e *Epoch, when, want string) {
	t.Helper()
	var got strings.Builder
	for n := 1; n <= 2; n++ {
		v, ok, err := e.Get(key(1, n))
		must(t, err)
		if !ok {
			v = []byte("-")
		}
		fmt.Fprintf(&got, "%d: %s ", n, v)
	}
	if strings.TrimSpace(got.String()) != want {
		t.Errorf("%s there is %s, want %s", when, got.String(), want)
	}
	c, err := e.Scan(collection(1), collection(2))
	must(t, err)
	defer c.Close()
	n := 0
	for c.Next() {
		n++
		if !strings.Contains(want, string(c.Value())) {
			t.Errorf("%s a scan finds %q", when, c.Value())
		}
	}
	must(t, c.Err())
	if n != 2-strings.Count(want, "-") {
		t.Errorf("%s a scan finds %d keys", when, n)
	}
}

// Random epochs, small ones and such that go through files, with restarts.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range seeds(2, 100) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			fs, y := vfs.NewMem(), newStory(seed)
			for range 4 {
				s := open(t, small(fs))
				if n := len(y.states) - 1; n > 0 && string(s.Progress()) != fmt.Sprint(n) {
					t.Errorf("R22: a clean restart goes back from %d to %s", n, s.Progress())
				}
				for range 20 {
					must(t, y.epoch(s))
					must(t, y.check(s))
				}
				must(t, s.Close())
				must(t, s.Close())
				if left, err := fs.List("state/" + epochFolder); err != nil || len(left) > 0 {
					t.Errorf("files are left: %v, %v", left, err)
				}
			}
		})
	}
}

// Scans of several collections at a time, forth and back, in any order of use.
func TestScans(t *testing.T) {
	t.Parallel()
	y := newStory(3)
	s := open(t, small(vfs.NewMem()))
	defer s.Close()
	for range 10 {
		must(t, y.epoch(s))
	}
	e := begin(t, s)
	defer e.Discard()
	for range 300 {
		in, from := y.rng.IntN(3), y.rng.IntN(400)
		low, high := key(in, from), key(in, from+y.rng.IntN(50))
		outer, err := e.Scan(low, high)
		must(t, err)
		n := 0
		for outer.Next() {
			if want := y.last()[string(outer.Key())]; want != string(outer.Value()) {
				t.Fatalf("%q is %q, want %q", outer.Key(), outer.Value(), want)
			}
			inner, err := e.Scan(outer.Key(), high)
			must(t, err)
			if !inner.Next() || !bytes.Equal(inner.Key(), outer.Key()) {
				t.Fatalf("a scan within a scan does not begin at its bound %q", outer.Key())
			}
			must(t, inner.Close())
			n++
		}
		if outer.Next() {
			t.Fatal("Next is true behind the end")
		}
		must(t, outer.Close())
		must(t, outer.Close())
		if want := y.count(low, high); n != want {
			t.Fatalf("a scan from %q to %q finds %d keys, want %d", low, high, n, want)
		}
	}
}

func (y *story) count(low, high []byte) (n int) {
	for k := range y.last() {
		if k >= string(low) && k < string(high) {
			n++
		}
	}
	return n
}

// State of one thing is refused to another, and so is what is in use or no
// state at all.
func TestIdentity(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, small(fs))
	for name, change := range map[string]func(*Identity){
		"R06 deployment": func(i *Identity) { i.Deployment = "else" },
		"R06 view":       func(i *Identity) { i.View = "else" },
		"R06 log":        func(i *Identity) { i.Log = "else" },
		"R06 topics":     func(i *Identity) { i.Topics = map[string]string{"shop.public.orders": "i2"} },
		"R15 plan":       func(i *Identity) { i.Plan = "else" },
	} {
		t.Run(name, func(t *testing.T) {
			other := thing
			change(&other)
			d := &directory{fs: fs, path: "state"}
			err := d.identify(other, false)
			if pipeline.CodeOf(err) != RefuseOther || !strings.Contains(err.Error(), strings.Fields(name)[1]) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("R06 two processes", func(t *testing.T) {
		if _, err := Open("state", thing, small(fs)); pipeline.CodeOf(err) != RefuseTaken {
			t.Errorf("%v", err)
		}
		if err := Remove("state", small(fs)); pipeline.CodeOf(err) != RefuseTaken {
			t.Errorf("a state in use was removed: %v", err)
		}
	})
	must(t, s.Close())
	t.Run("R15 thrown away", func(t *testing.T) {
		other := thing
		other.Plan = "b2"
		if _, err := Open("state", other, small(fs)); pipeline.CodeOf(err) != RefuseOther {
			t.Fatalf("%v", err)
		}
		must(t, Remove("state", small(fs)))
		must(t, Remove("state", small(fs)))
		s, err := Open("state", other, small(fs))
		must(t, err)
		must(t, s.Close())
	})
	t.Run("R06 something else", func(t *testing.T) {
		for _, content := range []string{`{"kind":"log","format":1}`, "", "{"} {
			f, err := fs.Create("state/"+identityFile, vfs.WriteCategoryUnspecified)
			must(t, err)
			_, err = f.Write([]byte(content))
			must(t, err)
			must(t, f.Close())
			if _, err := Open("state", thing, small(fs)); pipeline.CodeOf(err) != RefuseForeign {
				t.Errorf("%q: %v", content, err)
			}
			if err := Remove("state", small(fs)); pipeline.CodeOf(err) != RefuseForeign {
				t.Errorf("%q was removed: %v", content, err)
			}
		}
		must(t, fs.Remove("state/"+identityFile))
		if _, err := Open("state", thing, small(fs)); pipeline.CodeOf(err) != RefuseForeign {
			t.Errorf("a store without a name: %v", err)
		}
	})
}
