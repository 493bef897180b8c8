//go:build unix

package road

import (
	"os"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/check"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var suite harness.Suite

func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }

// A size is how large a bank is, and the traffic on it.
type size struct {
	scale    int // of pgbench -i
	accounts int // that are there, of 100,000 for each of scale
	seconds  int // that traffic goes on
	rate     int // transactions begun in a second; 0: as many as can be
}

// usual leaves the machine to others: what has to hold does so with some thousands
// of rows.
func usual() size {
	if harness.Full() {
		return size{scale: 10, accounts: 10 * accountsPerBranch, seconds: 30}
	}
	return size{scale: 1, accounts: accountsPerBranch / 5, seconds: 5, rate: 600}
}

func TestBank(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t, pgtest.Options{})
	t.Run("P09 copied and followed under traffic, killed in the middle, compacted", func(t *testing.T) {
		b := open(t, pg, "bank", false, harness.Options{})
		b.story()
	})
	t.Run("P13 the same with large columns, most of them unchanged", func(t *testing.T) {
		b := open(t, pg, "notes", true, harness.Options{})
		b.story()
	})
}

// The same on Apache Kafka, whose own cleaner passes the topics all the time, and takes
// rows that were superseded and tombstones while the daemon runs: K16 K17. Each has a
// broker of its own, since their topics have the same names.
func TestBankOnKafka(t *testing.T) {
	t.Parallel()
	b := openSwept(t, "bank", false)
	b.story()
	b.awaitSweep()
	b.equal("swept")
}

func TestNotesOnKafka(t *testing.T) {
	t.Parallel()
	b := openSwept(t, "notes", true) // P13
	b.story()
}

func openSwept(t *testing.T, database string, toast bool) *bank {
	t.Helper()
	o := harness.OnKafka(kafkatest.Start(t, kafkaserver.Options{Config: kafkatest.EagerCleaner}))
	o.Topics = harness.Swept
	return open(t, pgtest.Start(t, pgtest.Options{}), database, toast, o)
}

func open(t *testing.T, pg *pgserver.Server, database string, toast bool, o harness.Options) *bank {
	b := &bank{World: suite.NewWorld(t, pg, database), toast: toast}
	b.Options = o
	b.size = usual()
	if toast && !harness.Full() {
		b.seconds = 3
	}
	if len(o.Brokers) > 0 && !harness.Full() { // what the broker takes of the machine, traffic need not
		b.accounts, b.seconds, b.rate = accountsPerBranch/20, 3, 300
	}
	b.setup()
	return b
}

// story: traffic · copy · kill -9 in the middle · go on · traffic ends · catch up
// → equal · compact → equal · one more change → equal
func (b *bank) story() {
	b.Helper()
	began := time.Now()
	wait := b.traffic()
	first := b.Run()
	first.AwaitStatus("half of the time in the stream", func(s harness.Status) bool {
		return s.State == "streaming" && s.Totals.Commits > 0 && time.Since(began) > time.Duration(b.seconds)*time.Second/2
	})
	first.Kill()
	second := b.Run()
	wait()
	second.AwaitStatus("the stream", harness.Streaming(1))
	second.Terminate()
	b.CatchUp()
	b.equal("caught up")

	topics := make([]string, len(bankTables))
	for i, table := range bankTables {
		topics[i] = harness.Topic(table)
	}
	if err := b.Compact(topics...); err != nil {
		b.Fatal(err)
	}
	b.equal("compacted")
	b.own("UPDATE pgbench_branches SET bbalance = bbalance + 1", "DELETE FROM pgbench_tellers WHERE tid = 1")
	b.CatchUp()
	b.equal("gone on behind the compaction")
	b.CheckCanaries(harness.Password)
}

// awaitSweep waits until nothing is left of the teller whom the story deleted.
func (b *bank) awaitSweep() {
	b.Helper()
	topic, timeout := harness.Topic("pgbench_tellers"), time.After(harness.Patience)
	for {
		left, err := b.Left(topic, "tid")
		if err == nil && left["1"] > 0 {
			err = b.Compact(topic)
		}
		switch {
		case err != nil:
			b.Fatal(err)
		case left["2"] == 0:
			b.Fatal("K16 a teller who is there is not in his topic")
		case left["1"] == 0:
			return
		}
		select {
		case <-timeout:
			b.Fatalf("K17 the cleaner leaves %d records of a teller who was deleted", left["1"])
		case <-time.After(250 * time.Millisecond): // the period of asking
		}
	}
}

func (b *bank) equal(when string) {
	b.Helper()
	var problems check.Problems
	rows, err := check.Tables(b.World, &problems, bankTables...)
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		b.Fatalf("%s: %v", when, err)
	}
	b.Logf("%s: %d rows equal", when, rows)
}
