//go:build unix

package listener

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/embedded/listener"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

const (
	topic      = "shop.public.orders"
	partitions = 2
	kcatWait   = 500 * time.Millisecond // fetch.wait.max.ms of librdkafka
)

// A row is one record as every client prints it: partition, offset, time,
// key, length (-1 is a tombstone), value, headers.
type row struct {
	partition, offset int64
	text              string
}

// A reading gives all rows of the topic, up to the end that it has at the start.
type reading func(t *testing.T, ctx context.Context, address string) []row

// TestForeignClients reads with each client while rows are written, aborted and
// swept, and again when all is still: then each has exactly what the log's own
// reader has.
func TestForeignClients(t *testing.T) {
	b := open(t)
	clients := map[string]reading{"kcat": kcat, "java": java(t), "franz-go": franz}
	seconds := 3
	if harness.Full() {
		seconds = 30
	}
	t.Run("while it is written and swept", func(t *testing.T) {
		stop := b.write()
		until := time.Now().Add(time.Duration(seconds) * time.Second)
		for name, read := range clients {
			t.Run(name, func(t *testing.T) {
				for first := true; first || time.Now().Before(until); first = false {
					inOrder(t, read(t, b.ctx, b.address))
				}
			})
		}
		b.must(stop())
	})
	b.must(b.log.Admin().Compact(b.ctx, topic))
	own := b.own()
	t.Logf("%d records, %d of %d offsets are gaps", len(own), b.offsets()-int64(len(own)), b.offsets())
	if int64(len(own)) > b.offsets()/2 {
		t.Fatal("compaction left no gaps to speak of")
	}
	for name, read := range clients {
		t.Run("K22 when all is still, "+name, func(t *testing.T) { same(t, own, read(t, b.ctx, b.address)) })
	}
	if st := b.server.Stats(); st.Refused > 0 {
		t.Errorf("a client was refused: %+v", st)
	}
}

// bench is an embedded log that sweeps by itself, and its listener.
type bench struct {
	*testing.T
	ctx     context.Context
	log     *embedded.Log
	server  *listener.Server
	address string
}

