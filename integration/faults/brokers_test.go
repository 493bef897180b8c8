//go:build unix

package faults

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// A threesome is a daemon under traffic on three brokers of Apache Kafka.
type threesome struct {
	*scene.Scene
	cluster *kafkaserver.Cluster
	daemon  *harness.Daemon
	admin   *kadm.Client
}

// Brokers of three go away and come back under one daemon. It goes on by itself
// each time, and in the end every row is there, once.
func TestThreeBrokers(t *testing.T) {
	t.Parallel()
	s := newThreesome(t)
	stop := s.Traffic()
	s.daemon = s.Run()
	s.daemon.AwaitStatus("the stream", harness.Flowing(5))
	for _, story := range s.stories() {
		ok := t.Run(story.name, func(t *testing.T) {
			before, began := s.daemon.Count(complaint), time.Now()
			story.tell(t)
			s.whole(t)
			goesOn(s.Scene, s.daemon)
			most := max(mostLines/2, mostPerSecond*int(time.Since(began).Seconds()))
			if n := s.daemon.Count(complaint) - before; n > most {
				t.Errorf("%d warnings during the fault, more than %d: a storm; the last lines:\n%s", n, most, s.daemon.Last(20))
			} else {
				t.Logf("%d warnings", n)
			}
			checkMemory(t, s.daemon)
		})
		if !ok {
			t.FailNow()
		}
	}
	s.daemon.AwaitStatus("good health", func(st harness.Status) bool { return st.Health == "ok" })
	stop()
	s.MustEnd(s.daemon)
}

type brokerStory struct {
	name string
	tell func(t *testing.T)
}

// stories are all of them in a full run. Else one broker is killed, two are, and
// one is frozen.
func (s *threesome) stories() []brokerStory {
	all := []brokerStory{
		{"K01 K11 the coordinator of the transactions is killed", s.killCoordinator},
		{"K02 O12 NOT_ENOUGH_REPLICAS: two brokers of three are gone", s.loseTwo},
		{"K01 a leader freezes, and others lead", s.freeze},
	}
	if harness.Full() {
		all = append(all, brokerStory{"K01 a broker restarts", s.restart}, brokerStory{"K01 the leader of the frontier is killed", s.killLeader})
	}
	return all
}

// mostPerSecond is what a fault that lasts may log each second: each of four clients
// tries each of two brokers again and again, and less and less often. A client that
// does not wait in between logs hundreds.
const mostPerSecond = 8

// complaint accepts a line of the log that is more than information.
func complaint(line string) bool { return !strings.Contains(line, `"level":"INFO"`) }

func newThreesome(t *testing.T) *threesome {
	t.Helper()
	cluster := kafkatest.Start(t, kafkaserver.Options{Brokers: 3, Controllers: 1, Heap: "256m"}) // the controller outlives brokers
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	o := harness.OnKafka(cluster)
	o.Source = "commit_interval: 200ms\nmax_commit_rows: 200\nidle_interval: 500ms\nreconnect_max: 1s\n"
	s := open(t, pgtest.Start(t, pgtest.Options{}), o)
	s.Workload.Pace = 200 * time.Millisecond // the faults last for as long as sessions and elections
	return &threesome{Scene: s, cluster: cluster, admin: kadm.NewClient(cl)}
}

// leader is the broker that leads the frontier.
func (s *threesome) leader(t *testing.T) *kafkaserver.Node {
	t.Helper()
	topic := log.FrontierTopic(s.Deployment(), harness.Prefix)
	topics, err := s.admin.ListTopics(t.Context(), topic)
	if err != nil || topics[topic].Err != nil {
		t.Fatalf("who leads %s: %v, %v", topic, err, topics[topic].Err)
	}
	n := s.cluster.Node(int(topics[topic].Partitions[0].Leader))
	if n == nil {
		t.Fatalf("nobody leads %s", topic)
	}
	return n
}

func (s *threesome) start(t *testing.T, nodes ...*kafkaserver.Node) {
	t.Helper()
	for _, n := range nodes {
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// whole waits until every replica of every topic is in sync again.
func (s *threesome) whole(t *testing.T) {
	t.Helper()
	timeout := time.After(harness.Patience)
	for !s.inSync(t.Context()) {
		select {
		case <-timeout:
			t.Fatal("the replicas do not get in sync")
		case <-time.After(200 * time.Millisecond): // the period of asking
		}
	}
}

func (s *threesome) inSync(ctx context.Context) bool {
	topics, err := s.admin.ListTopicsWithInternal(ctx)
	if err != nil || len(topics) == 0 {
		return false
	}
	whole := true
	topics.EachPartition(func(p kadm.PartitionDetail) {
		whole = whole && p.Err == nil && len(p.ISR) == len(p.Replicas)
	})
	return whole
}

func (s *threesome) restart(t *testing.T) {
	n := s.leader(t)
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// killLeader: the others lead on, before the killed one is back.
func (s *threesome) killLeader(t *testing.T) {
	n := s.leader(t)
	n.Kill()
	goesOn(s.Scene, s.daemon)
	s.start(t, n)
}

func (s *threesome) killCoordinator(t *testing.T) {
	id := s.Deployment() + "." + capture.WriterID(harness.Prefix)
	at, ok := s.admin.FindTxnCoordinators(t.Context(), id)[id]
	if !ok || at.Err != nil {
		t.Fatalf("the coordinator of %s: %v", id, at.Err)
	}
	n := s.cluster.Node(int(at.NodeID))
	n.Kill()
	goesOn(s.Scene, s.daemon)
	s.start(t, n)
}

// loseTwo: with one replica of three nothing is acknowledged. The daemon keeps
// what it read, says that it does not get on, and stays alive.
func (s *threesome) loseTwo(t *testing.T) {
	stays := s.leader(t)
	var gone []*kafkaserver.Node
	for id := 1; id <= 3; id++ {
		if n := s.cluster.Node(id); n != stays {
			n.Kill()
			gone = append(gone, n)
		}
	}
	began := time.Now()
	s.daemon.AwaitStatus("saying that it does not get on", func(st harness.Status) bool {
		return st.Health != "ok" && len(st.Reasons) > 0
	})
	told := time.Since(began)
	t.Logf("told after %s", told.Round(time.Millisecond))
	if harness.Full() && told > 20*time.Second { // machines of other runs may be busy
		t.Errorf("O12: the daemon did not say for %s that it does not get on", told)
	}
	s.last(began, 8*time.Second)
	s.AwaitTransactions(20)
	s.start(t, gone...)
}

// freeze: a broker that holds its connections and answers nobody; others take
// over what it led, and when it wakes it leads nothing that it should not.
func (s *threesome) freeze(t *testing.T) {
	n := s.leader(t)
	n.Pause()
	defer n.Resume()
	began := time.Now()
	goesOn(s.Scene, s.daemon)
	t.Logf("goes on without it after %s", time.Since(began).Round(time.Millisecond))
	s.last(began, 8*time.Second)
	goesOn(s.Scene, s.daemon)
}

// last waits until a fault has lasted for as long as it has to.
func (s *threesome) last(began time.Time, short time.Duration) {
	s.Helper()
	select {
	case <-time.After(time.Until(began.Add(lasting(short)))):
	case <-s.daemon.Exited():
		s.Fatalf("the daemon ended; its last lines:\n%s", s.daemon.Last(20))
	}
}
