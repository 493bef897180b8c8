// Package sinktest is the suite that every sink passes: the clauses of
// pipeline.Sink, told over a sink and the system behind it.
package sinktest

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A Harness is one system to deliver to, empty at first.
type Harness struct {
	// New makes a sink over the system, as a new process would.
	New func(t testing.TB) pipeline.Sink
	// Rows gives the rows of Items that a reader of the system sees, by id.
	Rows func(t testing.TB) map[int64]string
}

// Items is the table of the suite.
var Items = &schema.Table{
	Database: "app", Schema: "public", Name: "items", Native: "1", Version: 1, Key: []int{0},
	Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
		{Name: "v", Type: schema.Type{Kind: schema.KindText, Name: "text"}, Nullable: true},
	},
}

// Run runs every clause over a system of its own.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			s := &story{T: t, Harness: open(t)}
			defer s.end()
			c.tell(s)
		})
	}
}

var clauses = []struct {
	name string
	tell func(s *story)
}{
	{"1 a new sink has no effects", func(s *story) {
		if from := s.open(); !from.IsZero() {
			s.Errorf("a new sink goes on from %+v", from)
		}
	}},
	{"2 what was committed is visible, with its position", func(s *story) {
		s.open()
		s.write(create(1, "a"), create(2, "b"))
		s.commit(1)
		s.want(map[int64]string{1: "a", 2: "b"})
		if from := s.open(); from.At != at(1) || from.Rows != 0 || string(from.State) != "state 1" {
			s.Errorf("goes on from %+v", from)
		}
	}},
	{"3 nothing is visible before the commit", func(s *story) {
		s.open()
		s.write(create(1, "a"))
		s.want(nil)
	}},
	{"4 what was not committed is gone", func(s *story) {
		s.open()
		s.write(create(1, "a"))
		s.commit(1)
		s.write(create(2, "b"), remove(1))
		if from := s.open(); from.At != at(1) {
			s.Errorf("goes on from %+v", from)
		}
		s.write(create(3, "c"))
		s.commit(2)
		s.want(map[int64]string{1: "a", 3: "c"})
	}},
	{"5 a position moves without rows", func(s *story) {
		s.open()
		s.write()
		s.commit(1)
		s.write()
		s.commit(2)
		if from := s.open(); from.At != at(2) {
			s.Errorf("goes on from %+v", from)
		}
	}},
	{"6 the last change of a key wins, over commits and restarts", func(s *story) {
		s.open()
		s.write(create(1, "a"), update(1, "b"), create(2, "x"))
		s.commit(1)
		s.write(update(1, "c"), remove(2), create(2, "y"))
		s.commit(2)
		s.open()
		s.write(update(1, "d"))
		s.commit(3)
		s.want(map[int64]string{1: "d", 2: "y"})
	}},
	{"7 a changed key leaves the old one", func(s *story) {
		s.open()
		s.write(create(1, "a"), create(2, "b"))
		s.commit(1)
		s.write(rekey(1, 3, "a"), rekey(2, 1, "b"), rekey(3, 2, "a"))
		s.commit(2)
		s.want(map[int64]string{1: "b", 2: "a"})
	}},
	{"8 TRUNCATE empties the table for what came before", func(s *story) {
		s.open()
		s.write(create(1, "a"), create(2, "b"))
		s.commit(1)
		s.write(create(3, "c"), truncate(), create(2, "again"))
		s.commit(2)
		s.want(map[int64]string{2: "again"})
	}},
	{"9 a part of a transaction is a place to go on from", func(s *story) {
		s.open()
		s.write(create(1, "a"))
		s.commit(1)
		s.write(create(2, "b"), create(3, "c"))
		s.commitAt(pipeline.Resume{At: at(1), Rows: 2, State: []byte("half")})
		if from := s.open(); from.At != at(1) || from.Rows != 2 || string(from.State) != "half" {
			s.Errorf("goes on from %+v", from)
		}
		s.write(create(4, "d"))
		s.commit(2)
		if from := s.open(); from.At != at(2) || from.Rows != 0 {
			s.Errorf("goes on from %+v", from)
		}
		s.want(map[int64]string{1: "a", 2: "b", 3: "c", 4: "d"})
	}},
	{"10 K05 zombie writer: a newer holder fences the older", func(s *story) {
		s.open()
		s.write(create(1, "a"))
		s.commit(1)
		zombie := s.sink
		s.write(create(2, "zombie"))
		s.sink = nil
		s.open()
		s.write(create(3, "c"))
		s.commit(2)
		if err := zombie.Commit(context.Background(), resume(9)); err == nil {
			s.Error("a fenced sink commits")
		}
		zombie.Close()
		s.want(map[int64]string{1: "a", 3: "c"})
		if from := s.open(); from.At != at(2) {
			s.Errorf("goes on from %+v", from)
		}
	}},
	{"11 a sink copies what it keeps", func(s *story) {
		s.open()
		v := []byte("mine")
		b := batch(1, change(pipeline.Create, nil, schema.Row{schema.Int(1), schema.Text(v)}))
		if err := s.sink.Write(context.Background(), b); err != nil {
			s.Fatal(err)
		}
		copy(v, "YOUR")
		b.Changes[0].After[0] = schema.Int(77)
		s.commit(1)
		s.want(map[int64]string{1: "mine"})
	}},
	{"12 NULL is not the empty text", func(s *story) {
		s.open()
		s.write(change(pipeline.Create, nil, schema.Row{schema.Int(1), schema.Null()}), create(2, ""))
		s.commit(1)
		s.want(map[int64]string{1: "NULL", 2: ""})
	}},
	{"13 Close may be called again, and drops what was not committed", func(s *story) {
		s.open()
		s.write(create(1, "a"))
		for range 2 {
			if err := s.sink.Close(); err != nil {
				s.Error(err)
			}
		}
		s.want(nil)
	}},
}

