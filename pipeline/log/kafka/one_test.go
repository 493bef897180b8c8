//go:build unix

package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Hazards on one broker of Apache Kafka, each on a topic and a deployment of its
// own.
func TestOneBroker(t *testing.T) {
	t.Parallel()
	for i, story := range []struct {
		name string
		tell func(t *testing.T, c *kafkaserver.Cluster, cfg Config)
	}{
		{"K06 K07 with transaction.version 2 a late EndTxn is fenced, and the writer goes on", lateEndFenced},
		{"K08 a transaction that the cluster ended by its timeout is no fence", realTimeout},
		{"K09 a transaction without its writer holds the readers, is named, and ended by the command given", realHanging},
		{"K11 CONCURRENT_TRANSACTIONS: one commit upon the other", concurrentTransactions},
		{"K17 tombstones go after their retention, and a cut from before is not sound", realTombstones},
		{"K21 positions outlive the offsets of a group", groupDeleted},
		{"K27 a quota is waited for, and is no outage", quota},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			c := one.Cluster(t)
			story.tell(t, c, realConfig(c, fmt.Sprint("story-", i)))
		})
	}
}

// visible waits until the stable end has passed what a writer flushed.
func visible(t *testing.T, l *Log, tp log.TopicPartition, values string) {
	t.Helper()
	eventually(t, "the commit of "+values, func() bool { return all(t, l, tp) == values })
}

func lateEndFenced(t *testing.T, _ *kafkaserver.Cluster, cfg Config) {
	wire := newWire()
	cfg.Dial = wire.dial
	l := open(t, cfg)
	same(t, l.Info().TransactionVersion, 2)
	tp := part0(topic(t, l, "late2", 1).Name)
	w := writer(t, l, "w")
	wire.lose(kmsg.EndTxn, true, 1) // it arrives, and its answer is lost
	put(t, w, rec(tp, "a", "1"))
	put(t, w, rec(tp, "b", "2")) // by the same writer
	visible(t, l, tp, "a=1 b=2")
}

// TestTransactionVersion1 has a cluster of its own: features belong to all of it.
func TestTransactionVersion1(t *testing.T) {
	t.Parallel()
	c := kafkatest.Start(t, kafkaserver.Options{Features: map[string]int{"transaction.version": 1}})
	t.Run("K06 a late EndTxn ends the writer, for the next one to have a new epoch", func(t *testing.T) {
		wire := newWire()
		cfg := realConfig(c, "v1")
		cfg.Dial = wire.dial
		l := open(t, cfg)
		same(t, l.Info().TransactionVersion, 1)
		tp := part0(topic(t, l, "late1", 1).Name)
		w := writer(t, l, "w")
		wire.lose(kmsg.EndTxn, true, 1)
		put(t, w, rec(tp, "a", "1"))
		if err := w.Append(t.Context(), rec(tp, "x", "dropped")); err == nil || errors.Is(err, log.ErrFenced) {
			t.Fatalf("the epoch went on after a late EndTxn: %v", err)
		}
		w.Close()
		put(t, writer(t, l, "w"), rec(tp, "b", "2"))
		visible(t, l, tp, "a=1 b=2")
	})
}

func realTimeout(t *testing.T, _ *kafkaserver.Cluster, cfg Config) {
	cfg.TransactionTimeout = time.Second
	l := open(t, cfg)
	tp := part0(topic(t, l, "timeout", 1).Name)
	w := writer(t, l, "w")
	if err := w.Append(t.Context(), rec(tp, "b", "dropped")); err != nil {
		t.Fatal(err)
	}
	to, err := w.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster's abort", func() bool { return ends(t, l, tp).Stable > to[tp]-1 })
	if err := w.Commit(t.Context(), nil); err == nil || errors.Is(err, log.ErrFenced) || !strings.Contains(err.Error(), "timeout of 1s") {
		t.Fatalf("a timed-out transaction came back as %v", err)
	}
	w.Close()
	put(t, writer(t, l, "w"), rec(tp, "c", "3"))
	visible(t, l, tp, "c=3")
}

func realHanging(t *testing.T, c *kafkaserver.Cluster, cfg Config) {
	cfg.TransactionTimeout = 10 * time.Minute
	l := open(t, cfg)
	tp := part0(topic(t, l, "hanging", 1).Name)
	foreign := cfg
	foreign.Deployment += "-of-others"
	lost := writer(t, open(t, foreign), "lost")
	if err := lost.Append(t.Context(), rec(tp, "a", "dropped")); err != nil {
		t.Fatal(err)
	}
	if _, err := lost.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost.cl.Close() // as if the process had died
	lost.open = false
	put(t, writer(t, l, "w"), rec(tp, "b", "2"))
	same(t, ends(t, l, tp).Stable, 0)
	stuck, err := l.Stuck(t.Context(), 0, tp.Topic)
	eventually(t, "the end of the other transaction in the broker", func() bool {
		if err == nil && len(stuck) > 1 {
			stuck, err = l.Stuck(t.Context(), 0, tp.Topic)
		}
		return err != nil || len(stuck) <= 1
	})
	if err != nil || len(stuck) != 1 {
		t.Fatalf("got %v, %v", stuck, err)
	}
	same(t, stuck[0].TransactionalID, foreign.Deployment+".lost")
	same(t, stuck[0].Ours, false)
	same(t, stuck[0].Stable, 0)
	own, err := lost.log.Stuck(t.Context(), 0, tp.Topic)
	if err != nil || len(own) != 1 || !own[0].Ours || own[0].Command != "" || strings.Contains(own[0].Refusal().Error(), " abort ") {
		t.Fatalf("its own deployment would abort what may be committed: %+v, %v", own, err)
	}
	words := strings.Fields(stuck[0].Command)
	same(t, words[0], "kafka-transactions.sh")
	out, err := kafkatest.Distribution(t).Command(t.Context(), "org.apache.kafka.tools.TransactionsCommand", words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", stuck[0].Command, err, out)
	}
	visible(t, l, tp, "b=2")
}

