//go:build unix

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

// The same with the topics on Apache Kafka, where readers see a commit a moment
// after it was made.
func TestVerifyUnderLoadOnKafka(t *testing.T) {
	c := kafkatest.Start(t, kafkaserver.Options{})
	verifyUnderLoad(t, fmt.Sprintf("kafka: {brokers: [%s], topics: {replication_factor: 1}}\n", strings.Join(c.Brokers(), ", ")))
}
