package capture_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
)

// TestRegistryGone tells what a sink that is made anew can write while the
// registry does not answer: every table that this process knew before, and no
// other.
func TestRegistryGone(t *testing.T) {
	t.Run("K23 what is known goes on", func(t *testing.T) {
		server := srfake.New()
		client, err := registry.NewClient(registry.Config{URL: server.URL()})
		if err != nil {
			t.Fatal(err)
		}
		l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		s := tell(t, l, client)
		s.open()
		s.write(create(people, person(1, "Ada", "a")))
		s.commit()
		server.Close()
		s.open()
		s.announce(people)
		s.write(create(people, person(2, "Bo", "b")))
		s.commit()
		s.want(peopleTopic, `
			0 (1) c +(1,Ada,a) @1.0
			1 (2) c +(2,Bo,b) @2.0`)
		var gone *registry.Trouble
		if err := s.tryWrite(create(orders, order(1, 1))); !errors.As(err, &gone) || gone.Kind != registry.Unreachable {
			t.Errorf("a table that nobody knew: %v", err)
		}
		rekeyed := *people
		rekeyed.Columns, rekeyed.Version = append([]schema.Column(nil), people.Columns...), 2
		rekeyed.Key = []int{1}
		if err := s.tryWrite(create(&rekeyed, person(3, "Cy", "c"))); !errors.As(err, &gone) {
			t.Errorf("another key, which the registry would have to be asked about: %v", err)
		}
	})
}
