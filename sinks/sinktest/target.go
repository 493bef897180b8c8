package sinktest

import (
	"context"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// A TargetHarness is one outside system to deliver to, empty at first.
type TargetHarness struct {
	// New makes a target over the system, as a new process would.
	New func(t testing.TB) deliver.Target
	// Rows gives the rows of Items that a reader of the system sees, by id; NULL is
	// the text "NULL".
	Rows func(t testing.TB) map[int64]string
	// Powers says which clauses the system has the power for.
	Powers Powers
}

// Powers are what not every system can do. What one cannot is written in its
// package's page.
type Powers struct {
	// Atomic: nothing of a write is visible before its commit, and what was not
	// committed leaves no trace. Without it writes may show early, one by one.
	Atomic bool
	// Fences: a newer target keeps the older from writing. Without it the older
	// may write rows of the log, which the newer's outrank, but keeps no place.
	Fences bool
	// Versions: a row that is written late, by a target that was replaced, loses
	// against a newer one that is there.
	Versions bool
	// Beside: a fill is gathered beside what readers see. Without it (what is sent
	// is sent) readers see every row as it comes.
	Beside bool
}

// RunTarget runs every clause that the system has the power for.
func RunTarget(t *testing.T, open func(t *testing.T) TargetHarness) {
	for _, c := range targetClauses {
		t.Run(c.name, func(t *testing.T) {
			h := open(t)
			if c.needs != nil && !c.needs(h.Powers) {
				t.Skip("opt-in: the system does not have the power, and its package's page says so")
			}
			s := &story{T: t, Harness: Harness{New: func(t testing.TB) pipeline.Sink { return h.New(t) }, Rows: h.Rows}}
			defer s.end()
			c.tell(s)
		})
	}
}

// filled opens an empty target and brings it to position 1 with two rows.
func (s *story) filled() {
	s.Helper()
	if from := s.open(); !from.IsZero() {
		s.Fatalf("a new target goes on from %+v", from)
	}
	s.write(put(1, "a"), put(2, "b"))
	s.commit(1)
}

// renew gives up what the system holds, as the process that finds that out does.
func (s *story) renew() {
	s.Helper()
	s.end()
	s.sink = s.New(s.T)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.sink.(deliver.Target).Renew(ctx); err != nil {
		s.Fatal(err)
	}
}

// filling is a place inside a fill.
func filling(state string) pipeline.Resume { return pipeline.Resume{State: []byte(state)} }

// put and gone are what a deliver stage gives.
func put(id int64, v string) pipeline.Change { return update(id, v) }
func gone(id int64) pipeline.Change          { return remove(id) }

var targetClauses = []struct {
	name  string
	needs func(Powers) bool
	tell  func(s *story)
}{
	{"1 a new target has no effects", nil, func(s *story) {
		if from := s.open(); !from.IsZero() {
			s.Errorf("a new target goes on from %+v", from)
		}
	}},
	{"2 what was committed is visible, with its place", nil, func(s *story) {
		s.filled()
		s.want(map[int64]string{1: "a", 2: "b"})
		if from := s.open(); from.At != at(1) || from.Rows != 0 || string(from.State) != "state 1" {
			s.Errorf("goes on from %+v", from)
		}
	}},
	{"3 nothing is visible before the commit", atomic, func(s *story) {
		s.filled()
		s.write(put(3, "c"), gone(1))
		s.want(map[int64]string{1: "a", 2: "b"})
	}},
	{"4 what was not committed is gone", atomic, func(s *story) {
		s.filled()
		s.write(put(3, "c"), gone(1))
		s.open()
		s.want(map[int64]string{1: "a", 2: "b"})
	}},
	{"5 a place moves without rows", nil, func(s *story) {
		s.filled()
		s.write()
		s.commit(2)
		if from := s.open(); from.At != at(2) {
			s.Errorf("goes on from %+v", from)
		}
		s.want(map[int64]string{1: "a", 2: "b"})
	}},
	{"6 the last change of a key wins, over commits and restarts", nil, func(s *story) {
		s.filled()
		s.write(put(1, "b"), gone(2), put(1, "c"), put(2, "x"), gone(3))
		s.commit(2)
		s.open()
		s.write(put(1, "d"), gone(2), put(3, "y"))
		s.commit(3)
		s.want(map[int64]string{1: "d", 3: "y"})
	}},
	{"7 a delete of nothing is nothing, and may be followed by the row", nil, func(s *story) {
		s.filled()
		s.write(gone(9), gone(8), put(9, "late"))
		s.commit(2)
		s.want(map[int64]string{1: "a", 2: "b", 9: "late"})
	}},
	{"8 a place inside a step is one to go on from", nil, func(s *story) {
		s.filled()
		s.write(put(3, "c"))
		s.commitAt(pipeline.Resume{At: at(1), Rows: 1, State: []byte("half")})
		if from := s.open(); from.At != at(1) || from.Rows != 1 || string(from.State) != "half" {
			s.Errorf("goes on from %+v", from)
		}
		s.write(put(4, "d"))
		s.commit(2)
		s.want(map[int64]string{1: "a", 2: "b", 3: "c", 4: "d"})
	}},
	{"9 R16 what is written again changes nothing", nil, func(s *story) {
		s.filled()
		again := s.offset
		s.write(put(1, "b"), gone(2), put(3, "c"))
		s.commit(2)
		s.open()
		s.offset, s.seq = again, 1
		s.write(put(1, "b"), gone(2), put(3, "c"))
		s.write(put(4, "d"))
		s.commit(3)
		s.want(map[int64]string{1: "b", 3: "c", 4: "d"})
	}},
	{"10 K05 zombie: a newer target keeps the older from keeping its place", nil, func(s *story) {
		s.filled()
		zombie := s.sink
		s.write(put(1, "old"))
		s.sink = nil
		s.open()
		s.write(put(1, "old"), put(1, "new"), put(3, "c"))
		s.commit(2)
		if err := zombie.Commit(context.Background(), resume(9)); err == nil {
			s.Error("a target that was replaced keeps its place")
		}
		zombie.Close()
		if from := s.open(); from.At != at(2) {
			s.Errorf("goes on from %+v", from)
		}
		if got := s.Rows(s.T); got[3] != "c" || len(got) != 3 {
			s.Errorf("a reader sees %v", got)
		}
	}},
	{"11 S03 zombie: what it writes late loses against the newer", func(p Powers) bool { return p.Fences || p.Versions }, func(s *story) {
		s.filled()
		zombie := s.sink
		s.write(put(1, "old"), put(2, "back"))
		s.sink = nil
		s.open()
		s.write(put(1, "old"), put(2, "back"), put(1, "new"), gone(2))
		s.commit(2)
		_ = zombie.Commit(context.Background(), resume(9))
		zombie.Close()
		s.want(map[int64]string{1: "new"})
	}},
	{"12 a target copies what it keeps", nil, func(s *story) {
		s.filled()
		v := []byte("mine")
		s.offset++
		b := batch(2, change(pipeline.Update, nil, itemRow(1, v)))
		b.Changes[0].Offset = s.offset
		if err := s.sink.Write(context.Background(), b); err != nil {
			s.Fatal(err)
		}
		copy(v, "YOUR")
		b.Changes[0].After[0] = itemRow(77, nil)[0]
		s.commit(2)
		s.want(map[int64]string{1: "mine", 2: "b"})
	}},
	{"13 NULL is not the empty text", nil, func(s *story) {
		s.filled()
		s.write(change(pipeline.Update, nil, nullRow(1)), put(2, ""))
		s.commit(2)
		s.want(map[int64]string{1: "NULL", 2: ""})
	}},
	{"14 a first fill is not seen before it is whole", beside, func(s *story) {
		s.open()
		s.write(put(1, "a"))
		s.commitAt(filling("some"))
		s.want(nil)
		s.write(put(2, "b"))
		s.commit(1)
		s.want(map[int64]string{1: "a", 2: "b"})
	}},
	{"15 a fill goes on after a crash", nil, func(s *story) {
		s.open()
		s.write(put(1, "a"))
		s.commitAt(filling("some"))
		if from := s.open(); !from.At.IsZero() || string(from.State) != "some" {
			s.Fatalf("goes on from %+v", from)
		}
		s.write(put(2, "b"))
		s.commit(1)
		s.want(map[int64]string{1: "a", 2: "b"})
	}},
	{"16 R16 a target begins anew beside what readers see, and switches", beside, func(s *story) {
		s.filled()
		s.renew()
		s.want(map[int64]string{1: "a", 2: "b"})
		if from := s.open(); !from.IsZero() {
			s.Fatalf("goes on from %+v", from)
		}
		s.want(map[int64]string{1: "a", 2: "b"})
		s.offset = 0 // another incarnation of the topic counts anew
		s.write(put(2, "two"), put(3, "three"))
		s.commitAt(filling("some"))
		s.want(map[int64]string{1: "a", 2: "b"})
		s.open()
		s.write(put(4, "four"))
		s.commit(1)
		s.want(map[int64]string{2: "two", 3: "three", 4: "four"})
		if from := s.open(); from.At != at(1) {
			s.Errorf("goes on from %+v", from)
		}
	}},
	{"17 beginning anew twice drops what the first left", beside, func(s *story) {
		s.filled()
		s.renew()
		s.open()
		s.write(put(7, "left over"))
		s.commitAt(filling("some"))
		s.renew()
		if from := s.open(); !from.IsZero() {
			s.Fatalf("goes on from %+v", from)
		}
		s.write(put(1, "again"))
		s.commit(1)
		s.want(map[int64]string{1: "again"})
	}},
	{"18 beginning anew is known to a new process", nil, func(s *story) {
		s.filled()
		s.renew()
		s.end()
		s.sink = nil
		if from := s.open(); !from.IsZero() {
			s.Errorf("goes on from %+v", from)
		}
	}},
	{"19 Close may be called again", nil, func(s *story) {
		s.filled()
		s.write(put(1, "not kept"))
		for range 2 {
			if err := s.sink.Close(); err != nil {
				s.Error(err)
			}
		}
		if from := s.open(); from.At != at(1) {
			s.Errorf("goes on from %+v", from)
		}
	}},
	{"20 a large step goes in whole", nil, func(s *story) {
		s.filled()
		want := map[int64]string{1: "a", 2: "b"}
		for n := int64(10); n < 5010; {
			var changes []pipeline.Change
			for range 500 {
				changes, want[n] = append(changes, put(n, "row")), "row"
				n++
			}
			s.write(changes...)
		}
		s.commit(2)
		s.want(want)
	}},
}

func atomic(p Powers) bool { return p.Atomic }
func beside(p Powers) bool { return p.Beside }
