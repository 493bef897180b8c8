package kafka

import (
	"context"
	"testing"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/logtest"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cannot says what neither a fake nor a real cluster lets a client do.
var cannot = map[logtest.Power]string{
	logtest.Index: "a topic on Kafka has no index by key; package state keeps one",
	logtest.Pins:  "a reader on Kafka holds nothing back; it reads cuts that are sound by age",
	logtest.Fill:  "the disk is the brokers' own",
	logtest.Aging: "Kafka's clock cannot be moved",
}

func TestLog(t *testing.T) {
	t.Parallel()
	logtest.Run(t, func(t *testing.T) logtest.Harness {
		c := cluster(t, kfake.NumBrokers(2))
		h := newHarness(t, config(c))
		h.Compact = func(*testing.T, string) { c.Compact() }
		return h
	}, "K03", "K05", "K07", "K10", "K13", "K14", "K15", "K16", "K18", "K22")
}

// newHarness gives the powers that a client has by itself. Reopen and Crash
// change the process, not the cluster.
func newHarness(t *testing.T, cfg Config) logtest.Harness {
	var w *wire
	next := func(t *testing.T) log.Log {
		w = newWire()
		cfg := cfg
		cfg.Dial = w.dial
		l, err := Open(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	h := logtest.Harness{Log: next(t), Cannot: cannot}
	h.Reopen = func(t *testing.T) log.Log { return next(t) }
	h.Crash = func(t *testing.T) log.Log {
		w.cut()
		return next(t)
	}
	h.LoseCommit = func(t *testing.T, done bool) {
		// An answer to the repetition would tell what became of the first.
		w.lose(kmsg.EndTxn, done, 1)
		w.add(&rule{key: kmsg.EndTxn, left: -1, until: kmsg.InitProducerID})
	}
	h.Committed = func(t *testing.T, group string) log.Offsets { return committed(t, cfg, group) }
	return h
}

func committed(t *testing.T, cfg Config, group string) log.Offsets {
	t.Helper()
	l := open(t, cfg)
	found, err := l.admin.FetchOffsets(kadm.RequireStable(context.Background()), l.groupName(group))
	if err != nil {
		t.Fatal(err)
	}
	offsets := log.Offsets{}
	for topic, ps := range found {
		for p, o := range ps {
			offsets[log.TopicPartition{Topic: topic, Partition: p}] = o.At
		}
	}
	return offsets
}
