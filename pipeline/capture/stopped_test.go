package capture_test

import (
	"context"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
)

// strict is a registry that takes no boolean columns.
type strict struct{ registry.Registry }

func (r strict) Register(ctx context.Context, subject, text string) (int, error) {
	if strings.Contains(text, `"boolean"`) {
		return 0, registry.ErrIncompatible
	}
	return r.Registry.Register(ctx, subject, text)
}

// TestOneTableStops tells that what one table cannot keep ends that table and
// nothing else: what it wrote before stays, the others go on, also after a
// restart (I8).
func TestOneTableStops(t *testing.T) {
	otherKey, otherType := *people, *people
	otherKey.Version, otherKey.Key = 2, []int{1}
	otherType.Version = 2
	otherType.Columns = append([]schema.Column{}, people.Columns...)
	otherType.Columns[1].Type = schema.Type{Kind: schema.KindBool, Name: "boolean"}
	for _, c := range []struct {
		name string
		code pipeline.Code
		do   func(s *story)
	}{
		{"K26 another key", "KEY_CHANGED", func(s *story) { s.announce(&otherKey) }},
		{"K24 a shape that the registry refuses", "SCHEMA_INCOMPATIBLE", func(s *story) { s.announce(&otherType) }},
		{"I5 a value that nobody has", "UNKNOWN_VALUE", func(s *story) { s.write(update(people, nil, person(9, "Eve", "?"))) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t)
			s.config.Registry = strict{s.reg}
			var told []*pipeline.Refusal
			s.config.Events.Stopped = func(_ string, _ *schema.Table, why *pipeline.Refusal) { told = append(told, why) }
			s.open()
			s.write(create(people, person(1, "Ada", "short")), create(orders, order(1, 1)))
			s.commit()
			s.write(create(people, person(2, "Bo", "of the same transaction")), create(orders, order(2, 2)))
			c.do(s)
			s.write(create(orders, order(3, 3)))
			s.commit()
			if len(told) != 1 || told[0].Code != c.code {
				t.Fatalf("told of %v, want %s", told, c.code)
			}
			if f := s.frontier(); f.Tables[peopleTopic].State != log.Stopped || f.Tables[ordersTopic].State != log.OK {
				t.Errorf("the frontier says %v", f.Tables)
			}
			at := log.TopicPartition{Topic: peopleTopic}
			if f := s.frontier(); f.Offsets[at] != 1 {
				t.Errorf("the stopped table is cut at %d, inside the transaction that stopped it", f.Offsets[at])
			}
			s.open()
			s.write(create(orders, order(4, 4)))
			s.commit()
			if f := s.frontier(); f.Tables[peopleTopic].State != log.Stopped {
				t.Errorf("after a restart the frontier says %v", f.Tables)
			}
		})
	}
}

// TestGivenUpWithOthers tells that topics which only an earlier run knew stop with
// the table whose rows they have (I8).
func TestGivenUpWithOthers(t *testing.T) {
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")), create(orders, order(1, 1)))
	s.commit()
	s.open()
	events := *people
	events.Name = "events"
	b := pipeline.Batch{Stopped: []pipeline.TableStop{{Table: &events, Why: &pipeline.Refusal{Code: "TRANSFORM_VALUE", What: "it has no value"},
		Also: func(space, table string) bool { return space == people.Schema && table == people.Name }}}}
	if err := s.sink.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	s.write(create(people, person(2, "Bo", "b")), create(orders, order(2, 2)))
	s.commit()
	if f := s.frontier(); f.Tables[peopleTopic].State != log.Stopped || f.Tables[ordersTopic].State != log.OK {
		t.Errorf("the frontier says %v", f.Tables)
	}
	if got := s.topic(peopleTopic); strings.Contains(got, "Bo") {
		t.Errorf("the topic holds %s", got)
	}
}

