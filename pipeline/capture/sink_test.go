package capture_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry/registrytest"
)

const peopleTopic, ordersTopic = "shop.public.people", "shop.public.orders"

func newStory(t *testing.T) *story {
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return tell(t, l, &registrytest.InMemory{})
}

// TestCommit tells how a transaction reaches its topics: whole, with its place,
// and with the frontier behind it (I1, I3).
func TestCommit(t *testing.T) {
	s := newStory(t)
	if from := s.open(); !from.IsZero() {
		t.Fatalf("a new log begins at %+v", from)
	}
	s.write(read(people, person(1, "Ada", "~")), read(orders, order(7, 10)))
	s.part()
	s.commit()
	s.write(create(people, person(2, "Bo", "x")), update(orders, order(7, 10), order(7, 12)), remove(people, person(1, "Ada", "~")))
	s.want(peopleTopic, `0 (1) r +(1,Ada,null) @0.0`)
	s.commit()
	s.want(peopleTopic, `
		0 (1) r +(1,Ada,null) @0.0
		1 (2) c +(2,Bo,x) @2.0
		2 (1) d -(1,Ada,null) @2.2
		3 (1) tombstone @2.2`)
	s.want(ordersTopic, `
		0 (7) r +(7,10) @0.1
		1 (7) u -(7,10) +(7,12) @2.1`)
	f := s.frontier()
	if f.Resume.At != (pipeline.Position{Seq: 2, Native: "0/2"}) || string(f.Resume.State) != "state" {
		t.Errorf("the frontier is at %+v", f.Resume)
	}
	want := log.Offsets{{Topic: peopleTopic}: 4, {Topic: ordersTopic}: 2}
	if !maps.Equal(f.Offsets, want) {
		t.Errorf("the frontier's offsets are %v, want %v", f.Offsets, want)
	}
}

// TestRestart tells that a sink made anew believes the log: what was committed
// stands, what was not never was (O02).
func TestRestart(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	s.write(create(people, person(2, "Bo", "b")))
	if from := s.open(); from.At.Seq != 1 || from.Rows != 0 || string(from.State) != "state" {
		t.Fatalf("goes on from %+v", from)
	}
	s.write(create(people, person(2, "Bo", "b")))
	s.commit()
	if got := s.frontier().Resume.At.Seq; got != 2 {
		t.Errorf("the frontier is at %d", got)
	}
	s.want(peopleTopic, `
		0 (1) c +(1,Ada,a) @1.0
		2 (2) c +(2,Bo,b) @2.0`)
}

// TestHidden tells that a frontier which something hides begins nothing anew: the
// sink waits, and goes on from it when it can be seen (K07, K09).
func TestHidden(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	hidden := &pipeline.Refusal{Code: "KAFKA_TRANSACTION_STUCK", What: "somebody's", Mend: "end it"}
	var asked []string
	s.config.Holding = func(_ context.Context, topic string) error { asked = append(asked, topic); return hidden }
	if _, err := s.tryOpen(); !errors.Is(err, hidden) {
		t.Fatalf("opened beside a hidden frontier: %v", err)
	}
	if want := log.FrontierTopic(s.config.Deployment, s.config.Source); len(asked) == 0 || asked[0] != want {
		t.Errorf("asked about %v, want %s first", asked, want)
	}
	s.config.Holding = nil
	if from := s.open(); from.At.Seq != 1 {
		t.Errorf("goes on from %+v", from)
	}
}

// TestParts tells how a transaction too large for one commit goes (I3, P26).
func TestParts(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	s.write(create(people, person(2, "Bo", "b")))
	s.part()
	if got := s.frontier(); got.Resume.At.Seq != 1 || got.Offsets[log.TopicPartition{Topic: peopleTopic}] != 1 {
		t.Errorf("a part moved the frontier: %+v", got)
	}
	from := s.open()
	if from.At.Seq != 1 || from.Rows != 1 || string(from.State) != "half" {
		t.Fatalf("goes on from %+v", from)
	}
	s.write(create(orders, order(1, 1)))
	s.part()
	s.write(create(orders, order(2, 2)))
	s.commit()
	s.want(peopleTopic, `
		0 (1) c +(1,Ada,a) @1.0
		1 (2) c +(2,Bo,b) @2.0`)
	s.want(ordersTopic, `
		0 (1) c +(1,1) @2.1 evert-part
		1 (2) c +(2,2) @2.2 evert-part`)
	f := s.frontier()
	want := log.Offsets{{Topic: peopleTopic}: 2, {Topic: ordersTopic}: 2}
	if f.Resume.Rows != 0 || !maps.Equal(f.Offsets, want) {
		t.Errorf("the frontier after the last part: %+v", f)
	}
	if from := s.open(); from.At.Seq != 2 || from.Rows != 0 {
		t.Errorf("the resume record is not void: %+v", from)
	}
}

