package view_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/view"
)

// newKafkaWorld is a world on a cluster in this process.
func newKafkaWorld(t *testing.T) *world {
	w, _ := kafkaWorld(t)
	return w
}

func kafkaWorld(t *testing.T) (*world, *kadm.Client) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "100000000000"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l, err := kafka.Open(t.Context(), kafka.Config{Brokers: c.ListenAddrs(), Deployment: "test", RetryFor: 2 * time.Second, SessionTimeout: 6 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	raw, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(raw.Close)
	return newWorldOn(t, l), kadm.NewClient(raw)
}

// Tables need not lie in as many partitions as each other; a number that changes
// under a view stops it.
func TestPartitions(t *testing.T) {
	t.Parallel()
	w, admin := kafkaWorld(t)
	shop := w.sources["shop"]
	t.Run("R12 joined tables lie in different numbers of partitions", func(t *testing.T) {
		w.sources["billing"].Spread(3)
		w.begin()
		for id := range 20 {
			shop.Commit(put(customers, customer(id, "c")))
			w.sources["billing"].Commit(put(payments, amount(100+id, id, id)))
		}
		w.start()
		w.check()
		w.stop()
	})
	t.Run("R12 a topic is given another partition", func(t *testing.T) {
		shop.Commit(put(orders, amount(1, 1, 5)))
		topic := topicOf("shop", orders)
		if _, err := admin.CreatePartitions(t.Context(), 1, topic); err != nil {
			t.Fatal(err)
		}
		w.start()
		for range 2 { // each Run comes to the same end
			err := w.ended()
			if pipeline.CodeOf(err) != view.CodePartitions || !strings.Contains(err.Error(), topic+": it has 2 partitions, and source shop writes 1") {
				t.Fatalf("ended with %v", err)
			}
			if seq := w.task.Status().Shown.At["shop"].Resume.At.Seq; seq != shop.Seq-1 {
				t.Fatalf("it shows transaction %d of %d, want the one before", seq, shop.Seq)
			}
			w.again()
		}
		w.fails()
	})
}

// TestKafka tells a view's way on a cluster: epochs of two sources, a restart, a
// truncated table, a large epoch in parts, a lost state.
func TestKafka(t *testing.T) {
	t.Parallel()
	w := newKafkaWorld(t)
	w.config.Limits.Rows = 3
	w.config.Partitions = 3
	shop, billing := w.sources["shop"], w.sources["billing"]
	w.begin()
	for id := range 8 {
		shop.Commit(put(customers, customer(id, "c")), put(orders, amount(id, id, 5)))
	}
	w.start()
	w.check()
	billing.Commit(put(payments, amount(20, 1, 3)))
	shop.Commit(truncate(orders), put(orders, amount(30, 2, 7)), remove(customers, customer(5, "c")))
	w.check()
	w.stop()
	billing.Commit(put(payments, amount(21, 2, 4)))
	w.start()
	w.check()
	w.stop()
	w.disk.states = map[string]*contents{}
	w.start()
	w.check()
}

// TestFence tells that a view which lost its ownership commits nothing: not by
// the writer that the next owner fenced, and not by a generation that is over.
func TestFence(t *testing.T) {
	for name, world := range map[string]func(*testing.T) *world{
		"R08 embedded log": func(t *testing.T) *world { return newWorld(t) },
		"R08 cluster":      newKafkaWorld,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			w.begin()
			owned, lost := make(chan struct{}), make(chan error, 1)
			ctx, leave := context.WithCancel(context.Background())
			go func() {
				lost <- log.OwnFenced(ctx, w.log, "view", view.FrontierTopic("test", "totals"), nil, func(ctx context.Context, g func() log.Generation) error {
					w.config.Generation = func() log.Generation { return g() }
					close(owned)
					<-ctx.Done()
					return nil
				})
			}()
			<-owned
			w.start()
			w.check()
			w.sources["shop"].Commit(put(customers, customer(1, "Ada")))
			w.check()
			leave() // the ownership ends, and the view does not hear of it
			if err := <-lost; err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			at := w.frontier().Number
			w.sources["shop"].Commit(put(customers, customer(2, "Bo")))
			if err := w.fails(); !errors.Is(err, log.ErrFenced) {
				t.Fatalf("ended with %v", err)
			}
			if now := w.frontier().Number; now != at {
				t.Errorf("a view without its ownership committed record %d behind %d", now, at)
			}
		})
	}
}
