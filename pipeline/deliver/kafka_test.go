package deliver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// kafkaWorld is a world on a cluster in this process.
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

// TestKafka tells a sink's way on a cluster: three partitions, a restart, a
// truncated table, another incarnation; and a topic that is given another
// partition.
func TestKafka(t *testing.T) {
	t.Parallel()
	w, admin := kafkaWorld(t)
	w.source.Spread(3)
	w.source.Begin()
	for id := range 20 {
		w.source.Commit(put(id, "a"), put(id+1, "b"))
	}
	w.start()
	w.check()
	w.source.Commit(remove(3), put(4, "c"))
	w.check()
	w.stop()
	w.source.Commit(truncate(), put(5, "d"))
	w.start()
	w.check()
	w.stop()
	w.reset()
	w.source.Commit(put(6, "e"))
	w.start()
	w.until("its first life is over", func(s deliver.Status) bool { return s.Totals.Renewals == 1 })
	w.check()
	w.stop()
	t.Run("R12 a topic is given another partition", func(*testing.T) {
		w.source.Commit(put(7, "f"))
		if r, err := admin.CreatePartitions(t.Context(), 1, itemsTopic); err != nil || r.Error() != nil {
			t.Fatal(errors.Join(err, r.Error()))
			t.Fatal(err)
		}
		for seen := 0; seen < 4; { // clients ask for a cluster's topics now and then
			infos, err := w.log.Admin().Topics(t.Context(), itemsTopic)
			if err != nil {
				t.Fatal(err)
			}
			seen = len(infos[0].Ends)
		}
		w.start()
		for range 2 {
			if err := w.ended(); pipeline.CodeOf(err) != deliver.CodePartitions {
				t.Fatalf("ended with %v", err)
			}
			w.again()
		}
		_ = w.ended()
		w.close()
	})
}

// TestKeeper tells that a place is kept in the log, by the newest holder alone.
func TestKeeper(t *testing.T) {
	for name, world := range map[string]func(*testing.T) *world{
		"K05 embedded log": func(t *testing.T) *world { return newWorld(t) },
		"K05 cluster": func(t *testing.T) *world {
			w, _ := kafkaWorld(t)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := world(t).log
			ctx := context.Background()
			make := func() deliver.Keeper { return deliver.NewKeeper(l, "test", "hook") }
			open := func(k deliver.Keeper, want pipeline.Resume) {
				t.Helper()
				if got, err := k.Open(ctx); err != nil || !cmp.Equal(got, want) {
					t.Fatalf("opens at %+v: %v, want %+v", got, err, want)
				}
			}
			keep := func(k deliver.Keeper, at pipeline.Resume) {
				t.Helper()
				if err := k.Keep(ctx, at); err != nil {
					t.Fatal(err)
				}
			}
			at := pipeline.Resume{At: pipeline.Position{Seq: 7, Native: "0/7"}, Rows: 3, State: []byte("state")}
			first := make()
			open(first, pipeline.Resume{})
			keep(first, pipeline.Resume{At: pipeline.Position{Seq: 1, Native: "0/1"}})
			keep(first, at)
			second := make()
			open(second, at)
			if err := first.Keep(ctx, pipeline.Resume{State: []byte("late")}); !errors.Is(err, log.ErrFenced) {
				t.Errorf("a keeper that was replaced: %v", err)
			}
			third := make()
			open(third, at)
			keep(third, pipeline.Resume{})
			for range 2 {
				if err := third.Close(); err != nil {
					t.Fatal(err)
				}
			}
			fourth := make()
			open(fourth, pipeline.Resume{})
			filling := pipeline.Resume{State: []byte("some")}
			keep(fourth, filling)
			open(make(), filling)
			for _, k := range []deliver.Keeper{first, second, fourth} {
				if err := k.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestAppendOnlyAged tells that a sink goes on, and is filled, where age has taken all
// that partitions of append-only topics held and the sink had read: the end of their last
// transaction, which is an offset and no record, is gone too (K16, K17).
func TestAppendOnlyAged(t *testing.T) {
	for name, began := range map[string]bool{"it goes on": true, "it is filled": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, admin := kafkaWorld(t)
			w.source.Appends(-1)
			w.source.Begin()
			w.source.Commit(put(1, "a"), put(2, "b"))
			if began {
				w.start()
				w.caughtUp()
				w.stop()
			}
			ends, err := admin.ListEndOffsets(t.Context(), itemsTopic)
			if err != nil {
				t.Fatal(err)
			}
			deleted, err := admin.DeleteRecords(t.Context(), ends.Offsets())
			if err := errors.Join(err, deleted.Error()); err != nil {
				t.Fatal(err)
			}
			w.start()
			w.caughtUp()
			w.source.Commit(put(3, "c"))
			w.caughtUp()
			if s := w.delivery.Status(); s.Totals.Renewals != 0 {
				t.Errorf("it began anew %d times", s.Totals.Renewals)
			}
		})
	}
}
