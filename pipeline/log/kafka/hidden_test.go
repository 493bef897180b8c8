//go:build unix

package kafka

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

// TestBrokerKilled kills the only broker of a cluster at once behind the ends of
// transactions. When it comes back, Apache Kafka 4.4 most often forgets their
// markers. What was decided has to count nevertheless: by the hand of the same
// writer, or of the next one.
func TestBrokerKilled(t *testing.T) {
	t.Parallel()
	for _, version := range []int{2, 1} {
		t.Run(fmt.Sprintf("K07 with transaction.version %d", version), func(t *testing.T) {
			t.Parallel()
			killBroker(t, version)
		})
	}
}

func killBroker(t *testing.T, version int) {
	kills := 2
	if os.Getenv("EVERT_FULL") == "1" {
		kills = 12
	}
	c := kafkatest.Start(t, kafkaserver.Options{Features: map[string]int{"transaction.version": version}})
	cfg := realConfig(c, "killed")
	cfg.RetryFor = time.Minute
	told := tally{seen: map[string]int{}}
	cfg.Events.Ended = told.add
	l := open(t, cfg)
	stories := endStories(t, l)
	n := 0
	for ; n < kills || told.none() && n < 4; n++ { // a busy machine is slow to kill
		together(t, stories, func(s *endStory) error { return s.begin(t.Context(), n) })
		together(t, stories, func(s *endStory) error { return s.before(s, t.Context()) })
		c.Node(1).Kill()
		back := make(chan error, 1)
		go func() { back <- c.Node(1).Start(context.Background()) }()
		together(t, stories, func(s *endStory) error { return s.after(s, within(t, 3*time.Minute)) })
		if err := <-back; err != nil {
			t.Fatal(err)
		}
		for _, s := range stories {
			eventually(t, s.name+": what was committed", func() bool { return all(t, l, s.a) == s.want() && all(t, l, s.b) == s.want() })
		}
	}
	t.Logf("%d kills; ended by hand: %v", n, told.seen)
	if told.none() && kills > 4 {
		t.Error("the cluster forgot nothing, so that nothing was shown")
	}
}

// together runs one step of all stories at the same time.
func together(t *testing.T, stories []*endStory, step func(s *endStory) error) {
	t.Helper()
	done := make(chan error, len(stories))
	for _, s := range stories {
		go func() {
			err := step(s)
			if err != nil {
				err = fmt.Errorf("%s: %w", s.name, err)
			}
			done <- err
		}()
	}
	for range stories {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// tally counts what was ended by hand.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (a *tally) add(id string, _ log.TopicPartition, committed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[fmt.Sprintf("%s committed=%t", id, committed)]++
}

func (a *tally) none() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen) == 0
}

// An endStory is a writer to two topics: what it does at once before the kill,
// and what it does, or the next writer, while the broker is away.
type endStory struct {
	name          string
	before, after func(s *endStory, ctx context.Context) error

	l      *Log
	w      *Writer
	a, b   log.TopicPartition
	value  string
	counts []string
}

func endStories(t *testing.T, l *Log) []*endStory {
	stories := []*endStory{
		{name: "committed, and opened again", before: (*endStory).commit, after: (*endStory).reopen},
		{name: "committed, and goes on", before: (*endStory).commit, after: (*endStory).goOn},
		{name: "committed, and aborts the next", before: (*endStory).commit, after: (*endStory).abortNext},
		{name: "aborted, and opened again", before: (*endStory).abort, after: (*endStory).reopen},
		{name: "aborted, and goes on", before: (*endStory).abort, after: (*endStory).goOn},
		{name: "left open", before: func(*endStory, context.Context) error { return nil }, after: (*endStory).reopen},
	}
	for i, s := range stories {
		s.l, s.w = l, writer(t, l, fmt.Sprint("story-", i))
		s.a, s.b = part0(topic(t, l, fmt.Sprintf("story-%d-a", i), 1).Name), part0(topic(t, l, fmt.Sprintf("story-%d-b", i), 1).Name)
		t.Cleanup(func() { s.w.Close() })
	}
	return stories
}

func (s *endStory) want() string { return strings.Join(s.counts, " ") }

func (s *endStory) begin(ctx context.Context, n int) error {
	s.value = fmt.Sprint(n)
	return s.append(ctx, s.value)
}

func (s *endStory) append(ctx context.Context, value string) error {
	if err := s.w.Append(ctx, rec(s.a, "k", value), rec(s.b, "k", value)); err != nil {
		return err
	}
	_, err := s.w.Flush(ctx)
	return err
}

func (s *endStory) commit(ctx context.Context) error {
	s.counts = append(s.counts, "k="+s.value)
	return s.w.Commit(ctx, nil)
}

func (s *endStory) abort(ctx context.Context) error { return s.w.Abort(ctx) }

// reopen takes the writer away as a crash does, and makes the next one.
func (s *endStory) reopen(ctx context.Context) error {
	s.w.cl.Close()
	s.w.open = false
	next, err := s.l.Writer(ctx, strings.TrimPrefix(s.w.id, "killed."))
	if err == nil {
		s.w = next.(*Writer)
	}
	return err
}

func (s *endStory) goOn(ctx context.Context) error {
	s.value += "+"
	if err := s.append(ctx, s.value); err != nil {
		return err
	}
	return s.commit(ctx)
}

func (s *endStory) abortNext(ctx context.Context) error {
	if err := s.append(ctx, "dropped"); err != nil {
		return err
	}
	return s.abort(ctx)
}
