//go:build unix

package kafka

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/pipeline/log/logtest"
)

// one is a broker whose cleaner looks all the time, and three are brokers to
// break; both are shared by the tests of this package.
var (
	one   = kafkatest.Shared{Options: kafkaserver.Options{Config: kafkatest.EagerCleaner}}
	three = kafkatest.Shared{Options: kafkaserver.Options{Brokers: 3}}
)

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

// clean returns when the cleaner has passed all that was committed in a topic.
func clean(t *testing.T, c *kafkaserver.Cluster, topic string) {
	t.Helper()
	if err := kafkatest.Clean(within(t, 3*time.Minute), c, topic); err != nil {
		t.Fatal(err)
	}
}

// eventually looks again and again until it is so: often at first, and then seldom,
// since brokers that start have work enough.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	const often, seldom = 10 * time.Millisecond, 200 * time.Millisecond
	deadline := time.Now().Add(3 * time.Minute)
	for period := often; !so(); period = min(period*5/4, seldom) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(period)
	}
}
