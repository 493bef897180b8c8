package capture_test

import (
	"context"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// TestOwned tells who may write a topic: whoever is recorded first, until it
// gives the topic up; nobody, if it holds records of unknown origin.
func TestOwned(t *testing.T) {
	ctx := context.Background()
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()

	other := tell(t, s.log, s.reg)
	other.config.Deployment, other.config.Source = "staging", "copy"
	other.open()
	err := other.tryWrite(create(people, person(2, "Eve", "e")))
	if pipeline.CodeOf(err) != log.RefuseOwned {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{peopleTopic, "source shop of deployment test", "source copy of deployment staging", "below sources.copy", "evert reset shop --yes"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the refusal does not name %q: %v", part, err)
		}
	}
	s.write(create(people, person(3, "Bo", "b")))
	s.commit()
	s.want(peopleTopic, `
		0 (1) c +(1,Ada,a) @1.0
		1 (3) c +(3,Bo,b) @2.0`)

	if err := log.Release(ctx, s.log, log.Owner{Deployment: "test", Source: "shop"}, peopleTopic); err != nil {
		t.Fatal(err)
	}
	other.open()
	if err := other.tryWrite(create(people, person(2, "Eve", "e"))); pipeline.CodeOf(err) != log.RefuseForeign {
		t.Errorf("records of nobody knows whom: got %v", err)
	}
	if err := s.log.Admin().Delete(ctx, peopleTopic); err != nil {
		t.Fatal(err)
	}
	other.open()
	other.write(create(people, person(2, "Eve", "e")))
	other.commit()
	other.want(peopleTopic, `0 (2) c +(2,Eve,e) @1.0`)
}

// A topic that the frontier speaks of is claimed if nobody has it: it was written
// before claims were.
func TestOwnedSinceBefore(t *testing.T) {
	ctx := context.Background()
	s := newStory(t)
	s.open()
	s.write(create(people, person(1, "Ada", "a")))
	s.commit()
	if err := s.log.Admin().Delete(ctx, log.OwnersTopic); err != nil {
		t.Fatal(err)
	}
	s.open()
	s.announce(people)
	owners, err := log.Owners(ctx, s.log, peopleTopic)
	if want := (log.Owner{Deployment: "test", Source: "shop"}); err != nil || owners[peopleTopic] != want {
		t.Errorf("owned by %v, %v", owners, err)
	}
}