func concurrentTransactions(t *testing.T, _ *kafkaserver.Cluster, cfg Config) {
	l := open(t, cfg)
	tp := part0(topic(t, l, "concurrent", 1).Name)
	w := writer(t, l, "w")
	want := ""
	for i := range 200 {
		put(t, w, rec(tp, "k", fmt.Sprint(i)))
		want += fmt.Sprintf(" k=%d", i)
	}
	visible(t, l, tp, want[1:])
}

func realTombstones(t *testing.T, c *kafkaserver.Cluster, cfg Config) {
	cfg.Topics.Settings = map[string]string{"segment.ms": "1", dirtyRatio: "1"}
	l := open(t, cfg)
	const retention = 5 * time.Second // the tombstone is read before it is over
	infos, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: "tombstones", Partitions: 1, Compact: true, MinLag: time.Millisecond, Retention: retention})
	if err != nil {
		t.Fatal(err)
	}
	tp := part0(infos[0].Name)
	w := writer(t, l, "w")
	put(t, w, rec(tp, "a", "1"), rec(tp, "b", "1"))
	visible(t, l, tp, "a=1 b=1")
	cut, written := log.Offsets{tp: ends(t, l, tp).Stable}, time.Now()
	put(t, w, log.Record{TopicPartition: tp, Key: []byte("a")})
	put(t, w, rec(tp, "c", "1"))
	visible(t, l, tp, "a=1 b=1 a= c=1")
	clean(t, c, tp.Topic)
	visible(t, l, tp, "b=1 a= c=1") // from now on the tombstone is kept for its retention
	_ = pipeline.Pause(t.Context(), retention+100*time.Millisecond)
	clean(t, c, tp.Topic)
	visible(t, l, tp, "b=1 c=1")
	sound, err := l.Admin().Sound(t.Context(), cut, written)
	if err != nil || sound {
		t.Fatalf("a cut whose key is gone without a trace is called sound (%v)", err)
	}
}

// groupDeleted: positions lie in our own topics, with what they stand for; a
// group's offsets decide nothing.
func groupDeleted(t *testing.T, _ *kafkaserver.Cluster, cfg Config) {
	l := open(t, cfg)
	in, out := part0(topic(t, l, "group-in", 1).Name), part0(topic(t, l, "group-out", 1).Name)
	join := func() (log.Membership, log.Generation) {
		m, err := l.Join(t.Context(), "g", []string{in.Topic})
		if err != nil {
			t.Fatal(err)
		}
		for e := range m.Events() {
			if e.Kind == log.Assigned && len(e.Partitions) == 1 {
				break
			}
		}
		return m, m.Generation()
	}
	w := writer(t, l, "w")
	commit := func(value string, at int64, g log.Generation) {
		t.Helper()
		if err := w.Append(t.Context(), rec(out, "position", value)); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(t.Context(), &log.Inputs{Generation: g, Offsets: log.Offsets{in: at}}); err != nil {
			t.Fatal(err)
		}
	}
	m, g := join()
	commit("7", 7, g)
	visible(t, l, out, "position=7")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the group to be deleted", func() bool { // its member is still leaving
		answers, err := l.admin.DeleteGroups(context.Background(), l.groupName("g"))
		return err == nil && answers.Error() == nil
	})
	same(t, len(committed(t, cfg, "g")), 0)
	visible(t, l, out, "position=7")
	m, g = join()
	defer m.Close()
	commit("8", 8, g)
	visible(t, l, out, "position=7 position=8")
	same(t, committed(t, cfg, "g")[in], 8)
}

func quota(t *testing.T, _ *kafkaserver.Cluster, cfg Config) {
	cfg.ClientID = "evert-quota"
	cfg.Events.Retrying = func(where string, cause error) { t.Errorf("%s: %v", where, cause) }
	l := open(t, cfg)
	const rate = 150_000
	entity := kadm.ClientQuotaEntity{{Type: "client-id", Name: &cfg.ClientID}}
	limited := kadm.AlterClientQuotaEntry{Entity: entity, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: rate}}}
	answers, err := l.admin.AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{limited})
	if err != nil || len(answers) != 1 || answers[0].Err != nil {
		t.Fatal(answers, err)
	}
	tp := part0(topic(t, l, "quota", 1).Name)
	w := writer(t, l, "w")
	random := make([]byte, 50_000) // does not shrink
	rand.NewChaCha8([32]byte{}).Read(random)
	began, noise := time.Now(), string(random)
	const commits = 40 // more than the quota's window of ten seconds allows at once
	for i := range commits {
		put(t, w, rec(tp, fmt.Sprint(i), noise))
	}
	eventually(t, "every commit", func() bool { return len(all(t, l, tp)) >= commits*len(noise) })
	if took := time.Since(began); took < time.Second {
		t.Errorf("the quota did nothing: %d bytes took %s", commits*len(noise), took)
	} else {
		t.Logf("%d bytes at %d bytes a second took %s", commits*len(noise), rate, took.Round(time.Millisecond))
	}
}
