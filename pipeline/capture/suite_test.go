package capture_test

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/state"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry/registrytest"
	"github.com/evertdb/evert/sinks/sinktest"
)

// TestSuite holds the sink of a capture stage to what every sink keeps, over
// both logs. A reader of the topics sees what lies below the frontier's offsets
// and above where a table's rows begin to count.
func TestSuite(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Harness {
			l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return suiteOver(l)
		})
	})
	t.Run("kafka", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Harness { return suiteOver(fakeKafka(t)) })
	})
}

// fakeKafka is a fake cluster with an index of keys over it.
func fakeKafka(t *testing.T) log.Log {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return kafkaOver(t, cluster.ListenAddrs(), "test")
}

func kafkaOver(t *testing.T, brokers []string, deployment string) log.Log {
	l, err := kafka.Open(context.Background(), kafka.Config{Brokers: brokers, Deployment: deployment, Topics: kafka.Topics{ReplicationFactor: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	x, err := state.OpenIndex(t.TempDir(), l, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func suiteOver(l log.Log) sinktest.Harness {
	reg := &registrytest.InMemory{}
	config := capture.Config{Deployment: "test", Source: "shop", Connector: "postgresql", Prefix: "shop", Log: l, Registry: reg}
	return sinktest.Harness{
		New:  func(testing.TB) pipeline.Sink { return capture.New(config) },
		Rows: func(t testing.TB) map[int64]string { return foldItems(t, l, reg) },
	}
}

// foldItems folds the topic of the suite's table at the newest frontier.
func foldItems(t testing.TB, l log.Log, reg *registrytest.InMemory) map[int64]string {
	fold, err := log.ReadFrontier(context.Background(), l, log.FrontierTopic("test", "shop"))
	if err != nil {
		t.Fatal(err)
	}
	f, ok := fold.Frontier()
	if !ok {
		return nil
	}
	tp := log.TopicPartition{Topic: "shop.public.items"}
	bounds := log.Ends{Start: 0, Stable: f.Offsets[tp]}
	if from := f.Tables[tp.Topic].From; len(from) > 0 {
		bounds.Start = from[0]
	}
	rows := map[int64]string{}
	if err := log.Scan(context.Background(), l, tp, bounds, func(r *log.Record) error { return foldItem(rows, reg, r) }); err != nil {
		t.Fatal(err)
	}
	return rows
}

func foldItem(rows map[int64]string, reg *registrytest.InMemory, r *log.Record) error {
	keyID, keyBody, err := avro.ParseWire(r.Key)
	if err != nil {
		return err
	}
	keySchema, _ := reg.Schema(context.Background(), keyID)
	keys, err := avro.ParseCodec(keySchema, keySchema)
	if err != nil {
		return err
	}
	var a avro.Arena
	key, err := keys.DecodeKey(keyBody, &a)
	if err != nil {
		return err
	}
	delete(rows, key[0].Int())
	if r.Value == nil {
		return nil
	}
	id, body, err := avro.ParseWire(r.Value)
	if err != nil {
		return err
	}
	text, _ := reg.Schema(context.Background(), id)
	values, err := avro.ParseCodec(keySchema, text)
	if err != nil {
		return err
	}
	e, err := values.DecodeValue(body, &a)
	if err != nil || e.After == nil {
		return err
	}
	rows[key[0].Int()] = string(e.After[1].Ref())
	if e.After[1].IsNull() {
		rows[key[0].Int()] = "NULL"
	}
	return nil
}
