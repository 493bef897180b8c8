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
