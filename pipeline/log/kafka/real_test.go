//go:build unix

package kafka

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/pipeline/log/logtest"
	"github.com/twmb/franz-go/pkg/kgo"
)

// one is a broker whose cleaner looks all the time, and three are brokers to
// break; both are shared by the tests of this package.
var (
	one   = kafkatest.Shared{Options: kafkaserver.Options{Config: eagerCleaner}}
	three = kafkatest.Shared{Options: kafkaserver.Options{Brokers: 3}}
)

var eagerCleaner = map[string]string{
	"log.cleaner.backoff.ms":          "50",
	"log.retention.check.interval.ms": "200",
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.Exit(max(code, one.Close(), three.Close()))
}

// realNames are the topics that clauses make. Each clause has a deployment of its
// own, which topics do not have.
var realNames = []string{"t", "u", "v", "a", "b", "in", "out", "own", "shared", "new", log.FrontierTopic("d", "s"), log.OwnersTopic}

// TestRealLog runs the suite on Apache Kafka. A segment is closed as soon as it
// is older than a millisecond, so that the cleaner finds nearly all that is
// written.
func TestRealLog(t *testing.T) {
	t.Parallel()
	c := one.Cluster(t)
	var clause atomic.Int64
	logtest.Run(t, func(t *testing.T) logtest.Harness {
		cfg := realConfig(c, fmt.Sprintf("conformance-%d", clause.Add(1)))
		cfg.Topics.Settings = map[string]string{"segment.ms": "1", dirtyRatio: "1"} // not before clean asks
		h := newHarness(t, cfg)
		sweep := func() {
			if err := h.Log.Admin().Delete(context.Background(), realNames...); err != nil {
				t.Fatal(err)
			}
		}
		sweep()
		h.Compact = func(t *testing.T, topic string) { clean(t, c, topic) }
		h.Late = true
		return h
	}, "K03", "K05", "K07", "K10", "K13", "K14", "K15", "K16", "K18", "K22")
}

func realConfig(c *kafkaserver.Cluster, deployment string) Config {
	return Config{Brokers: c.Brokers(), Deployment: deployment, RetryFor: 10 * time.Second, SessionTimeout: 6 * time.Second}
}

// dirtyRatio is the part of a topic that has to be dirty before it is cleaned: at
// 0 it is cleaned at once, at 1 never.
const dirtyRatio = "min.cleanable.dirty.ratio"

// clean returns when the cleaner has passed all that was committed in a topic,
// young or not. A
// segment is not cleaned while it is written to, so an aborted transaction, which
// nobody sees, begins the next one.
func clean(t *testing.T, c *kafkaserver.Cluster, topic string) {
	t.Helper()
	l := open(t, realConfig(c, "cleaner"))
	info, err := l.Admin().Topics(t.Context(), topic)
	if err != nil || len(info) != 1 {
		t.Fatalf("topic %s: %v, %v", topic, info, err)
	}
	const lag = "min.compaction.lag.ms"
	set(t, l, topic, lag, "0")
	defer set(t, l, topic, lag, millis(info[0].MinLag))
	set(t, l, topic, dirtyRatio, "0")
	defer set(t, l, topic, dirtyRatio, "1")
	for p := range info[0].Partitions {
		tp := log.TopicPartition{Topic: topic, Partition: p}
		abortOne(t, c, tp)
		awaitCleaned(t, c, tp, info[0].Ends[p].Stable)
	}
}

// abortOne leaves an aborted record, and segments of their own for it and for its
// marker.
func abortOne(t *testing.T, c *kafkaserver.Cluster, tp log.TopicPartition) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.TransactionalID("cleaner"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: tp.Topic, Partition: tp.Partition, Key: []byte("aborted")}
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}

// awaitCleaned waits until the cleaner's own note says that it got as far as the
// last segment that begins at or below an offset.
func awaitCleaned(t *testing.T, c *kafkaserver.Cluster, tp log.TopicPartition, to int64) {
	t.Helper()
	data := c.Node(1).Data()
	target := segmentBelow(t, data, tp, to)
	eventually(t, fmt.Sprintf("the cleaner to pass %d of %s", target, tp), func() bool {
		return checkpoint(data, tp) >= target
	})
}

// segmentBelow gives the greatest base offset of a segment that is not above to.
func segmentBelow(t *testing.T, data string, tp log.TopicPartition, to int64) (base int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, fmt.Sprintf("%s-%d", tp.Topic, tp.Partition), "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no segments: %v", tp, err)
	}
	for _, f := range files {
		n, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(f), ".log"), 10, 64)
		if err == nil && n <= to {
			base = max(base, n)
		}
	}
	return base
}

// checkpoint reads how far the cleaner got: lines of topic, partition, offset.
func checkpoint(data string, tp log.TopicPartition) int64 {
	text, err := os.ReadFile(filepath.Join(data, "cleaner-offset-checkpoint"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == tp.Topic && f[1] == strconv.Itoa(int(tp.Partition)) {
			n, _ := strconv.ParseInt(f[2], 10, 64)
			return n
		}
	}
	return 0
}

// eventually looks again and again until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
