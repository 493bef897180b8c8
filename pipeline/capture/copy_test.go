package capture_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// beginCopy and done announce the copy of a table.
func (s *story) beginCopy(t *schema.Table, id string) {
	s.announceCopy(pipeline.TableCopy{Table: t, ID: id})
}
func (s *story) done(t *schema.Table, id string) {
	s.announceCopy(pipeline.TableCopy{Table: t, ID: id, Done: true})
}

func (s *story) announceCopy(c pipeline.TableCopy) {
	s.t.Helper()
	if err := s.sink.Write(context.Background(), pipeline.Batch{Copies: []pipeline.TableCopy{c}}); err != nil {
		s.t.Fatal(err)
	}
}

// chunk writes rows of a copy, behind the last whole transaction.
func (s *story) chunk(t *schema.Table, rows ...schema.Row) {
	s.t.Helper()
	tx := &pipeline.Tx{Position: pipeline.Position{Seq: s.seq, Native: fmt.Sprint("0/", s.seq)}}
	var b pipeline.Batch
	for i, row := range rows {
		b.Changes = append(b.Changes, pipeline.Change{Table: t, Op: pipeline.Read, After: row, Tx: tx, Row: uint32(i)})
	}
	if err := s.sink.Write(context.Background(), b); err != nil {
		s.t.Fatal(err)
	}
}

// stay commits at the last whole transaction: a source that is idle, or copies.
func (s *story) stay() {
	s.t.Helper()
	at := pipeline.Resume{At: pipeline.Position{Seq: s.seq, Native: fmt.Sprint("0/", s.seq)}, State: []byte("state")}
	if err := s.sink.Commit(context.Background(), at); err != nil {
		s.t.Fatal(err)
	}
}

// state is what the frontier says of people, as a reader would print it.
func (s *story) state(topic string) string {
	s.t.Helper()
	state := s.frontier().Tables[topic]
	text := fmt.Sprintf("%s, generation %d, from %v", state.State, state.Generation, state.From)
	if state.Owed {
		text += ", owed"
	}
	if state.Why.Code != "" {
		text += ", for " + string(state.Why.Code)
	}
	if state.Tried != "" {
		text += ", tried " + state.Tried
	}
	if state.Asked != "" {
		text += ", asked " + state.Asked
	}
	return text
}

func (s *story) wantState(topic, want string) {
	s.t.Helper()
	if got := s.state(topic); got != want {
		s.t.Errorf("the state of %s is\n%s\nwant\n%s", topic, got, want)
	}
}

// TestCopyWhileStreaming tells of a table that is copied again while writes go on:
// rows of its chunks win over older ones and lose to newer ones, keys that are gone
// get tombstones, and it is OK in the commit that holds the last of them (P12, I4).
func TestCopyWhileStreaming(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")), create(people, person(2, "Bo", "b")), create(people, person(3, "Cy", "c")), create(people, person(4, "Di", "d")))
	s.commit()
	s.beginCopy(people, "ask")
	s.stay()
	s.wantState(peopleTopic, "copying, generation 0, from [4], asked ask")
	s.chunk(people, person(1, "Ada", "a2"), person(2, "Bo", "b2"))
	s.write(update(people, nil, person(2, "Bob", "b3")), remove(people, person(1, "?", "?")))
	s.commit()
	s.chunk(people, person(4, "Di", "d2"))
	s.done(people, "ask")
	s.write(create(people, person(5, "Ed", "e")))
	s.commit()
	s.wantState(peopleTopic, "ok, generation 0, from [4], asked ask")
	s.want(peopleTopic, `
		0 (1) c +(1,Ada,a) @1.0
		1 (2) c +(2,Bo,b) @1.1
		2 (3) c +(3,Cy,c) @1.2
		3 (4) c +(4,Di,d) @1.3
		4 (1) r +(1,Ada,a2) @1.owed
		5 (2) r +(2,Bo,b2) @1.owed
		6 (2) u +(2,Bob,b3) @2.0
		7 (1) d -(1,Ada,a2) @2.1
		8 (1) tombstone @2.1
		9 (4) r +(4,Di,d2) @2.owed
		10 (5) c +(5,Ed,e) @3.0
		11 (3) tombstone @3.owed`)
	if r := s.record(peopleTopic, 4); !strings.Contains(string(r.Value), "incremental") {
		t.Errorf("a row of a chunk says %q", r.Value)
	}
	s.placesGrow(peopleTopic)
}

