package capture_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry/registrytest"
)

// appending runs a story whose topics are append-only on a fresh log of each kind.
func appending(t *testing.T, do func(t *testing.T, s *story)) {
	for name, make := range map[string]func(t *testing.T) *story{
		"embedded":     newStory,
		"kafka":        func(t *testing.T) *story { return tell(t, fakeKafka(t), &registrytest.InMemory{}) },
		"apache kafka": func(t *testing.T) *story { return tell(t, apacheKafka(t), &registrytest.InMemory{}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := make(t)
			s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true, Retention: 48 * time.Hour} }
			s.open()
			do(t, s)
		})
	}
}

// TestAppendOnly tells what each change is in an append-only topic: a record of its own,
// which nothing compacts and no tombstone follows. Nothing in it is ever void (K15).
func TestAppendOnly(t *testing.T) {
	appending(t, func(t *testing.T, s *story) {
		s.write(read(people, person(1, "Ada", "a")))
		s.part()
		s.open() // the copy begins again, and its rows are there twice
		s.write(read(people, person(1, "Ada", "a")))
		s.commit()
		s.write(update(people, nil, person(1, "Ada", "b")), update(people, person(1, "?", "?"), person(2, "Ada", "b")), remove(people, person(2, "?", "?")), truncate(people))
		s.commit()
		s.write(create(people, person(1, "Bo", "c")), remove(people, person(1, "Bo", "c")))
		s.commit()
		s.open() // on Kafka, what was committed is seen behind that
		err := s.log.Admin().Compact(context.Background(), peopleTopic)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		want := `
			(1) r +(1,Ada,a) @0.0
			(1) r +(1,Ada,a) @0.0
			(1) u +(1,Ada,b) @2.0
			(1) d @2.1 newkey
			(2) c +(2,Ada,b) @2.1 oldkey
			(2) d @2.2
			no key t @2.3
			(1) c +(1,Bo,c) @3.0
			(1) d -(1,Bo,c) @3.1`
		if got := withoutOffsets(s.topic(peopleTopic)); got != trimmed(want) {
			t.Errorf("the topic holds\n%s\nwant\n%s", got, trimmed(want))
		}
		state := s.frontier().Tables[peopleTopic]
		if !state.Append || state.Owed || state.Generation != 0 || state.State != log.OK {
			t.Errorf("its state is %+v", state)
		}
		infos, err := s.log.Admin().Topics(context.Background(), peopleTopic)
		if err != nil || infos[0].Compact || infos[0].Retention != 48*time.Hour {
			t.Errorf("the topic is %+v, %v", infos, err)
		}
	})
}

// TestAppendOnlyGap tells that an append-only table which stopped says so in the first
// record behind the gap, and once, whatever happens in between (I8).
func TestAppendOnlyGap(t *testing.T) {
	appending(t, func(t *testing.T, s *story) {
		s.write(create(people, person(1, "Ada", "a")))
		s.commit()
		s.write(update(people, nil, person(1, "Ada", "?")))
		s.commit()
		s.open()
		s.wantState(peopleTopic, "stopped, generation 0, from [0], for UNKNOWN_VALUE")
		s.beginCopy(people, "ask")
		s.stay()
		s.open()
		s.beginCopy(people, "ask")
		s.done(people, "ask")
		s.stay()
		s.open()
		s.wantState(peopleTopic, "ok, generation 0, from [0], for UNKNOWN_VALUE, asked ask")
		s.write(create(people, person(2, "Bo", "b")), create(people, person(3, "Cy", "c")))
		s.commit()
		s.open()
		s.wantState(peopleTopic, "ok, generation 0, from [0], asked ask")
		want := `
			(1) c +(1,Ada,a) @1.0
			(2) c +(2,Bo,b) @3.0 evert-gap
			(3) c +(3,Cy,c) @3.1`
		if got := withoutOffsets(s.topic(peopleTopic)); got != trimmed(want) {
			t.Errorf("the topic holds\n%s\nwant\n%s", got, trimmed(want))
		}
	})
}

