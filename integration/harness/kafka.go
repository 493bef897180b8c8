//go:build unix

package harness

import (
	"os"
	"strings"
	"testing"
)

// A Kafka is a fake cluster of one broker in a process of its own.
type Kafka struct {
	*Process
	Address string // host:port
}

// StartKafka starts a cluster whose data survives its end, until the test ends.
func (s *Suite) StartKafka(t testing.TB) *Kafka {
	t.Helper()
	dir, err := os.MkdirTemp("", "evert-kafka-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := Start(t, Launch{Path: s.Program(t, "./integration/kfaked"), Args: []string{"-data", dir}, Hold: true})
	line := p.Await(t, "its address", func(line string) bool { return strings.HasPrefix(line, "ready ") })
	return &Kafka{Process: p, Address: strings.TrimSpace(strings.TrimPrefix(line, "ready "))}
}
