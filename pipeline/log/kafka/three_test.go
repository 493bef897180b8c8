//go:build unix

package kafka

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Three brokers of Apache Kafka, of which one at a time is away: what was
// committed is there, once, in order.
func TestThreeBrokers(t *testing.T) {
	t.Parallel()
	c := three.Cluster(t)
	for _, story := range []struct {
		name string
		tell func(t *testing.T, c *kafkaserver.Cluster, s *threeStory)
	}{
		{"K01 a leader is killed, and comes back", leaderKilled},
		{"K01 a leader stops answering for a while", leaderPaused},
		{"K02 NOT_ENOUGH_REPLICAS is waited for, and nothing is dropped", tooFewReplicas},
		{"K11 the coordinator of the transactions is killed", coordinatorKilled},
	} {
		t.Run(story.name, func(t *testing.T) {
			s := newThreeStory(t, c, strings.Fields(story.name)[0]+fmt.Sprint(time.Now().UnixNano()))
			defer s.heal(t, c)
			story.tell(t, c, s)
			s.heal(t, c)
			s.check(t)
		})
	}
}

// A threeStory is a writer that commits 0, 1, 2, …
type threeStory struct {
	l  *Log
	tp log.TopicPartition
	w  *Writer
	n  int
}

func newThreeStory(t *testing.T, c *kafkaserver.Cluster, name string) *threeStory {
	t.Helper()
	cfg := realConfig(c, name)
	cfg.RetryFor = time.Minute
	l := open(t, cfg)
	s := &threeStory{l: l, tp: part0(topic(t, l, name, 1).Name)}
	s.w = writer(t, l, "w")
	s.commit(t, 10)
	return s
}

// commit commits the next n numbers, one by one. An end that the writer does not
// know is settled by the next writer, as a stage would do it.
func (s *threeStory) commit(t *testing.T, n int) {
	t.Helper()
	for range n {
		err := s.w.Append(t.Context(), rec(s.tp, "k", fmt.Sprint(s.n)))
		if err == nil {
			err = s.w.Commit(t.Context(), nil)
		}
		if err != nil {
			t.Logf("the writer is opened again: %v", err)
			_ = s.w.Close()
			s.w = writer(t, s.l, "w")
			if strings.HasSuffix(" "+all(t, s.l, s.tp), fmt.Sprint(" k=", s.n)) {
				s.n++
				continue
			}
			put(t, s.w, rec(s.tp, "k", fmt.Sprint(s.n)))
		}
		s.n++
	}
}

func (s *threeStory) leader(t *testing.T) int {
	t.Helper()
	topics, err := s.l.describe(t.Context(), s.l.cl, s.tp.Topic)
	if err != nil {
		t.Fatal(err)
	}
	return int(topics[s.tp.Topic].partitions[0].leader)
}

func (s *threeStory) inSync(t *testing.T) int {
	topics, err := s.l.admin.ListTopics(t.Context(), s.tp.Topic)
	if err != nil || len(topics[s.tp.Topic].Partitions) == 0 {
		return 0
	}
	return len(topics[s.tp.Topic].Partitions[0].ISR)
}

// heal brings every broker back.
func (s *threeStory) heal(t *testing.T, c *kafkaserver.Cluster) {
	t.Helper()
	for _, n := range c.Nodes() {
		n.Resume()
		if !n.Running() {
			if err := n.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "three replicas in sync", func() bool { return s.inSync(t) == 3 })
}

// check reads every number, once and in order.
func (s *threeStory) check(t *testing.T) {
	t.Helper()
	s.commit(t, 1)
	eventually(t, "the last commit", func() bool { return ends(t, s.l, s.tp).Stable > int64(s.n) })
	want := ""
	for i := range s.n {
		want += fmt.Sprintf(" k=%d", i)
	}
	eventually(t, "all commits", func() bool { return len(all(t, s.l, s.tp)) >= len(want)-1 })
	same(t, all(t, s.l, s.tp), want[1:])
}

func leaderKilled(t *testing.T, c *kafkaserver.Cluster, s *threeStory) {
	c.Node(s.leader(t)).Kill()
	s.commit(t, 10)
}

// leaderPaused: a minute in full, else long enough for another leader.
func leaderPaused(t *testing.T, c *kafkaserver.Cluster, s *threeStory) {
	was := s.leader(t)
	c.Node(was).Pause()
	began := time.Now()
	s.commit(t, 10)
	t.Logf("the commits went on after %s", time.Since(began).Round(time.Millisecond))
	if os.Getenv("EVERT_FULL") == "1" {
		for time.Since(began) < time.Minute {
			s.commit(t, 1)
		}
	}
	if s.leader(t) == was {
		t.Error("the paused broker leads still")
	}
}

func tooFewReplicas(t *testing.T, c *kafkaserver.Cluster, s *threeStory) {
	set(t, s.l, s.tp.Topic, "min.insync.replicas", "3")
	follower := c.Node(s.leader(t)%3 + 1)
	follower.Kill()
	eventually(t, "two replicas in sync", func() bool { return s.inSync(t) == 2 })
	raw, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordRetries(0), kgo.RecordDeliveryTimeout(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	refused := raw.ProduceSync(t.Context(), &kgo.Record{Topic: s.tp.Topic, Key: []byte("k"), Value: []byte("refused")}).FirstErr()
	if !errors.Is(refused, kerr.NotEnoughReplicas) && !errors.Is(refused, kgo.ErrRecordTimeout) && !errors.Is(refused, kgo.ErrRecordRetries) {
		t.Fatalf("the cluster took a record for too few replicas: %v", refused)
	}
	done := make(chan error, 1)
	go func() {
		err := s.w.Append(t.Context(), rec(s.tp, "k", fmt.Sprint(s.n)))
		if err == nil {
			err = s.w.Commit(t.Context(), nil)
		}
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("with two replicas of three the commit ended: %v", err)
	default:
	}
	if err := follower.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.n++
	set(t, s.l, s.tp.Topic, "min.insync.replicas", "2")
}

func coordinatorKilled(t *testing.T, c *kafkaserver.Cluster, s *threeStory) {
	at, ok := s.l.admin.FindTxnCoordinators(t.Context(), s.w.id)[s.w.id]
	if !ok || at.Err != nil {
		t.Fatalf("the coordinator of %s: %v", s.w.id, at.Err)
	}
	c.Node(int(at.NodeID)).Kill()
	s.commit(t, 10)
}