func TestKeyChange(t *testing.T) {
	t.Run("P18 primary-key update", func(t *testing.T) {
		s := newStory(t)
		s.open()
		s.write(create(people, person(1, "Ada", "a")), create(people, person(2, "Bo", "b")))
		s.write(
			update(people, person(1, "?", "?"), person(3, "Ada", "a")),
			update(people, person(2, "?", "?"), person(1, "Bo", "b")),
			update(people, person(3, "?", "?"), person(2, "Ada", "a")))
		s.commit()
		s.want(peopleTopic, `
			0 (1) c +(1,Ada,a) @1.0
			1 (2) c +(2,Bo,b) @1.1
			2 (1) d -(1,Ada,a) @1.2 newkey
			3 (1) tombstone @1.2
			4 (3) c +(3,Ada,a) @1.2 oldkey
			5 (2) d -(2,Bo,b) @1.3 newkey
			6 (2) tombstone @1.3
			7 (1) c +(1,Bo,b) @1.3 oldkey
			8 (3) d -(3,Ada,a) @1.4 newkey
			9 (3) tombstone @1.4
			10 (2) c +(2,Ada,a) @1.4 oldkey`)
	})
}

// TestUnknown tells where values come from that the source did not send (I5).
func TestUnknown(t *testing.T) {
	filled := func(s *story) { // one committed row, and the sink made anew
		s.open()
		s.write(create(people, person(1, "Ada", "long")))
		s.commit()
		s.open()
	}
	for _, c := range []struct {
		name  string
		tell  func(s *story)
		lines string
	}{
		{"P13 unchanged toast, from the log", func(s *story) {
			s.write(update(people, nil, person(1, "Eve", "?")))
		}, `1 (1) u +(1,Eve,long) @2.0`},
		{"P13 unchanged toast, from the same transaction", func(s *story) {
			s.write(update(people, nil, person(1, "Ada", "longer")), update(people, nil, person(1, "Eve", "?")))
		}, `1 (1) u +(1,Ada,longer) @2.0
			2 (1) u +(1,Eve,longer) @2.1`},
		{"P13 unchanged toast, from the old row", func(s *story) {
			s.write(update(people, person(1, "Ada", "full"), person(1, "Eve", "?")))
		}, `1 (1) u -(1,Ada,full) +(1,Eve,full) @2.0`},
		{"P14 toast under the old key", func(s *story) {
			s.write(update(people, person(1, "?", "?"), person(2, "Ada", "?")), update(people, person(2, "?", "?"), person(3, "Ada", "?")))
		}, `1 (1) d -(1,Ada,long) @2.0 newkey
			2 (1) tombstone @2.0
			3 (2) c +(2,Ada,long) @2.0 oldkey
			4 (2) d -(2,Ada,long) @2.1 newkey
			5 (2) tombstone @2.1
			6 (3) c +(3,Ada,long) @2.1 oldkey`},
		{"a delete that names only its key", func(s *story) {
			s.write(remove(people, person(1, "?", "?")))
		}, `1 (1) d -(1,Ada,long) @2.0
			2 (1) tombstone @2.0`},
		{"from the source when the log has no row", func(s *story) {
			s.write(update(people, nil, person(9, "Eve", "?")))
		}, `1 (9) u +(9,Eve,again) @2.0`},
		{"not from a row that is void", func(s *story) {
			s.write(truncate(people), update(people, nil, person(1, "Eve", "?")))
		}, `1 (1) u +(1,Eve,again) @2.1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t)
			s.config.Reread = func(_ context.Context, c *pipeline.Change) (schema.Row, error) {
				return person(int(c.After[0].Int()), "now", "again"), nil
			}
			filled(s)
			c.tell(s)
			s.commit()
			s.want(peopleTopic, "0 (1) c +(1,Ada,long) @1.0\n"+c.lines)
		})
	}
}

func TestTruncate(t *testing.T) {
	t.Run("P19 truncate", func(t *testing.T) {
		s := newStory(t)
		s.open()
		s.write(create(people, person(1, "Ada", "a")), create(people, person(2, "Bo", "b")), create(people, person(3, "Cy", "c")))
		s.write(remove(people, person(3, "Cy", "c")))
		s.commit()
		s.write(create(people, person(4, "Di", "d")), truncate(people), create(people, person(2, "Bob", "b")))
		s.commit()
		f := s.frontier()
		state := f.Tables[peopleTopic]
		if state.Generation != 1 || len(state.From) != 1 || state.From[0] != 6 || state.Owed {
			t.Errorf("the table's state is %+v", state)
		}
		s.want(peopleTopic, `
			0 (1) c +(1,Ada,a) @1.0
			1 (2) c +(2,Bo,b) @1.1
			2 (3) c +(3,Cy,c) @1.2
			3 (3) d -(3,Cy,c) @1.3
			4 (3) tombstone @1.3
			5 (4) c +(4,Di,d) @2.0
			6 (2) c +(2,Bob,b) @2.2
			7 (1) tombstone @2.owed
			8 (4) tombstone @2.owed`)
	})
}

// TestSnapshotAgain tells of a snapshot that was cut short: its rows are void,
// also those of a table that is empty by now, and keys gone meanwhile get
// tombstones (I2; P10 the exported snapshot is gone).
func TestSnapshotAgain(t *testing.T) {
	s := newStory(t)
	s.open()
	s.announce(people, orders)
	s.write(read(people, person(1, "Ada", "a")), read(people, person(2, "Bo", "b")), read(orders, order(1, 1)))
	s.part()
	first := s.open()
	if !first.At.IsZero() || string(first.State) != "half" {
		t.Fatalf("goes on from %+v", first)
	}
	s.row = 0
	s.announce(people, orders)
	s.write(read(people, person(2, "Bo", "b2")))
	s.commit()
	s.want(peopleTopic, `
		0 (1) r +(1,Ada,a) @0.0
		1 (2) r +(2,Bo,b) @0.1
		2 (2) r +(2,Bo,b2) @0.0
		3 (1) tombstone @1.owed`)
	s.want(ordersTopic, `
		0 (1) r +(1,1) @0.2
		1 (1) tombstone @1.owed`)
	f := s.frontier()
	if from := f.Tables[peopleTopic].From; len(from) != 1 || from[0] != 2 {
		t.Errorf("rows count from %v, want 2", from)
	}
}

func TestRowEnvelope(t *testing.T) {
	s := newStory(t)
	s.config.Envelope = avro.Row
	s.open()
	s.write(create(people, person(1, "Ada", "a")), update(people, nil, person(1, "Eve", "?")), remove(people, person(1, "?", "?")))
	s.commit()
	s.want(peopleTopic, `
		0 (1) = +(1,Ada,a) @1.0
		1 (1) = +(1,Eve,a) @1.1
		2 (1) tombstone @1.2`)
}

// TestRefused tells what stops a source before it writes to the wrong place.
func TestRefused(t *testing.T) {
	ctx := context.Background()
	committed := func(t *testing.T) *story {
		s := newStory(t)
		s.open()
		s.write(create(people, person(1, "Ada", "a")))
		s.commit()
		s.kill()
		return s
	}
	for _, c := range []struct {
		name string
		do   func(s *story) error
		code pipeline.Code
	}{
		{"K13 topic deleted", func(s *story) error {
			return s.log.Admin().Delete(ctx, peopleTopic)
		}, "TOPIC_REPLACED"},
		{"K13 topic deleted and re-created", func(s *story) error {
			err := s.log.Admin().Delete(ctx, peopleTopic)
			_, again := s.log.Admin().Ensure(ctx, log.TopicSpec{Name: peopleTopic, Partitions: 1, Compact: true})
			return errors.Join(err, again)
		}, "TOPIC_REPLACED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := committed(t)
			if err := c.do(s); err != nil {
				t.Fatal(err)
			}
			if _, err := s.tryOpen(); pipeline.CodeOf(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
	t.Run("two tables for one topic", func(t *testing.T) {
		s := newStory(t)
		s.open()
		odd := *people
		odd.Name = "peop le"
		other := *people
		other.Name = "peop_le"
		s.announce(&odd)
		err := s.sink.Write(ctx, pipeline.Batch{Tables: []*schema.Table{&other}})
		if pipeline.CodeOf(err) != "TOPIC_COLLISION" {
			t.Errorf("got %v", err)
		}
	})
}
