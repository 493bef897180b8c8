//go:build linux

package faults

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// K20 the disk of the only broker is full: Kafka ends itself, somewhere within a write.
// The daemon says that it does not get on, and goes on by itself when the broker is back
// with room; what was acknowledged is there once.
func TestFullBrokerDisk(t *testing.T) {
	t.Parallel()
	disk := harness.SmallDisk(t, filepath.Join(t.TempDir(), "disk"), 192<<20)
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	cluster := kafkatest.Start(t, kafkaserver.Options{Dir: disk})
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.OnKafka(cluster))
	s.Workload.Pace = 50 * time.Millisecond // the broker's end and start take long
	stop := s.Traffic()
	d := s.Run()
	d.AwaitStatus("the stream", harness.Flowing(5))
	broker := cluster.Node(1)

	ballast := harness.Fill(t, disk, 0)
	for timeout := time.After(harness.Patience); broker.Running(); {
		select {
		case <-timeout:
			t.Fatal("the broker lives on with a full disk")
		case <-time.After(50 * time.Millisecond): // the period of looking
		}
	}
	d.AwaitStatus("saying that it does not get on", func(st harness.Status) bool { return st.Health != "ok" && len(st.Reasons) > 0 })
	s.AwaitTransactions(50)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := broker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	goesOn(s, d)
	d.AwaitStatus("good health", func(st harness.Status) bool { return st.Health == "ok" })
	checkMemory(t, d)
	stop()
	s.MustEnd(d)
}
