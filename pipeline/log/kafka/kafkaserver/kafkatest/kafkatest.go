//go:build unix

package kafkatest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
)

// Distribution gives the Kafka that tests use, or skips (with CI=true: fails).
func Distribution(t testing.TB) kafkaserver.Distribution {
	t.Helper()
	d, err := kafkaserver.Fetch(t.Context())
	if err == nil {
		return d
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs Apache Kafka: %v\n  mend: %s", err, kafkaserver.InstallHint())
	}
	t.Skipf("SKIPPED, this test needs Apache Kafka: %v\n  mend: %s", err, kafkaserver.InstallHint())
	return d
}

// Start gives the test a cluster of its own, ended when the test ends. Its logs
// are printed when the test has failed.
func Start(t testing.TB, o kafkaserver.Options) *kafkaserver.Cluster {
	t.Helper()
	c, err := kafkaserver.Start(t.Context(), Distribution(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, c) })
	return c
}

func finish(t testing.TB, c *kafkaserver.Cluster) {
	if t.Failed() {
		printLogs(t, c)
	}
	if err := c.Close(); err != nil {
		t.Errorf("close Kafka: %v", err)
	}
}

func printLogs(t testing.TB, c *kafkaserver.Cluster) {
	const maxBytes = 6 << 10
	for _, n := range c.Nodes() {
		if text, err := os.ReadFile(n.LogPath()); err == nil {
			t.Logf("end of the log of node %d:\n%s", n.ID(), text[max(0, len(text)-maxBytes):])
		}
	}
}

// Shared is one cluster for all tests of a binary, started by the first that
// needs it. The zero value is ready; its methods may be called at the same time.
type Shared struct {
	Options kafkaserver.Options

	once    sync.Once
	cluster *kafkaserver.Cluster
	err     error
}

// Run runs the tests and then ends the cluster, if one was started. Its result is
// for os.Exit.
func (s *Shared) Run(m *testing.M) int { return max(m.Run(), s.Close()) }

// Close ends the cluster, if one was started, and gives an exit code: for a
// binary that shares several.
func (s *Shared) Close() (code int) {
	if s.cluster == nil {
		return 0
	}
	if err := s.cluster.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close the shared Kafka:", err)
		return 1
	}
	return 0
}

// Cluster gives the shared cluster. Its logs are printed when the test has failed.
func (s *Shared) Cluster(t testing.TB) *kafkaserver.Cluster {
	t.Helper()
	d := Distribution(t)
	s.once.Do(func() { s.cluster, s.err = kafkaserver.Start(context.Background(), d, s.Options) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			printLogs(t, s.cluster)
		}
	})
	return s.cluster
}