// record gives a committed record.
func (s *story) record(topic string, offset int64) (found log.Record) {
	s.t.Helper()
	err := log.Scan(context.Background(), s.log, log.TopicPartition{Topic: topic}, log.Ends{Start: offset, Stable: offset + 1}, func(r *log.Record) error {
		found = *r
		found.Value = append([]byte(nil), r.Value...)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// placesGrow wants each record's place at or behind the one before.
func (s *story) placesGrow(topic string) {
	s.t.Helper()
	all, err := places(s.log, topic)
	if err != nil {
		s.t.Fatal(err)
	}
	var last log.Pos
	for _, p := range all {
		if p.pos.Seq < last.Seq || p.pos.Seq == last.Seq && p.pos.Row <= last.Row {
			s.t.Errorf("offset %d is at %+v, and the record before it at %+v", p.offset, p.pos, last)
		}
		last = p.pos
	}
}

// TestCopyPlacesGrow tells that rows of chunks, and tombstones, have places that grow
// over commits at one position, and over restarts.
func TestCopyPlacesGrow(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(9, "Zoe", "z")), create(people, person(8, "Yan", "y")))
	s.commit()
	s.beginCopy(people, "ask")
	s.chunk(people, person(1, "Ada", "a"), person(2, "Bo", "b"))
	s.stay()
	s.chunk(people, person(3, "Cy", "c"))
	s.stay()
	s.open()
	s.chunk(people, person(4, "Di", "d"), person(5, "Ed", "e"))
	s.done(people, "ask")
	s.stay()
	s.open()
	s.beginCopy(people, "again")
	s.chunk(people, person(4, "Di", "d"))
	s.done(people, "again")
	s.stay()
	s.placesGrow(peopleTopic)
	s.wantState(peopleTopic, "ok, generation 0, from [9], asked again")
	if got := s.topic(peopleTopic); strings.Count(got, "tombstone") != 2+4 {
		t.Errorf("the topic holds\n%s", got)
	}
}

// TestCopyPlacesGrowFromTheFirst tells that the places of chunks grow in a log without
// a frontier record, too: its first commit is one of a chunk.
func TestCopyPlacesGrowFromTheFirst(t *testing.T) {
	s := newStory(t)
	s.open()
	s.seq = 7
	s.beginCopy(people, "")
	s.chunk(people, person(1, "Ada", "a"), person(2, "Bo", "b"))
	s.stay()
	s.chunk(people, person(3, "Cy", "c"), person(4, "Di", "d"))
	s.done(people, "")
	s.stay()
	s.placesGrow(peopleTopic)
	if got := s.topic(peopleTopic); strings.Count(got, "\n") != 3 {
		t.Errorf("the topic holds\n%s", got)
	}
}

// TestCopyOfStopped tells of a table that stopped inside a transaction: what it wrote
// of that, and everything before, is superseded; a value that is not sent is not
// taken from there (I5), but from the copy, else from the source.
func TestCopyOfStopped(t *testing.T) {
	s := newStory(t)
	asked := 0
	s.config.Reread = func(_ context.Context, c *pipeline.Change) (schema.Row, error) {
		asked++
		if c.After[0].Int() == 2 {
			return person(2, "Bo", "of the source"), nil
		}
		return nil, nil
	}
	s.open()
	s.write(create(people, person(1, "Ada", "stale")), create(people, person(2, "Bo", "stale")), create(people, person(3, "Cy", "c")))
	s.commit()
	s.write(create(people, person(6, "Fay", "of the transaction that stops it")))
	s.write(update(people, nil, person(9, "Eve", "?")))
	s.commit()
	s.wantState(peopleTopic, "stopped, generation 0, from [0], for UNKNOWN_VALUE")
	s.open()
	s.beginCopy(people, "error/UNKNOWN_VALUE/7")
	s.write(update(people, nil, person(1, "Ann", "?"))) // its chunk was not read
	s.write(update(people, nil, person(2, "Bob", "?")))
	s.commit()
	s.chunk(people, person(1, "Ann", "new"))
	s.write(update(people, nil, person(1, "Amy", "?")))
	s.commit()
	s.done(people, "error/UNKNOWN_VALUE/7")
	s.stay()
	s.wantState(peopleTopic, "ok, generation 0, from [4], tried UNKNOWN_VALUE")
	s.want(peopleTopic, `
		0 (1) c +(1,Ada,stale) @1.0
		1 (2) c +(2,Bo,stale) @1.1
		2 (3) c +(3,Cy,c) @1.2
		3 (6) c +(6,Fay,of the transaction that stops it) @2.0
		4 (2) u +(2,Bob,of the source) @3.1
		5 (1) r +(1,Ann,new) @3.owed
		6 (1) u +(1,Amy,new) @4.0
		7 (3) tombstone @4.owed
		8 (6) tombstone @4.owed`)
	if asked != 3 {
		t.Errorf("the source was asked %d times", asked)
	}
	// The same error stops it for good, until people ask.
	s.write(update(people, nil, person(8, "Eve", "?")))
	s.commit()
	s.wantState(peopleTopic, "stopped, generation 0, from [4], for UNKNOWN_VALUE, tried UNKNOWN_VALUE")
	s.beginCopy(people, "ask")
	s.stay()
	s.wantState(peopleTopic, "copying, generation 0, from [9], asked ask")
}

// TestCopyAwaits tells of a row that is left out, since the source has it no more, and
// whose delete comes behind the end of the copy: the table is OK behind that (I7).
func TestCopyAwaits(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")), create(people, person(2, "Bo", "b")))
	s.commit()
	s.beginCopy(people, "ask")
	s.chunk(people, person(2, "Bo", "b"))
	s.write(update(people, nil, person(1, "Ann", "?"))) // nobody has the row
	s.commit()
	s.done(people, "ask")
	s.stay()
	s.wantState(peopleTopic, "copying, generation 0, from [2], owed, asked ask")
	s.write(create(orders, order(1, 1)))
	s.commit()
	s.wantState(peopleTopic, "copying, generation 0, from [2], owed, asked ask")
	s.write(remove(people, person(1, "?", "?")))
	s.commit()
	s.wantState(peopleTopic, "ok, generation 0, from [2], asked ask")
}

// TestTruncateInsideCopy tells of a TRUNCATE while a table is copied: what was read
// is void for readers, and the copy goes on (P19).
func TestTruncateInsideCopy(t *testing.T) {
	for _, paying := range []bool{false, true} {
		t.Run(fmt.Sprintf("while it is paid %v", paying), func(t *testing.T) {
			s := newStory(t)
			s.open()
			s.write(create(people, person(1, "Ada", "a")), create(people, person(2, "Bo", "b")))
			s.commit()
			s.beginCopy(people, "ask")
			s.chunk(people, person(1, "Ada", "a"))
			if paying {
				s.done(people, "ask")
			}
			s.write(truncate(people))
			s.write(create(people, person(3, "Cy", "c")))
			if !paying {
				s.commit()
				s.wantState(peopleTopic, "copying, generation 1, from [3], asked ask")
				s.chunk(people, person(3, "Cy", "c"))
				s.done(people, "ask")
			}
			s.commit()
			s.wantState(peopleTopic, "ok, generation 1, from [3], asked ask")
			if got := s.topic(peopleTopic); strings.Count(got, "tombstone") != 2 {
				t.Errorf("the topic holds\n%s", got)
			}
		})
	}
}

// TestCopyStays tells when a copy does not begin, or ends early: the key of the topic
// is another one, or the table stops meanwhile.
func TestCopyStays(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	otherKey := *people
	otherKey.Version, otherKey.Key = 2, []int{1}
	s.announce(&otherKey)
	s.beginCopy(&otherKey, "ask")
	s.chunk(&otherKey, person(1, "Ada", "a"))
	s.done(&otherKey, "ask")
	s.stay()
	s.wantState(peopleTopic, "stopped, generation 0, from [0], for KEY_CHANGED, asked ask")
	back := *people
	back.Version = 3
	s.announce(&back)
	s.beginCopy(&back, "ask again")
	s.write(update(&back, person(1, "?", "?"), person(7, "Ada", "?"))) // a key moves: it is not left out
	s.done(&back, "ask again")
	s.commit()
	s.wantState(peopleTopic, "stopped, generation 0, from [1], for UNKNOWN_VALUE, asked ask again")
}

// TestCopyOfGivenUp tells of a table that a source gives up before it has a topic,
// and of one that goes by other names too: both come back with a copy.
func TestCopyOfGivenUp(t *testing.T) {
	s := newStory(t)
	s.open()
	why := &pipeline.Refusal{Code: "SOURCE_GIVES_UP", What: "it cannot be read"}
	s.write(create(orders, order(1, 1)))
	also := func(_, table string) bool { return table == orders.Name }
	if err := s.sink.Write(context.Background(), pipeline.Batch{Stopped: []pipeline.TableStop{{Table: people, Why: why, Also: also}}}); err != nil {
		t.Fatal(err)
	}
	s.commit()
	s.wantState(ordersTopic, "stopped, generation 0, from [0], for SOURCE_GIVES_UP")
	s.open()
	s.announceCopy(pipeline.TableCopy{Table: people, ID: "ask", Also: also})
	s.write(create(people, person(1, "Ada", "a")))
	s.chunk(orders, order(2, 2))
	s.announceCopy(pipeline.TableCopy{Table: people, ID: "ask", Also: also, Done: true})
	s.commit()
	s.wantState(peopleTopic, "ok, generation 0, from [0], asked ask")
	s.wantState(ordersTopic, "ok, generation 0, from [1], asked ask")
}

// TestCopyNamesTables tells of tables that rows name first while a table is copied: one
// that was given up before it had a topic, and a new one. Both are OK when the copy is
// done; what was given up, and has no row, is so too.
func TestCopyNamesTables(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	fresh, idle := *orders, *orders
	fresh.Name, idle.Name = "fresh", "idle"
	also := func(_, table string) bool { return table != people.Name }
	why := &pipeline.Refusal{Code: "SOURCE_GIVES_UP", What: "it cannot be read"}
	if err := s.sink.Write(context.Background(), pipeline.Batch{Stopped: []pipeline.TableStop{{Table: orders, Why: why}, {Table: &idle, Why: why}}}); err != nil {
		t.Fatal(err)
	}
	s.commit()
	s.open()
	s.announceCopy(pipeline.TableCopy{Table: people, ID: "ask", Also: also})
	s.chunk(orders, order(2, 2))
	s.write(create(&fresh, order(3, 3)))
	s.commit()
	s.wantState(ordersTopic, "copying, generation 0, from [0], asked ask")
	s.wantState("shop.public.fresh", "copying, generation 0, from [0], asked ask")
	s.chunk(&fresh, order(4, 4))
	s.announceCopy(pipeline.TableCopy{Table: people, ID: "ask", Also: also, Done: true})
	s.stay()
	s.wantState(ordersTopic, "ok, generation 0, from [0], asked ask")
	s.wantState("shop.public.fresh", "ok, generation 0, from [0], asked ask")
	s.wantState("shop.public.idle", "ok, generation 0, from []")
	s.open()
	s.write(create(&idle, order(5, 5)))
	s.commit()
	if got := s.topic("shop.public.idle"); !strings.Contains(got, "(5)") {
		t.Errorf("its topic holds %q", got)
	}
}

// TestCopyBeside tells of a copy whose rows come to a topic that has rows of other
// tables: it is copying meanwhile, and nothing of the others goes.
func TestCopyBeside(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	s.announceCopy(pipeline.TableCopy{Table: people, Adds: true})
	s.chunk(people, person(2, "Bo", "b"))
	s.stay()
	s.wantState(peopleTopic, "copying, generation 0, from [0]")
	s.done(people, "")
	s.stay()
	s.wantState(peopleTopic, "ok, generation 0, from [0]")
	if got := s.topic(peopleTopic); strings.Contains(got, "tombstone") {
		t.Errorf("the topic holds\n%s", got)
	}
}

// TestRefusedCopy tells of a copy that was asked for and does not begin: its table stops
// for the reason of that, also if it had stopped for another, and the request is done
// with, after a restart too.
func TestRefusedCopy(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	for _, id := range []string{"", "ask", "ask again"} {
		why := &pipeline.Refusal{Code: pipeline.Code("REFUSED" + strings.ToUpper(strings.ReplaceAll(id, " ", "_"))), What: "it has no key"}
		if err := s.sink.Write(context.Background(), pipeline.Batch{Stopped: []pipeline.TableStop{{Table: people, Why: why, Copy: id}}}); err != nil {
			t.Fatal(err)
		}
		s.stay()
	}
	s.wantState(peopleTopic, "stopped, generation 0, from [0], for REFUSEDASK_AGAIN, asked ask again")
	s.open()
	s.wantState(peopleTopic, "stopped, generation 0, from [0], for REFUSEDASK_AGAIN, asked ask again")
}

// TestStopReason tells why a table stopped, also after a restart, and of what a
// person decided: to stop the source with it, or to keep the rows of a TRUNCATE.
func TestStopReason(t *testing.T) {
	s := newStory(t)
	var told []*pipeline.Refusal
	s.config.Events.Stopped = func(_ string, _ *schema.Table, why *pipeline.Refusal) { told = append(told, why) }
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{KeepRows: true} }
	s.config.Copies = true
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	s.write(truncate(people))
	s.write(create(people, person(2, "Bo", "b")))
	s.commit()
	s.wantState(peopleTopic, "stopped, generation 0, from [0], for TABLE_TRUNCATED")
	s.want(peopleTopic, `0 (1) c +(1,Ada,a) @1.0`)
	told = nil
	s.open()
	if len(told) != 1 || told[0].Code != "TABLE_TRUNCATED" || !strings.Contains(told[0].What, "1970-01-12T13:46:40Z") || !strings.Contains(told[0].What, "on_truncate is stop_table") {
		t.Fatalf("after a restart: %v", told)
	}
	if told[0].Mend != "evert snapshot shop.public.people" {
		t.Errorf("before it is announced: %s", told[0].Mend)
	}
	s.announce(people)
	if len(told) != 2 || told[1].Mend != "evert snapshot shop.public.people" {
		t.Fatalf("with its name: %v", told)
	}
	s.config.Topic = func(*schema.Table) capture.Topic { return capture.Topic{StopSource: true} }
	s.open()
	if err := s.tryWrite(update(orders, nil, schema.Row{schema.Int(9), schema.Unknown()})); pipeline.CodeOf(err) != "UNKNOWN_VALUE" {
		t.Fatalf("the source goes on: %v", err)
	}
}