func open(t *testing.T) *bench {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	b := &bench{T: t, ctx: ctx}
	var err error
	b.log, err = embedded.Open(embedded.Config{Dir: filepath.Join(t.TempDir(), "log"), SweepEvery: 20 * time.Millisecond, SweepRate: 64 << 20})
	b.must(err)
	t.Cleanup(func() { b.log.Close() })
	_, err = b.log.Admin().Ensure(ctx, log.TopicSpec{Name: topic, Partitions: partitions, Compact: true, MinLag: time.Nanosecond})
	b.must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	b.server, err = listener.Serve(l, listener.Config{Log: b.log, Cluster: "shop", Events: listener.Events{Refused: func(client, why string) { t.Log(client, why) }}})
	b.must(err)
	t.Cleanup(func() { b.server.Stop(ctx) })
	b.address = l.Addr().String()
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// write commits, and now and then aborts, until it is stopped; the last thing is
// an abort, so that the partitions end in a gap.
func (b *bench) write() (stop func() error) {
	quit, done := make(chan struct{}), make(chan error, 1)
	go func() {
		w, err := b.log.Writer(b.ctx, "orders")
		for n := 0; err == nil; n++ {
			if n%100 == 99 { // kcat -e ends at an answer without records
				time.Sleep(kcatWait + 200*time.Millisecond)
			}
			select {
			case <-quit:
				done <- cmp.Or(b.append(w, n), w.Abort(b.ctx), w.Close())
				return
			default:
				err = b.round(w, n)
			}
		}
		done <- err
	}()
	return func() error { close(quit); return <-done }
}

func (b *bench) round(w log.Writer, n int) error {
	if err := b.append(w, n); err != nil {
		return err
	}
	if n%7 == 3 {
		return w.Abort(b.ctx)
	}
	return w.Commit(b.ctx, nil)
}

// append writes rows over 10,000 keys; the value names its key, one in ten is a
// tombstone.
func (b *bench) append(w log.Writer, n int) error {
	for i := range 100 {
		key := (n*7919 + i*i*31) % 10_000
		r := log.Record{TopicPartition: log.TopicPartition{Topic: topic, Partition: int32(key % partitions)}, Key: fmt.Append(nil, "order-", key),
			Headers: []log.Header{{Key: log.PosHeader, Value: fmt.Append(nil, n, ".", i)}, {Key: "source", Value: []byte("shop")}}}
		if i%10 != 9 {
			r.Value = fmt.Appendf(nil, "order-%d in round %d %s", key, n, strings.Repeat("x", i))
		}
		if err := w.Append(b.ctx, r); err != nil {
			return err
		}
	}
	_, err := w.Flush(b.ctx)
	return err
}

func (b *bench) offsets() (sum int64) {
	for p := range int32(partitions) {
		e, _, err := b.log.Bounds(log.TopicPartition{Topic: topic, Partition: p})
		b.must(err)
		sum += e.Stable
	}
	return sum
}

// own reads as the log's own reader does.
func (b *bench) own() (rows []row) {
	for p := range int32(partitions) {
		tp := log.TopicPartition{Topic: topic, Partition: p}
		e, _, err := b.log.Bounds(tp)
		b.must(err)
		b.must(log.Scan(b.ctx, b.log, tp, e, func(r *log.Record) error {
			rows = append(rows, print(r.Partition, r.Offset, r.Time.UnixMilli(), r.Key, r.Value, r.Headers))
			return nil
		}))
	}
	return rows
}

func print(partition int32, offset, ms int64, key, value []byte, headers []log.Header) row {
	var hs []string
	for _, h := range headers {
		hs = append(hs, h.Key+"="+string(h.Value))
	}
	size := len(value)
	if value == nil {
		size = -1
	}
	return row{int64(partition), offset, fmt.Sprintf("%d\t%d\t%d\t%s\t%d\t%s\t%s", partition, offset, ms, key, size, value, strings.Join(hs, ","))}
}

// same wants two readings to be one.
func same(t *testing.T, own, foreign []row) {
	t.Helper()
	slices.SortStableFunc(foreign, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	for i := range min(len(own), len(foreign)) {
		if own[i] != foreign[i] {
			t.Fatalf("record %d differs:\n  log    %s\n  client %s", i, own[i].text, foreign[i].text)
		}
	}
	if len(own) != len(foreign) {
		t.Fatalf("the log has %d records, the client read %d", len(own), len(foreign))
	}
}

// inOrder wants growing offsets in each partition, and values of their keys.
func inOrder(t *testing.T, rows []row) {
	t.Helper()
	last := map[int64]int64{0: -1, 1: -1}
	for _, r := range rows {
		f := strings.Split(r.text, "\t")
		if r.offset <= last[r.partition] {
			t.Fatalf("partition %d: offset %d behind %d", r.partition, r.offset, last[r.partition])
		}
		if f[4] != "-1" && !strings.HasPrefix(f[5], f[3]+" in round ") {
			t.Fatalf("a value of another key: %s", r.text)
		}
		last[r.partition] = r.offset
	}
}

// parse reads what a program printed.
func parse(t *testing.T, out []byte) (rows []row) {
	t.Helper()
	for line := range strings.Lines(string(out)) {
		r := row{text: strings.TrimSuffix(line, "\n")}
		if _, err := fmt.Sscan(line, &r.partition, &r.offset); err != nil || strings.Count(line, "\t") != 6 {
			t.Fatalf("not a record: %q", line)
		}
		rows = append(rows, r)
	}
	return rows
}

// run runs a program that has to end well.
func run(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%.3000s", cmd.Args, err, said.String())
	}
	return out
}

func kcat(t *testing.T, ctx context.Context, address string) []row {
	path, err := exec.LookPath("kcat")
	if err != nil {
		absent(t, "no kcat", "sudo apt-get install -y --no-install-recommends kcat")
	}
	return parse(t, run(t, exec.CommandContext(ctx, path, "-q", "-b", address, "-C", "-t", topic, "-o", "beginning", "-e", "-f", `%p\t%o\t%T\t%k\t%S\t%s\t%h\n`)))
}

// java gives a reading by the Java consumer of the Apache Kafka that tests run.
func java(t *testing.T) reading {
	return func(t *testing.T, ctx context.Context, address string) []row {
		d := kafkatest.Distribution(t)
		return parse(t, run(t, exec.CommandContext(ctx, d.Java, "-cp", strings.Join(d.Jars, string(os.PathListSeparator)), "testdata/Reader.java", address, topic)))
	}
}

func franz(t *testing.T, ctx context.Context, address string) (rows []row) {
	c, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	at, ends := map[int32]int64{}, endsOf(t, ctx, c)
	reached := func() bool {
		for p, end := range ends {
			if at[p] < end {
				return false
			}
		}
		return true
	}
	for !reached() {
		fs := c.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if r.Attrs.IsControl() {
				return
			}
			var hs []log.Header
			for _, h := range r.Headers {
				hs = append(hs, log.Header{Key: h.Key, Value: h.Value})
			}
			rows = append(rows, print(r.Partition, r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, hs))
		})
	}
	return rows
}

// absent skips a test for want of a program; with CI=true that is a failure.
func absent(t *testing.T, what, mend string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s\n  mend: %s", what, mend)
	}
	t.Skipf("SKIPPED: %s\n  mend: %s, or LANES=prepare make test", what, mend)
}