// TestAppendOnlyGapAgain tells that a gap goes on from where it began when the table stops
// again before a committed record tells of it (I8).
func TestAppendOnlyGapAgain(t *testing.T) {
	for name, told := range map[string]bool{"before a record": false, "in the commit that would tell": true} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			now := time.Unix(1_000_000, 0)
			s.config.Now = func() time.Time { return now }
			s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true} }
			s.open()
			s.write(create(people, person(1, "Ada", "a")), update(people, nil, person(1, "Ada", "?")))
			s.commit()
			first := s.frontier().Tables[peopleTopic].Why
			now = now.Add(time.Hour)
			s.beginCopy(people, "ask")
			s.done(people, "ask")
			s.stay()
			if told {
				s.write(create(people, person(2, "Bo", "b")))
			}
			s.write(update(people, nil, person(1, "Ada", "?")))
			s.commit()
			state := s.frontier().Tables[peopleTopic]
			if state.State != log.Stopped || first.At.IsZero() || state.Why.At.Sub(first.At) > time.Millisecond {
				t.Errorf("it began at %s, and its state is %+v", first.At, state)
			}
			if capture.ErrorID(state.Why) == capture.ErrorID(first) {
				t.Error("the two stops are mended by one copy")
			}
		})
	}
}

// TestAppendOnlyDrift tells that a topic which was begun one way is not written the
// other way (K15, K18).
func TestAppendOnlyDrift(t *testing.T) {
	for name, was := range map[string]bool{"K15 it was compacted": false, "K18 it was append-only": true} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			appends := was
			s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: appends} }
			s.open()
			s.write(create(people, person(1, "Ada", "a")))
			s.commit()
			appends = !was
			s.open()
			err := s.tryWrite(create(people, person(2, "Bo", "b")))
			if pipeline.CodeOf(err) != log.RefusePolicy || !strings.Contains(err.Error(), "cleanup: ") {
				t.Errorf("written all the same: %v", err)
			}
		})
	}
}

// TestAppendOnlyRows tells what the row envelope can say: a row that is gone is a key
// without a value, and a TRUNCATE, which has no record, stops the table.
func TestAppendOnlyRows(t *testing.T) {
	s := newStory(t)
	s.config.Envelope = avro.Row
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true} }
	s.open()
	s.write(create(people, person(1, "Ada", "a")), update(people, nil, person(1, "Ada", "b")), remove(people, person(1, "?", "?")))
	s.commit()
	s.write(truncate(people), create(people, person(2, "Bo", "b")))
	s.commit()
	s.want(peopleTopic, `
		0 (1) = +(1,Ada,a) @1.0
		1 (1) = +(1,Ada,b) @1.1
		2 (1) tombstone @1.2`)
	s.wantState(peopleTopic, "stopped, generation 0, from [0], for TABLE_TRUNCATED")
}

// TestAppendOnlyPartitions tells that each partition of an append-only topic hears of
// a TRUNCATE in its place.
func TestAppendOnlyPartitions(t *testing.T) {
	s := newStory(t)
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true, Partitions: 3} }
	s.open()
	s.write(truncate(people))
	s.commit()
	s.want(peopleTopic, strings.Repeat("0 no key t @1.0\n", 3))
}

// TestAppendOnlyOversize tells that no policy leaves a hole in an append-only topic: a
// row that would have to go elsewhere stops its table.
func TestAppendOnlyOversize(t *testing.T) {
	for _, p := range []capture.Policy{capture.StopTable, capture.Truncate, capture.Offload, capture.DeadLetter} {
		t.Run(p.String(), func(t *testing.T) {
			s := newStory(t)
			s.config.RecordBytes = small
			s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true, OnOversize: p} }
			s.open()
			s.write(create(people, person(1, "Ada", strings.Repeat("a", 2*small))))
			s.commit()
			if stopped := s.frontier().Tables[peopleTopic].State == log.Stopped; stopped != (p != capture.Truncate) {
				t.Errorf("the table has stopped: %v", stopped)
			}
		})
	}
}

// withoutOffsets leaves out what differs from log to log.
func withoutOffsets(lines string) string {
	all := strings.Split(lines, "\n")
	for i := range all {
		_, all[i], _ = strings.Cut(all[i], " ")
	}
	return strings.Join(all, "\n")
}

func trimmed(lines string) string {
	all := strings.Split(strings.TrimSpace(lines), "\n")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return strings.Join(all, "\n")
}