// TestOnePoisonedOfFifty tells that the others flow, and the source is acknowledged,
// while one of fifty tables has stopped; and that a copy mends it (O15).
func TestOnePoisonedOfFifty(t *testing.T) {
	s := newStory(t)
	var tables []*schema.Table
	for i := range 50 {
		one := *people
		one.Name = fmt.Sprint("t", i)
		tables = append(tables, &one)
	}
	s.open()
	s.announce(tables...)
	for n := range 3 {
		for i, table := range tables {
			c := create(table, person(n, "Ada", "a"))
			if n == 1 && i == 17 {
				c = update(table, nil, person(7, "Eve", "?"))
			}
			s.write(c)
		}
		s.commit()
	}
	f := s.frontier()
	if f.Resume.At.Seq != 3 {
		t.Fatalf("the source may forget up to %s", f.Resume.At)
	}
	for i, table := range tables {
		topic := "shop.public." + table.Name
		wantRows, wantState := int64(3), log.OK
		if i == 17 {
			wantRows, wantState = 1, log.Stopped
		}
		if at := f.Offsets[log.TopicPartition{Topic: topic}]; at != wantRows || f.Tables[topic].State != wantState {
			t.Errorf("%s is %s at %d", topic, f.Tables[topic].State, at)
		}
	}
	s.beginCopy(tables[17], capture.ErrorID(f.Tables["shop.public.t17"].Why))
	s.chunk(tables[17], person(0, "Ada", "a"), person(1, "Ada", "a"), person(2, "Ada", "a"))
	s.done(tables[17], "")
	s.write(create(tables[17], person(3, "Ada", "a")))
	s.commit()
	s.wantState("shop.public.t17", "ok, generation 0, from [1], tried UNKNOWN_VALUE")
	if at := s.frontier().Offsets[log.TopicPartition{Topic: "shop.public.t17"}]; at != 5 {
		t.Errorf("it is cut at %d", at)
	}
}

// TestStopAndAnnounce tells of a table that its source gives up in the very batch that
// names it: it stops for that reason, and is not said to be well meanwhile.
func TestStopAndAnnounce(t *testing.T) {
	s := newStory(t)
	var said []string
	s.config.Events.Stopped = func(_ string, _ *schema.Table, why *pipeline.Refusal) { said = append(said, string(why.Code)) }
	s.config.Events.Table = func(_ string, _ *schema.Table, state log.TableState) { said = append(said, state.State.String()) }
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	s.open()
	said = nil
	why := &pipeline.Refusal{Code: "SOURCE_GIVES_UP", What: "it cannot be read"}
	if err := s.sink.Write(context.Background(), pipeline.Batch{Tables: []*schema.Table{people}, Stopped: []pipeline.TableStop{{Table: people, Why: why}}}); err != nil {
		t.Fatal(err)
	}
	s.stay()
	if got := strings.Join(said, ", "); got != "SOURCE_GIVES_UP, stopped" {
		t.Errorf("it is said: %s", got)
	}
}
