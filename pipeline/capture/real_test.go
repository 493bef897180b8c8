//go:build unix

package capture_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

// real is one Apache Kafka for the tests that ask for it.
var real kafkatest.Shared

func TestMain(m *testing.M) { os.Exit(real.Run(m)) }

var deployments atomic.Int64

// apacheKafka gives a log on Apache Kafka with none of the stories' topics: they
// are deleted, so that such tests run one after the other.
func apacheKafka(t *testing.T) log.Log {
	t.Helper()
	l := kafkaOver(t, real.Cluster(t).Brokers(), fmt.Sprint("test", deployments.Add(1)))
	topics := []string{log.OwnersTopic, log.FrontierTopic("test", "shop"), peopleTopic, ordersTopic}
	for _, name := range topics[2:] {
		topics = append(topics, log.OffloadTopic(name), log.DeadLetterTopic(name))
	}
	if err := l.Admin().Delete(context.Background(), topics...); err != nil {
		t.Fatal(err)
	}
	return l
}
