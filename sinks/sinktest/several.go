package sinktest

import (
	"context"
	"maps"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// A SeveralHarness is one outside system that is delivered two tables, empty at first.
type SeveralHarness struct {
	// New makes a target of Items, topic 0, and Others, topic 1, as a new process would.
	New func(t testing.TB) deliver.Target
	// Rows gives the rows of both that a reader of the system sees, by id.
	Rows func(t testing.TB) (items, others map[int64]string)
	// Powers says which clauses the system has the power for.
	Powers Powers
}

// Others is the second table of the suite: its keys are those of Items too.
var Others = &schema.Table{
	Database: "app", Schema: "public", Name: "others", Native: "2", Version: 1, Key: []int{0}, Columns: Items.Columns,
}

// RunSeveral runs the clauses of several tables in one sink, as far as the system has
// the power for them.
func RunSeveral(t *testing.T, open func(t *testing.T) SeveralHarness) {
	for _, c := range severalClauses {
		t.Run(c.name, func(t *testing.T) {
			h := open(t)
			s := &severalStory{story: story{T: t, Harness: Harness{New: func(t testing.TB) pipeline.Sink { return h.New(t) }}}, h: h}
			defer s.end()
			c.tell(s)
		})
	}
}

type severalStory struct {
	story
	h SeveralHarness
}

// announce names both tables, as a source does before the first row.
func (s *severalStory) announce() {
	s.Helper()
	for i, table := range []*schema.Table{Items, Others} {
		if err := s.sink.Write(context.Background(), pipeline.Batch{Tables: []*schema.Table{table}, Topic: uint16(i)}); err != nil {
			s.Fatal(err)
		}
	}
}

// others writes changes of the second table.
func (s *severalStory) others(changes ...pipeline.Change) {
	s.Helper()
	b := batch(s.seq+1, changes...)
	b.Tables, b.Topic = []*schema.Table{Others}, 1
	for i := range b.Changes {
		s.offset++
		b.Changes[i].Offset, b.Changes[i].Table, b.Changes[i].Topic = s.offset, Others, 1
	}
	if err := s.sink.Write(context.Background(), b); err != nil {
		s.Fatal(err)
	}
}

func (s *severalStory) wantBoth(items, others map[int64]string) {
	s.Helper()
	if hasItems, hasOthers := s.h.Rows(s.T); !maps.Equal(hasItems, items) || !maps.Equal(hasOthers, others) {
		s.Errorf("a reader sees %v and %v, want %v and %v", hasItems, hasOthers, items, others)
	}
}

// filledBoth brings an empty target to position 1.
func (s *severalStory) filledBoth() {
	s.Helper()
	if from := s.open(); !from.IsZero() {
		s.Fatalf("a new target goes on from %+v", from)
	}
	s.announce()
	s.write(put(1, "a"), put(2, "b"))
	s.others(put(1, "x"))
	s.commit(1)
}

var severalClauses = []struct {
	name string
	tell func(s *severalStory)
}{
	{"1 rows of two tables with one key are two rows", func(s *severalStory) {
		s.filledBoth()
		s.wantBoth(map[int64]string{1: "a", 2: "b"}, map[int64]string{1: "x"})
		s.others(gone(1), put(2, "y"))
		s.write(put(1, "c"))
		s.commit(2)
		s.wantBoth(map[int64]string{1: "c", 2: "b"}, map[int64]string{2: "y"})
	}},
	{"2 I3 tables move at one commit, and have one place", func(s *severalStory) {
		s.filledBoth()
		s.write(put(3, "c"))
		s.others(put(3, "z"))
		if s.h.Powers.Atomic {
			s.wantBoth(map[int64]string{1: "a", 2: "b"}, map[int64]string{1: "x"})
		}
		s.commit(2)
		s.wantBoth(map[int64]string{1: "a", 2: "b", 3: "c"}, map[int64]string{1: "x", 3: "z"})
		if from := s.open(); from.At != at(2) || string(from.State) != "state 2" {
			s.Errorf("goes on from %+v", from)
		}
	}},
	{"3 what was not committed of one is gone of both", func(s *severalStory) {
		s.filledBoth()
		if !s.h.Powers.Atomic {
			return // it was told of, and comes again
		}
		s.others(put(9, "lost"), gone(1))
		s.write(gone(1))
		s.open()
		s.wantBoth(map[int64]string{1: "a", 2: "b"}, map[int64]string{1: "x"})
		s.announce()
		s.others(put(9, "again"))
		s.commit(2)
		s.wantBoth(map[int64]string{1: "a", 2: "b"}, map[int64]string{1: "x", 9: "again"})
	}},
	{"4 a fill of one shows with that of the other", func(s *severalStory) {
		s.open()
		s.announce()
		s.write(put(1, "a"))
		s.commitAt(filling("some"))
		if s.h.Powers.Beside {
			s.wantBoth(map[int64]string{}, map[int64]string{})
		}
		if from := s.open(); string(from.State) != "some" {
			s.Fatalf("goes on from %+v", from)
		}
		s.announce()
		s.others(put(1, "x"))
		s.commit(1)
		s.wantBoth(map[int64]string{1: "a"}, map[int64]string{1: "x"})
	}},
	{"5 a table without rows is no obstacle", func(s *severalStory) {
		s.open()
		s.announce()
		s.write(put(1, "a"))
		s.commit(1)
		s.wantBoth(map[int64]string{1: "a"}, map[int64]string{})
		s.open()
		s.others(put(5, "late"))
		s.commit(2)
		s.wantBoth(map[int64]string{1: "a"}, map[int64]string{5: "late"})
	}},
	{"6 R16 all begin anew together", func(s *severalStory) {
		s.filledBoth()
		s.renew()
		if from := s.open(); !from.IsZero() {
			s.Fatalf("goes on from %+v", from)
		}
		if s.h.Powers.Beside {
			s.wantBoth(map[int64]string{1: "a", 2: "b"}, map[int64]string{1: "x"})
		}
		s.announce()
		s.write(put(1, "new"), gone(2))
		s.others(put(2, "new"), gone(1))
		s.commit(1)
		s.wantBoth(map[int64]string{1: "new"}, map[int64]string{2: "new"})
	}},
	{"7 K05 zombie: a newer target keeps the older from keeping its place", func(s *severalStory) {
		s.filledBoth()
		zombie := s.sink
		s.others(put(1, "old"))
		s.sink = nil
		s.open()
		if err := zombie.Commit(context.Background(), resume(9)); err == nil {
			s.Error("a target that was replaced keeps its place")
		}
		zombie.Close()
		if from := s.open(); from.At != at(1) {
			s.Errorf("goes on from %+v", from)
		}
	}},
}

// ApplyEventOf does to items or others what an event says that names its table.
func ApplyEventOf(t testing.TB, items, others map[int64]string, event []byte) {
	t.Helper()
	rows := items
	if fromOf(t, event) == "app.public.others" {
		rows = others
	}
	ApplyEvent(t, rows, event)
}
