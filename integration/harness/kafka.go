//go:build unix

package harness

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
)

// OnKafka are the options of a world whose log is on Apache Kafka.
func OnKafka(c *kafkaserver.Cluster) Options { return Options{Brokers: c.Brokers(), Cluster: c} }

// Swept are topic settings with which a broker whose cleaner looks all the time
// (kafkatest.EagerCleaner) takes what is superseded, and then tombstones, while the daemon
// runs: segments are small, and nothing is kept for long.
const Swept = `, config: {segment.ms: 100, min.compaction.lag.ms: 100, delete.retention.ms: 1000, min.cleanable.dirty.ratio: 0}`

// A Kafka is a fake cluster of one broker in a process of its own.
type Kafka struct {
	*Process
	Address string // host:port; the same over restarts
	launch  Launch
}

// StartKafka starts a cluster whose data survives its end, until the test ends.
func (s *Suite) StartKafka(t testing.TB) *Kafka {
	t.Helper()
	dir, err := os.MkdirTemp("", "evert-kafka-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	k := &Kafka{launch: Launch{Path: s.Program(t, "./integration/kfaked"), Args: []string{"-data", dir}, Hold: true}}
	k.start(t)
	_, port, err := net.SplitHostPort(k.Address)
	if err != nil {
		t.Fatal(err)
	}
	k.launch.Args = append(k.launch.Args, "-port", port)
	return k
}

func (k *Kafka) start(t testing.TB) {
	t.Helper()
	k.Process = Start(t, k.launch)
	line := k.Await(t, "its address", func(line string) bool { return strings.HasPrefix(line, "ready ") })
	k.Address = strings.TrimSpace(strings.TrimPrefix(line, "ready "))
}

// Restart stops the cluster and starts it again on the same data and port. It is
// not killed: the fake's own transactions do not outlive that whole.
func (k *Kafka) Restart(t testing.TB) {
	t.Helper()
	k.Signal(syscall.SIGTERM)
	k.Wait(t, Patience)
	k.start(t)
}