// story is a sink that can be made anew.
type story struct {
	*testing.T
	Harness
	sink   pipeline.Sink
	seq    uint64
	offset uint64 // of the last change, in the topic it comes from
}

func (s *story) end() {
	if s.sink != nil {
		s.sink.Close()
	}
}

// open ends the present sink without a word, and makes another.
func (s *story) open() pipeline.Resume {
	s.Helper()
	s.end()
	s.sink = s.New(s.T)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	from, err := s.sink.Open(ctx)
	if err != nil {
		s.Fatal(err)
	}
	s.seq = from.At.Seq
	s.offset = max(s.offset, s.seq<<16)
	return from
}

func (s *story) write(changes ...pipeline.Change) {
	s.Helper()
	b := batch(s.seq+1, changes...)
	for i := range b.Changes {
		s.offset++
		b.Changes[i].Offset = s.offset
	}
	if err := s.sink.Write(context.Background(), b); err != nil {
		s.Fatal(err)
	}
}

func (s *story) commit(seq uint64) {
	s.Helper()
	s.commitAt(resume(seq))
	s.seq = seq
}

func (s *story) commitAt(r pipeline.Resume) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.sink.Commit(ctx, r); err != nil {
		s.Fatal(err)
	}
}

// want compares what a reader sees.
func (s *story) want(rows map[int64]string) {
	s.Helper()
	if got := s.Rows(s.T); !maps.Equal(got, rows) {
		s.Errorf("a reader sees %v, want %v", got, rows)
	}
}

func at(seq uint64) pipeline.Position {
	return pipeline.Position{Seq: seq, Native: "0/" + strconv.FormatUint(seq, 16)}
}

func resume(seq uint64) pipeline.Resume {
	return pipeline.Resume{At: at(seq), State: fmt.Appendf(nil, "state %d", seq)}
}

func batch(seq uint64, changes ...pipeline.Change) pipeline.Batch {
	tx := &pipeline.Tx{Position: at(seq), ID: 700 + seq, At: time.Unix(int64(seq), 0)}
	for i := range changes {
		changes[i].Tx, changes[i].Row = tx, uint32(i)
	}
	return pipeline.Batch{Tables: []*schema.Table{Items}, Changes: changes}
}

func change(op pipeline.Op, before, after schema.Row) pipeline.Change {
	return pipeline.Change{Table: Items, Op: op, Before: before, After: after}
}

func row(id int64, v string) schema.Row {
	return schema.Row{schema.Int(id), schema.Text([]byte(v))}
}

func itemRow(id int64, v []byte) schema.Row { return schema.Row{schema.Int(id), schema.Text(v)} }
func nullRow(id int64) schema.Row           { return schema.Row{schema.Int(id), schema.Null()} }

func key(id int64) schema.Row { return schema.Row{schema.Int(id), schema.Unknown()} }

func create(id int64, v string) pipeline.Change { return change(pipeline.Create, nil, row(id, v)) }
func update(id int64, v string) pipeline.Change { return change(pipeline.Update, nil, row(id, v)) }
func remove(id int64) pipeline.Change           { return change(pipeline.Delete, key(id), nil) }
func truncate() pipeline.Change                 { return change(pipeline.Truncate, nil, nil) }
func rekey(from, to int64, v string) pipeline.Change {
	return change(pipeline.Update, key(from), row(to, v))
}
