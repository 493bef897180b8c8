//go:build unix

package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// stuck is the code of a transaction that somebody left open.
const stuck = "KAFKA_TRANSACTION_STUCK"

// K09 somebody writes to a table topic in a transaction and never ends it. The
// daemon writes on, and names the producer with the command that ends the
// transaction. After a kill -9 it waits for that: what it committed behind the
// first record of the transaction cannot be read, and is not gone (K19).
func TestForeignTransaction(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Start(t, kafkaserver.Options{})
	o := harness.OnKafka(cluster)
	o.Kafka = ", transaction_timeout: 5s"
	o.Source = "commit_interval: 1s\nmax_commit_rows: 200\nidle_interval: 100ms\nreconnect_max: 1s\n" // one is open most of the time
	s := open(t, pgtest.Start(t, pgtest.Options{}), o)
	s.Workload.Pace = 100 * time.Millisecond // each step waits for timeouts
	stop := s.Traffic()
	d := s.Run()
	d.AwaitStatus("the stream", harness.Flowing(5))
	producer := leaveOpen(t, cluster.Brokers(), harness.Topic("ledger"))

	st := d.AwaitStatus("naming the transaction", says(stuck))
	goesOn(s, d)
	if st.Health != "degraded" {
		t.Errorf("K09: health is %s", st.Health)
	}
	s.AwaitTransactions(20)
	goesOn(s, d) // all of the topics end behind the transaction now
	d.Kill()
	d = s.Run()
	st = d.AwaitStatus("waiting for the transaction", func(st harness.Status) bool {
		return st.State == "waiting" && st.Says(stuck)
	})
	reason := reasonOf(st, stuck)
	for _, want := range []string{fmt.Sprintf("producer %d", producer), `"foreign"`, harness.Topic("ledger") + "/0"} {
		if !strings.Contains(reason.Text, want) {
			t.Errorf("K09: %q does not say %s", reason.Text, want)
		}
	}

	command, _, _ := strings.Cut(reason.Mend, "#")
	words := strings.Fields(command)
	if len(words) < 2 || words[0] != "kafka-transactions.sh" {
		t.Fatalf("K09: the mend is %q", reason.Mend)
	}
	tool := kafkatest.Distribution(t).Command(t.Context(), "org.apache.kafka.tools.TransactionsCommand", words[1:]...)
	if out, err := tool.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	goesOn(s, d)
	d.AwaitStatus("good health", func(st harness.Status) bool { return st.Health == "ok" })
	sleepThrough(s, cluster.Brokers(), d)
	stop()
	s.MustEnd(d)
}

// K08 the daemon sleeps with a transaction open, until the cluster aborts that. It
// must not take it for committed, nor write into what comes after it.
func sleepThrough(s *scene.Scene, brokers []string, d *harness.Daemon) {
	s.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		s.Fatal(err)
	}
	defer cl.Close()
	id := s.Deployment() + "." + capture.WriterID(harness.Prefix)
	state := func() string {
		found, err := kadm.NewClient(cl).DescribeTransactions(s.Context(), id)
		if err != nil || found[id].Err != nil {
			s.Fatalf("the state of transaction %s: %v, %v", id, err, found[id].Err)
		}
		return found[id].State
	}
	timeout := time.After(harness.Patience)
	rest := func() {
		select {
		case <-timeout:
			s.Fatalf("K08: the cluster does not abort a transaction of ours; its state is %s", state())
		case <-time.After(20 * time.Millisecond): // the period of asking
		}
	}
	for settled := ""; settled != "CompleteAbort"; rest() { // it may sleep with none open, or with an end under way
		d.Pause()
		for settled = state(); !strings.HasPrefix(settled, "Complete"); settled = state() {
			rest()
		}
		d.Continue()
	}
	goesOn(s, d)
}

// leaveOpen writes to a topic in a transaction that stays open, and gives the
// producer's id.
func leaveOpen(t *testing.T, brokers []string, topic string) (producer int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID("foreign"), kgo.TransactionTimeout(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	producer, _, err = cl.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return producer
}

func says(code string) func(harness.Status) bool {
	return func(st harness.Status) bool { return st.Says(code) }
}

func reasonOf(st harness.Status, code string) harness.Reason {
	for _, r := range st.Reasons {
		if r.Code == code {
			return r
		}
	}
	return harness.Reason{}
}
