package store

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A snapshot stays what it was while epochs go on, for as long as it is held.
func TestSnapshotStays(t *testing.T) {
	t.Parallel()
	y := newStory(21)
	s := open(t, small(vfs.NewMem()))
	must(t, y.epoch(s))
	held, err := s.Snapshot()
	must(t, err)
	at := len(y.states) - 1
	for range 20 {
		must(t, y.epoch(s))
	}
	for in := range 3 {
		for n := range 400 {
			k := key(in, n)
			v, ok, err := held.Get(nil, k)
			must(t, err)
			if want, has := y.states[at][string(k)]; ok != has || string(v) != want {
				t.Fatalf("%q is %q (%v), was %q (%v)", k, v, ok, want, has)
			}
		}
	}
	if string(held.Progress()) != fmt.Sprint(at) || held.Epoch() != uint64(at) {
		t.Errorf("the snapshot says %s of epoch %d", held.Progress(), held.Epoch())
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for s.alive() == nil { // until Close has begun
		time.Sleep(time.Millisecond)
	}
	select {
	case <-closed:
		t.Error("closed although a snapshot is in use")
	default:
	}
	held.Release()
	must(t, <-closed)
}

// A scan goes both ways.
func TestReverse(t *testing.T) {
	t.Parallel()
	s := open(t, small(vfs.NewMem()))
	defer s.Close()
	e := begin(t, s)
	for n := range 5 {
		must(t, e.Put(key(1, n), []byte{byte('0' + n)}))
	}
	must(t, e.Commit(nil))
	snap, err := s.Snapshot()
	must(t, err)
	defer snap.Release()
	for _, c := range []struct {
		low, high int
		reverse   bool
		want      string
	}{{0, 5, false, "01234"}, {0, 5, true, "43210"}, {1, 4, true, "321"}, {1, 4, false, "123"}, {5, 9, true, ""}, {3, 3, true, ""}} {
		it, err := snap.Scan(key(1, c.low), key(1, c.high), c.reverse)
		must(t, err)
		got := ""
		for it.Next() {
			got += string(it.Value())
		}
		must(t, it.Close())
		if got != c.want {
			t.Errorf("from %d to %d, reverse %v: %s, want %s", c.low, c.high, c.reverse, got, c.want)
		}
	}
}

// Kept snapshots are found by their epoch, until they are too many or too old.
func TestKept(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	o := small(vfs.NewMem())
	o.Snapshots, o.SnapshotAge, o.Now = 3, time.Minute, func() time.Time { return now }
	y := newStory(22)
	s := open(t, o)
	defer s.Close()
	for s.Epoch() < 5 {
		before := s.Epoch()
		must(t, y.epoch(s))
		if s.Epoch() == before {
			continue
		}
		snap, err := s.Snapshot()
		must(t, err)
		snap.Keep()
		snap.Keep()
		snap.Release()
		now = now.Add(time.Second)
	}
	expectKept(t, s, "after five", 3, 4, 5)
	now = now.Add(57*time.Second + 500*time.Millisecond)
	expectKept(t, s, "a minute after the third", 4, 5)
	snap, ok := s.At(4)
	if !ok {
		t.Fatal("epoch 4 is not kept")
	}
	snap.Keep()
	now = now.Add(time.Minute - time.Second)
	expectKept(t, s, "when the fourth was used again", 4, 5)
	now = now.Add(time.Hour)
	expectKept(t, s, "an hour later", 5)
	if string(snap.Progress()) != "4" {
		t.Errorf("a snapshot in use became %s", snap.Progress())
	}
	snap.Release()
	if got := s.Stats(); got.Snapshots != 1 || got.OldestKept != 0 {
		t.Errorf("%+v", got)
	}
}

// expectKept asks for every epoch.
func expectKept(t *testing.T, s *Store, when string, want ...uint64) {
	t.Helper()
	var got []uint64
	for epoch := range uint64(10) {
		if snap, ok := s.At(epoch); ok {
			got = append(got, epoch)
			if string(snap.Progress()) != fmt.Sprint(epoch) {
				t.Errorf("%s: epoch %d has progress %s", when, epoch, snap.Progress())
			}
			snap.Release()
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s are kept %v, want %v", when, got, want)
	}
}

// Readers on many goroutines see completed epochs only, and never an earlier one
// after a later one (R21).
func TestReadersWhileCommitting(t *testing.T) {
	t.Parallel()
	s := open(t, small(vfs.NewMem()))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() { readUntil(t, s, stop) })
	}
	for n := 1; n <= 150; n++ {
		e := begin(t, s)
		count := 20
		if n%10 == 0 {
			count = 400
		}
		for k := range count {
			must(t, e.Put(key(1, k), strconv.AppendInt(nil, int64(n), 10)))
		}
		must(t, e.Put(key(2, 0), strconv.AppendInt(nil, int64(n), 10)))
		must(t, e.Commit(strconv.AppendInt(nil, int64(n), 10)))
	}
	close(stop)
	readers.Wait()
	must(t, s.Close())
}

// readUntil compares the first and the last key of an epoch and its progress.
func readUntil(t *testing.T, s *Store, stop <-chan struct{}) {
	seen := uint64(0)
	for {
		select {
		case <-stop:
			return
		default:
		}
		snap, err := s.Snapshot()
		if err != nil {
			t.Error(err)
			return
		}
		first, _, err1 := snap.Get(nil, key(1, 0))
		last, _, err2 := snap.Get(nil, key(2, 0))
		if err1 != nil || err2 != nil || string(first) != string(last) || string(first) != string(snap.Progress()) || snap.Epoch() < seen {
			t.Errorf("R21: epoch %d after %d, progress %s: %s and %s, %v, %v", snap.Epoch(), seen, snap.Progress(), first, last, err1, err2)
		}
		seen = snap.Epoch()
		snap.Release()
	}
}

// Sizes tell collections apart, and entries are counted.
func TestSizes(t *testing.T) {
	t.Parallel()
	s := open(t, small(vfs.NewMem()))
	defer s.Close()
	e := begin(t, s)
	for n := range 1000 {
		must(t, e.Put(key(0, n), make([]byte, 10)))
	}
	for n := range 1000 {
		must(t, e.Put(key(2, n), make([]byte, 1000)))
	}
	must(t, e.Commit(nil))
	must(t, s.Flush())
	sizes, err := s.Sizes(4)
	must(t, err)
	entries, err := s.Entries()
	must(t, err)
	if sizes[0] == 0 || sizes[1] != 0 || sizes[2] <= sizes[0] || sizes[3] != 0 || entries != 2001 {
		t.Errorf("sizes %v, %d entries", sizes, entries)
	}
	if got := s.Stats(); got.DiskBytes < sizes[0]+sizes[2] || got.Epoch != 1 {
		t.Errorf("%+v of %v", got, sizes)
	}
}