// TestAppendOnlyReset tells that the first record behind a reset which kept the topic says
// that changes are missing, also where the reset is cut off, where the new copy is before
// it comes to the table, where the table is not captured for a while, and where the source
// was reset again and again (I8, I10).
func TestAppendOnlyReset(t *testing.T) {
	appending(t, func(t *testing.T, s *story) {
		s.write(create(people, person(1, "Ada", "a")))
		s.commit()
		at := time.Unix(2_000_000, 0).UTC()
		s.reset(at, peopleTopic)
		s.reset(at.Add(time.Hour), peopleTopic)
		s.open()
		s.write(create(orders, order(1, 1)))
		s.commit()
		s.open() // on Kafka, what was committed is seen behind that
		if state, ok := s.frontier().Tables[peopleTopic]; ok {
			t.Errorf("a table that is not captured is %+v", state)
		}
		s.cutReset(at.Add(2*time.Hour), peopleTopic)
		s.open()
		s.announce(orders)
		s.part()
		s.open()
		s.write(read(people, person(1, "Ada", "z")), create(people, person(2, "Bo", "b")))
		s.commit()
		s.open()
		state := s.frontier().Tables[peopleTopic]
		if state.State != log.OK || state.Why != (log.Stop{}) || len(state.From) != 1 {
			t.Fatalf("its state is %+v", state)
		}
		want := `
			(1) c +(1,Ada,a) @1.0
			(1) r +(1,Ada,z) @0.0 evert-gap
			(2) c +(2,Bo,b) @1.1`
		if got := withoutOffsets(s.topic(peopleTopic)); got != trimmed(want) {
			t.Errorf("the topic holds\n%s\nwant\n%s", got, trimmed(want))
		}
		r := s.record(peopleTopic, state.From[0])
		if told := string(r.Find(log.GapHeader)); !strings.Contains(told, `"SOURCE_RESET"`) || !strings.Contains(told, at.Format(time.RFC3339)) {
			t.Errorf("it tells %s, of %s", told, at)
		}
	})
}

// TestAppendOnlyLacksNothing tells that no gap is told of where a reset was cut off before
// it removed anything, and where it removed the topic too.
func TestAppendOnlyLacksNothing(t *testing.T) {
	for name, removed := range map[string][]string{"nothing was removed": nil, "the topic was removed": {peopleTopic, log.FrontierTopic("test", "shop")}} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true} }
			s.open()
			s.write(create(people, person(1, "Ada", "a")))
			s.commit()
			s.beginReset(time.Unix(2_000_000, 0), peopleTopic)
			s.remove(removed...)
			s.open()
			s.write(create(people, person(2, "Bo", "b")))
			s.commit()
			if got := s.topic(peopleTopic); strings.Contains(got, "evert-gap") || !strings.Contains(got, "(2,Bo,b)") {
				t.Errorf("the topic holds\n%s", got)
			}
		})
	}
}

// TestAppendOnlyResetUnread tells of a reset whose note cannot be read, since a newer
// release wrote it: the first record behind says that changes are missing, and that nobody
// knows since when. So does what a reset behind that leaves, once (I8).
func TestAppendOnlyResetUnread(t *testing.T) {
	for _, again := range []bool{false, true} {
		s := newStory(t)
		s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true} }
		s.open()
		s.write(create(people, person(1, "Ada", "a")))
		s.commit()
		s.reset(time.Unix(2_000_000, 0), peopleTopic)
		s.newerNote()
		if again {
			s.reset(time.Unix(3_000_000, 0), peopleTopic)
		}
		s.open()
		s.write(create(people, person(2, "Bo", "b")))
		s.write(create(orders, order(1, 1)))
		s.commit()
		state := s.frontier().Tables[peopleTopic]
		r := s.record(peopleTopic, state.From[0])
		if told := string(r.Find(log.GapHeader)); told != `{"code":"SOURCE_RESET","at":"0001-01-01T00:00:00Z"}` || state.Why != (log.Stop{}) {
			t.Errorf("reset again %v: it tells %s, and its state is %+v", again, told, state)
		}
		if why := s.frontier().Tables[ordersTopic].Why; why != (log.Stop{}) {
			t.Errorf("a topic that begins has %+v", why)
		}
		s.reset(time.Unix(4_000_000, 0), peopleTopic)
		last, err := control.LastReset(t.Context(), s.log, "test", "shop")
		if at := last.Gaps[peopleTopic].At; err != nil || at.Year() < 1970 != !again {
			t.Errorf("reset again %v: a later one leaves %+v, %v", again, last, err)
		}
	}
}

