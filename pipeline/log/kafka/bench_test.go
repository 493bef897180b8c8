package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The benchmarks write the same records in commits of benchCommit through a
// Writer and through a bare producer: the difference is what the writer costs.
const (
	benchCommit = 5000
	benchParts  = 4
)

func benchLog(b *testing.B) (*Log, []log.Record) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BlackholeProduce(), kfake.SeedTopics(benchParts, "t"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	l, err := Open(context.Background(), config(c))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	rng := rand.New(rand.NewPCG(1, 2))
	recs := make([]log.Record, benchCommit)
	for i := range recs {
		value := make([]byte, 200)
		for j := range value[:100] {
			value[j] = byte(rng.Uint32())
		}
		recs[i] = log.Record{
			TopicPartition: log.TopicPartition{Topic: "t", Partition: int32(i/100) % benchParts},
			Key:            fmt.Appendf(nil, "%08d", i), Value: value,
			Headers: []log.Header{{Key: log.PosHeader, Value: log.Pos{Incarnation: 1, Seq: uint64(i)}.Append(nil)}},
		}
	}
	return l, recs
}

func BenchmarkWriter(b *testing.B) {
	l, recs := benchLog(b)
	w, err := l.Writer(context.Background(), "w")
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	b.ReportAllocs()
	b.SetBytes(int64(recs[0].Size()))
	for done := 0; done < b.N; done += benchCommit {
		n := min(benchCommit, b.N-done)
		for i := 0; i < n; i += 100 {
			if err := w.Append(context.Background(), recs[i:min(i+100, n)]...); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Commit(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareProducer(b *testing.B) {
	l, recs := benchLog(b)
	cl, err := l.client(kgo.TransactionalID("bare"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	b.ReportAllocs()
	b.SetBytes(int64(recs[0].Size()))
	for done := 0; done < b.N; done += benchCommit {
		if err := cl.BeginTransaction(); err != nil {
			b.Fatal(err)
		}
		for i := range min(benchCommit, b.N-done) {
			r := &recs[i]
			cl.Produce(context.Background(), &kgo.Record{
				Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value,
				Headers: []kgo.RecordHeader{{Key: r.Headers[0].Key, Value: r.Headers[0].Value}},
			}, nil)
		}
		if err := cl.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		if err := cl.EndTransaction(context.Background(), kgo.TryCommit); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSmallCommit is the time of one commit of one record and its frontier
// record, as on an idle source.
func BenchmarkSmallCommit(b *testing.B) {
	l, recs := benchLog(b)
	w, err := l.Writer(context.Background(), "w")
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	ctx := context.Background()
	for b.Loop() {
		if err := w.Append(ctx, recs[0]); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Flush(ctx); err != nil {
			b.Fatal(err)
		}
		if err := w.Append(ctx, recs[100]); err != nil {
			b.Fatal(err)
		}
		if err := w.Commit(ctx, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReader reads batches of the same records from a fake that makes them
// up.
func BenchmarkReader(b *testing.B) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(benchParts, "t"), kfake.SyntheticFetch(kfake.SyntheticBatch{RecordBytes: 200, RandomFrac: 0.5, Compression: kgo.SnappyCompression()}))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	l, err := Open(context.Background(), config(c))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	r, err := l.Reader(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	from := log.Offsets{}
	for p := range int32(benchParts) {
		from[log.TopicPartition{Topic: "t", Partition: p}] = 0
	}
	if err := r.Assign(from); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(200)
	for done := 0; done < b.N; {
		f, err := r.Next(context.Background(), 5000)
		if err != nil {
			b.Fatal(err)
		}
		done += len(f.Records)
	}
}
