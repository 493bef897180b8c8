//go:build unix

package embedded_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// cpu is the processor time of the whole process, background work included.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCapture stores rows as a capture does: records of some 200 bytes with
// a key of 12 and a position, appended by hundreds, committed every 20,000. It
// ends with the log closed, so that flushes count. A commit of 100,000, as in a
// snapshot, goes by loads.
func BenchmarkCapture(b *testing.B) {
	for _, keys := range []string{"growing", "random"} {
		for _, size := range []int{150, 250} {
			b.Run(fmt.Sprintf("%s/%dB", keys, size), func(b *testing.B) { capture(b, keys == "random", size, 20_000) })
		}
		b.Run(keys+"/250B/loads", func(b *testing.B) { capture(b, keys == "random", 250, 100_000) })
	}
}

func capture(b *testing.B, random bool, size, commit int) {
	l := openBench(b)
	w, tp := benchWriter(b, l)
	rng := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, size-12-12)
	for i := range value {
		value[i] = byte(rng.Uint32())
	}
	recs := rows(tp, value)
	ctx := context.Background()
	b.ReportAllocs()
	began := cpu()
	b.ResetTimer()
	for i := 0; i < b.N; {
		n := 0
		for ; n < len(recs) && i < b.N; n++ {
			k := uint64(i)
			if random {
				k = rng.Uint64N(1 << 20)
			}
			binary.BigEndian.PutUint64(recs[n].Key[4:], k)
			i++
		}
		if err := w.Append(ctx, recs[:n]...); err != nil {
			b.Fatal(err)
		}
		if i%commit < n {
			if err := w.Commit(ctx, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := w.Commit(ctx, nil); err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/rec")
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	b.ReportMetric(float64(u.Maxrss)/1024, "peak-MiB") // of the whole process so far
}

// rows makes records whose keys are to be filled in: Confluent's five bytes
// and a number.
func rows(tp log.TopicPartition, value []byte) []log.Record {
	recs := make([]log.Record, 256)
	for i := range recs {
		recs[i] = log.Record{
			TopicPartition: tp, Key: append([]byte{0, 0, 0, 1}, make([]byte, 8)...), Value: value,
			Headers: []log.Header{{Key: log.PosHeader, Value: log.Pos{Incarnation: 1, Seq: uint64(i), Row: 3}.Append(nil)}},
		}
	}
	return recs
}

func openBench(b *testing.B) *embedded.Log {
	b.Helper()
	l, err := embedded.Open(embedded.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

func benchWriter(b *testing.B, l *embedded.Log) (log.Writer, log.TopicPartition) {
	b.Helper()
	ctx := context.Background()
	if _, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: "t", Compact: true}); err != nil {
		b.Fatal(err)
	}
	w, err := l.Writer(ctx, "w")
	if err != nil {
		b.Fatal(err)
	}
	return w, log.TopicPartition{Topic: "t"}
}

// BenchmarkCommit is one row and its commit on an idle log.
func BenchmarkCommit(b *testing.B) {
	l := openBench(b)
	w, tp := benchWriter(b, l)
	recs := rows(tp, make([]byte, 180))
	ctx := context.Background()
	b.ResetTimer()
	for i := range b.N {
		binary.BigEndian.PutUint64(recs[0].Key[4:], uint64(i))
		if err := w.Append(ctx, recs[0]); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Flush(ctx); err != nil {
			b.Fatal(err)
		}
		if err := w.Commit(ctx, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// fill commits n rows of a size; the key of row i is i*step modulo n.
func fill(b *testing.B, w log.Writer, tp log.TopicPartition, n, size, step int) {
	b.Helper()
	recs := rows(tp, make([]byte, size))
	ctx := context.Background()
	for i := 0; i < n; i += len(recs) {
		for j := range recs {
			binary.BigEndian.PutUint64(recs[j].Key[4:], uint64((i+j)*step%n))
		}
		if err := w.Append(ctx, recs...); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Commit(ctx, nil); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRead reads a topic from its start.
func BenchmarkRead(b *testing.B) {
	l := openBench(b)
	w, tp := benchWriter(b, l)
	const n = 200_000
	fill(b, w, tp, n, 180, 7919)
	b.ReportAllocs()
	b.ResetTimer()
	for read := 0; read < b.N; {
		r, err := l.Reader(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Assign(log.Offsets{tp: 0}); err != nil {
			b.Fatal(err)
		}
		r.Limit(log.Offsets{tp: n})
		for {
			f, err := r.Next(context.Background(), 500)
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			read += len(f.Records)
		}
		r.Close()
	}
}

// orders are those in which rows are looked up: in the order of their keys and
// offsets, as by a DELETE of a whole table; in that of their offsets, by keys all
// over the index; and all over the topic.
var orders = []struct {
	name       string
	fill, look int
}{{"growing", 1, 1}, {"scattered", 7919, 7919}, {"random", 1, 104729}}

// BenchmarkLatest finds keys among 200,000, in rows of two sizes.
func BenchmarkLatest(b *testing.B) {
	for _, o := range orders {
		for _, size := range []int{20, 180} {
			b.Run(fmt.Sprintf("%s/%dB", o.name, size), func(b *testing.B) { latest(b, size, o.fill, o.look) })
		}
	}
}

func latest(b *testing.B, size, stored, look int) {
	l := openBench(b)
	w, tp := benchWriter(b, l)
	const n = 200_000
	fill(b, w, tp, n, size, stored)
	x := w.(log.Index)
	key := append([]byte{0, 0, 0, 1}, make([]byte, 8)...)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		binary.BigEndian.PutUint64(key[4:], uint64(i*look%n))
		if _, _, ok, err := x.Latest(context.Background(), tp, key); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

// BenchmarkDelete is what a capture does for a DELETE of 200,000 rows of which
// the source sends the keys only: each row's newest record is found, and a
// tombstone appended, all in one commit.
func BenchmarkDelete(b *testing.B) {
	for _, size := range []int{20, 180} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			const n = 200_000
			for range b.N {
				b.StopTimer()
				l := openBench(b)
				w, tp := benchWriter(b, l)
				fill(b, w, tp, n, size, 1)
				b.StartTimer()
				deleteAll(b, w, tp, n)
				b.StopTimer()
				l.Close()
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// deleteAll deletes the keys below n in one commit.
func deleteAll(b *testing.B, w log.Writer, tp log.TopicPartition, n int) {
	b.Helper()
	ctx := context.Background()
	tombstone := rows(tp, nil)[0]
	for i := range n {
		binary.BigEndian.PutUint64(tombstone.Key[4:], uint64(i))
		if _, _, ok, err := w.(log.Index).Latest(ctx, tp, tombstone.Key); err != nil || !ok {
			b.Fatal(ok, err)
		}
		if err := w.Append(ctx, tombstone); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Commit(ctx, nil); err != nil {
		b.Fatal(err)
	}
}