// TestGivenUpRouted tells that a table whose rows name their topics stops with those of
// earlier runs, and that no topic is named which never was; where there is none yet the
// table itself is, for rows are missing (I8).
func TestGivenUpRouted(t *testing.T) {
	for _, written := range []bool{true, false} {
		s := newStory(t)
		s.open()
		s.write(create(orders, order(1, 1)))
		if written {
			s.write(create(people, person(1, "Ada", "a")))
		}
		s.commit()
		s.open()
		events := *people
		events.Name = "events"
		b := pipeline.Batch{Stopped: []pipeline.TableStop{{Table: &events, Routed: true, Why: &pipeline.Refusal{Code: "TRANSFORM_VALUE", What: "it has no value"},
			Also: func(space, table string) bool { return space == people.Schema && table == people.Name }}}}
		if err := s.sink.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		s.write(create(orders, order(2, 2)))
		s.commit()
		f := s.frontier()
		_, named := f.Tables[strings.Replace(peopleTopic, "people", "events", 1)]
		if named == written || (f.Tables[peopleTopic].State == log.Stopped) != written {
			t.Errorf("written %v: the frontier says %v", written, f.Tables)
		}
	}
}

// TestGivenUp tells that a table which a transform has given up is not written
// any more, also after a restart, and also if it never had a topic: rows of it are
// missing (I8).
func TestGivenUp(t *testing.T) {
	for _, written := range []bool{true, false} {
		s := newStory(t)
		var told []string
		s.config.Events.Stopped = func(topic string, _ *schema.Table, why *pipeline.Refusal) {
			told = append(told, topic+" "+string(why.Code))
		}
		s.open()
		if written {
			s.write(create(people, person(1, "Ada", "a")))
		}
		s.write(create(orders, order(1, 1)))
		s.commit()
		why := &pipeline.Refusal{Code: "TRANSFORM_VALUE", What: "it has no value"}
		b := pipeline.Batch{Stopped: []pipeline.TableStop{{Table: people, Why: why}}}
		if err := s.sink.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		s.write(create(orders, order(2, 2)))
		s.commit()
		if from := s.open(); from.At.Seq != 2 {
			t.Errorf("goes on from %+v", from)
		}
		s.write(create(people, person(3, "Cy", "c")), create(orders, order(3, 3)))
		s.commit()
		if n := len(told); n < 2 || told[0] != peopleTopic+" TRANSFORM_VALUE" || told[1] != peopleTopic+" TRANSFORM_VALUE" {
			t.Errorf("told of %v", told)
		}
		if got := s.topic(peopleTopic); strings.Contains(got, "Cy") || strings.Contains(got, "Ada") != written {
			t.Errorf("written before: %v; the topic holds %s", written, got)
		}
		s.want(ordersTopic, `
			0 (1) c +(1,1) @1.`+map[bool]string{true: "1", false: "0"}[written]+`
			1 (2) c +(2,2) @2.0
			2 (3) c +(3,3) @3.1`)
	}
}

// TestStopMends tells that what mends a stop is the same after a restart.
func TestStopMends(t *testing.T) {
	for code, want := range map[pipeline.Code]string{
		"TABLE_PAUSED":        "evert resume shop.public.people",
		"KEY_CHANGED":         "evert reset shop --yes   # begins its topics anew; or restore the key, then: evert snapshot shop.public.people",
		"SCHEMA_INCOMPATIBLE": "evert reset shop --yes   # begins its topics and their schemas anew; or lower the subject's compatibility level, then: evert snapshot shop.public.people",
		"UNKNOWN_VALUE":       "ALTER TABLE \"public\".\"people\" REPLICA IDENTITY FULL;\nevert snapshot shop.public.people",
		"RECORD_TOO_LARGE":    "make the row smaller, raise limits.record_bytes and limits.value_bytes, or set on_oversize: truncate, offload or dead_letter for the table; then\nevert snapshot shop.public.people",
		"SOURCE_GIVES_UP":     "evert snapshot shop.public.people",
	} {
		s := newStory(t)
		s.config.Copies = true
		s.open()
		s.announce(people)
		if err := s.sink.Write(context.Background(), pipeline.Batch{Stopped: []pipeline.TableStop{{Table: people, Why: &pipeline.Refusal{Code: code}}}}); err != nil {
			t.Fatal(err)
		}
		s.commit()
		var mends []string
		s.config.Events.Stopped = func(_ string, _ *schema.Table, why *pipeline.Refusal) { mends = append(mends, why.Mend) }
		s.open()
		s.announce(people)
		if len(mends) != 2 || mends[0] != want || mends[1] != want {
			t.Errorf("%s is mended by %q, want %q", code, mends, want)
		}
	}
}
