//go:build unix

package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// told is what daemons answered: the schema of each id. It is used by one
// goroutine.
type told map[int]string

// take notes an answer; an id that was given to another schema ends the test.
func (ids told) take(t *testing.T, id int, text string) {
	t.Helper()
	if old, ok := ids[id]; ok && old != text {
		t.Fatalf("id %d is %s and %s", id, old, text)
	}
	ids[id] = text
}

// two starts two daemons of one deployment over the shared cluster.
func two(t *testing.T, name string) (daemons [2]served, brokers string) {
	t.Helper()
	brokers = apache.Cluster(t).Brokers()[0]
	for i := range daemons {
		daemons[i] = serve(t, place{t.TempDir(), name, brokers})
	}
	return daemons, brokers
}

type answer struct {
	id   int
	text string
	err  error
}

// register asks a registry to keep a schema.
func register(ctx context.Context, c *sr.Client, subject, field string) answer {
	schema := order(field)
	got, err := c.CreateSchema(ctx, subject, schema)
	return answer{got.ID, schema.Schema, err}
}

// TestTwoDaemons: two daemons over one cluster, both asked to register. Each
// finds what the other gave out, and no id is given out twice.
func TestTwoDaemons(t *testing.T) {
	t.Parallel()
	name := deployment("both")
	daemons, brokers := two(t, name)
	ids := told{}
	for i := range 5 {
		answers := make(chan answer, len(daemons))
		for d, s := range daemons {
			c := s.client(t)
			go func() { answers <- register(t.Context(), c, "both", fmt.Sprintf("f%d_%d", i, d)) }()
		}
		for range daemons {
			r := <-answers
			if r.err != nil {
				t.Fatal(r.err)
			}
			ids.take(t, r.id, r.text)
			for _, s := range daemons { // read by both at once
				if got, err := s.client(t).SchemaByID(t.Context(), r.id); err != nil || got.Schema != r.text {
					t.Errorf("id %d is %q, %v", r.id, got.Schema, err)
				}
			}
		}
	}
	agree(t, brokers, name, ids)
}

// TestPausedWriter pauses the daemon that holds the topic, somewhere within a
// registration, lets the other one register, and wakes it: what it had begun it
// decides anew, or never finishes, and no id means two schemas.
func TestPausedWriter(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(harness.Seed(t), 1))
	name := deployment("paused")
	daemons, brokers := two(t, name)
	ids := told{}
	for round := range harness.Number(t, "EVERT_CRASH_RUNS", 4) {
		paused, other := daemons[round%2], daemons[1-round%2]
		answers, stop := make(chan answer), make(chan struct{})
		go keepRegistering(t.Context(), paused.client(t), round, answers, stop)
		for range 1 + rng.IntN(5) {
			a := <-answers
			if a.err != nil {
				t.Fatal(a.err)
			}
			ids.take(t, a.id, a.text)
		}
		<-time.After(time.Duration(rng.Int64N(int64(20 * time.Millisecond)))) // a moment within the next registration
		paused.Signal(syscall.SIGSTOP)
		for i := range 3 {
			a := register(t.Context(), other.client(t), "paused", fmt.Sprintf("other%d_%d", round, i))
			if a.err != nil {
				t.Fatalf("round %d: the other daemon does not take over: %v\n%s", round, a.err, other.Last(10))
			}
			ids.take(t, a.id, a.text)
		}
		paused.Signal(syscall.SIGCONT)
		close(stop)
		for a := range answers {
			if a.err != nil {
				t.Fatalf("round %d: the daemon that was paused: %v\n%s", round, a.err, paused.Last(10))
			}
			ids.take(t, a.id, a.text)
		}
	}
	agree(t, brokers, name, ids)
}

// keepRegistering registers one schema after the other, until it is to stop.
func keepRegistering(ctx context.Context, c *sr.Client, round int, answers chan<- answer, stop <-chan struct{}) {
	defer close(answers)
	for i := 0; ; i++ {
		answers <- register(ctx, c, "paused", fmt.Sprintf("f%d_%d", round, i))
		select {
		case <-stop:
			return
		default:
		}
	}
}

// agree reads the registry's topic itself: what was committed to it gives each
// id one meaning, and that is what was answered.
func agree(t *testing.T, brokers, name string, ids told) {
	t.Helper()
	l, err := kafka.Open(t.Context(), kafka.Config{Brokers: []string{brokers}, Deployment: name, Topics: kafka.Topics{Manage: kafka.Never}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	committed := told{}
	store := log.Store{Log: l, Topic: log.SchemasTopic(name)}
	_, _, err = store.Read(t.Context(), "", func(key, value []byte) error {
		var r struct {
			ID     int
			Schema string
		}
		if err := json.Unmarshal(value, &r); err != nil {
			return err
		}
		if r.Schema != "" {
			committed.take(t, r.ID, r.Schema)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, text := range ids {
		if committed[id] != text {
			t.Errorf("id %d was answered for %s, and the topic has %s", id, text, committed[id])
		}
	}
	for id, text := range committed {
		if _, ok := ids[id]; !ok {
			t.Errorf("nobody was told of id %d, %s", id, strings.TrimSpace(text))
		}
	}
}