// newerNote replaces what is noted of the last reset by what this release cannot read.
func (s *story) newerNote() {
	s.t.Helper()
	store := &log.Store{Log: s.log, Topic: log.ControlTopic("test")}
	if err := store.Take(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Append(s.t.Context(), struct{ Key, Value []byte }{[]byte("reset/shop"), []byte(`{"at":{"wall":1}}`)}); err != nil {
		s.t.Fatal(err)
	}
}

// TestAppendOnlyResetStops tells that a table which is given up right behind a reset says,
// when it goes on, since when changes are missing: since the reset (I8).
func TestAppendOnlyResetStops(t *testing.T) {
	s := newStory(t)
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true} }
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	at := time.Unix(2_000_000, 0).UTC()
	s.reset(at, peopleTopic)
	s.open()
	gone := pipeline.TableStop{Table: people, Why: &pipeline.Refusal{Code: "GIVEN_UP", What: "it has no key"}}
	if err := s.sink.Write(t.Context(), pipeline.Batch{Stopped: []pipeline.TableStop{gone}}); err != nil {
		t.Fatal(err)
	}
	s.announce(people)
	s.commit()
	if why := s.frontier().Tables[peopleTopic].Why; why.Code != "GIVEN_UP" || !why.At.Equal(at.Add(time.Microsecond)) {
		t.Errorf("it has stopped for %+v", why)
	}
}

// TestAppendOnlyResetMisses tells that a gap which a reset left does not hide a stop: a
// topic that the rows of a table go to only since that one stopped misses rows (I8).
func TestAppendOnlyResetMisses(t *testing.T) {
	s := newStory(t)
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{Append: true} }
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	s.reset(time.Unix(2_000_000, 0), peopleTopic)
	s.open()
	events := *people
	events.Name = "events"
	goesTo := func(name string) func(space, table string) bool {
		return func(_, table string) bool { return table == name }
	}
	gone := pipeline.TableStop{Table: &events, Routed: true, Also: goesTo("others"), Why: &pipeline.Refusal{Code: "TRANSFORM_VALUE", What: "it has no value"}}
	if err := s.sink.Write(t.Context(), pipeline.Batch{Stopped: []pipeline.TableStop{gone}}); err != nil {
		t.Fatal(err)
	}
	s.write(create(orders, order(1, 1)))
	s.commit()
	s.open()
	if err := s.sink.Write(t.Context(), pipeline.Batch{Tables: []*schema.Table{people}, Routes: []pipeline.Route{{Table: people, Origin: &events, Also: goesTo("people")}}}); err != nil {
		t.Fatal(err)
	}
	s.write(create(people, person(2, "Bo", "b")))
	s.commit()
	if state := s.frontier().Tables[peopleTopic]; state.State != log.Stopped || state.Why.Code != "TRANSFORM_VALUE" {
		t.Errorf("its state is %+v", state)
	}
}

// reset deletes the frontier and keeps topics, as the verb does.
func (s *story) reset(now time.Time, topics ...string) {
	s.t.Helper()
	s.cutReset(now, topics...)
	if err := control.EndReset(s.t.Context(), s.log, "test", "shop", true); err != nil {
		s.t.Fatal(err)
	}
}

// cutReset is one that is killed when the frontier is gone.
func (s *story) cutReset(now time.Time, topics ...string) {
	s.t.Helper()
	s.beginReset(now, topics...)
	s.remove(log.FrontierTopic("test", "shop"))
}

func (s *story) beginReset(now time.Time, topics ...string) {
	s.t.Helper()
	s.kill()
	s.sink = nil
	last, err := control.LastReset(s.t.Context(), s.log, "test", "shop")
	if err != nil {
		s.t.Fatal(err)
	}
	gaps, found, err := capture.Gaps(s.t.Context(), s.log, "test", "shop", topics, last, now)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := control.BeginReset(s.t.Context(), s.log, "test", "shop", control.Reset{At: now, Resnapshot: true, Kept: topics, Gaps: gaps, Found: found}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) remove(topics ...string) {
	s.t.Helper()
	if err := s.log.Admin().Delete(s.t.Context(), topics...); err != nil {
		s.t.Fatal(err)
	}
}
