package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/log/logtest"
	"github.com/twmb/franz-go/pkg/kfake"
)

// dialer remembers its connections, to cut them.
type dialer struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		d.mu.Lock()
		d.conns = append(d.conns, c)
		d.mu.Unlock()
	}
	return c, err
}

func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		c.Close()
	}
}

func fake(t *testing.T) *kfake.Cluster {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "100000000000"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, c *kfake.Cluster, maxBytes int64) (*Index, *dialer) {
	d := &dialer{}
	l, err := kafka.Open(context.Background(), kafka.Config{Brokers: c.ListenAddrs(), Deployment: "test", RetryFor: 2 * time.Second, Dial: d.dial})
	if err != nil {
		t.Fatal(err)
	}
	x, err := OpenIndex(t.TempDir(), l, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(x.Close(), l.Close()); err != nil {
			t.Error(err)
		}
	})
	return x, d
}

// The log with an index passes the log's own suite, with the clauses on the
// index.
func TestIndexedLog(t *testing.T) {
	t.Parallel()
	const maxBytes = 1 << 30
	logtest.Run(t, func(t *testing.T) logtest.Harness {
		c := fake(t)
		x, d := open(t, c, maxBytes)
		h := logtest.Harness{Log: x, Compact: func(*testing.T, string) { c.Compact() }}
		h.Crash = func(t *testing.T) log.Log {
			d.cut()
			x, d = open(t, c, maxBytes)
			return x
		}
		h.Reopen = h.Crash
		h.Cannot = map[logtest.Power]string{}
		for _, p := range []logtest.Power{logtest.LoseCommit, logtest.Fill, logtest.Committed, logtest.Pins, logtest.Aging} {
			h.Cannot[p] = "the suite of the log below runs these"
		}
		return h
	})
}

// newest is the model: what Latest has to say of a key.
type newest struct {
	value  []byte
	offset int64
}

type model map[string]newest

// learn reads a partition as it is committed.
func learn(t *testing.T, l log.Log, tp log.TopicPartition) model {
	t.Helper()
	infos, err := l.Admin().Topics(t.Context(), tp.Topic)
	if err != nil {
		t.Fatal(err)
	}
	m := model{}
	err = log.Scan(t.Context(), l, tp, infos[0].Ends[tp.Partition], func(r *log.Record) error {
		m[string(r.Key)] = newest{bytes.Clone(r.Value), r.Offset}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestIndexModel appends, commits, aborts, compacts and asks at random, with
// all values in the index and with all of them left in the log.
func TestIndexModel(t *testing.T) {
	t.Parallel()
	for _, maxBytes := range []int64{0, 1 << 30} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%d bytes, seed %d", maxBytes, seed), func(t *testing.T) { story(t, maxBytes, rand.New(rand.NewPCG(seed, 1))) })
		}
	}
}

func story(t *testing.T, maxBytes int64, rng *rand.Rand) {
	c := fake(t)
	x, _ := open(t, c, maxBytes)
	if _, err := x.Admin().Ensure(t.Context(), log.TopicSpec{Name: "t", Partitions: 2, Compact: true}); err != nil {
		t.Fatal(err)
	}
	lw, err := x.Writer(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { lw.Close() }()
	var pending []log.Record
	for step := range 200 {
		tp := log.TopicPartition{Topic: "t", Partition: int32(rng.IntN(2))}
		switch rng.IntN(20) {
		case 0:
			must(t, lw.Abort(t.Context()))
			pending = nil
		case 1, 2:
			must(t, lw.Commit(t.Context(), nil))
			pending = nil
		case 3:
			if rng.IntN(4) == 0 {
				c.Compact()
			}
		case 4:
			if rng.IntN(4) == 0 { // a successor fences and begins anew
				if lw, err = x.Writer(t.Context(), "w"); err != nil {
					t.Fatal(err)
				}
				pending = nil
			}
		case 5, 6, 7, 8:
			ask(t, x, lw, tp, pending, rng, step)
		default:
			recs := make([]log.Record, 1+rng.IntN(3))
			for i := range recs {
				recs[i] = log.Record{TopicPartition: tp, Key: fmt.Appendf(nil, "k%d", rng.IntN(12))}
				if rng.IntN(4) > 0 {
					recs[i].Value = fmt.Appendf(nil, "%d.%d", step, i)
				}
			}
			must(t, lw.Append(t.Context(), recs...))
			pending = append(pending, recs...)
		}
	}
}

// ask compares what the index says of a partition with the log and what is
// pending.
func ask(t *testing.T, x *Index, lw log.Writer, tp log.TopicPartition, pending []log.Record, rng *rand.Rand, step int) {
	t.Helper()
	w := lw.(log.Index)
	m := learn(t, x.Log, tp)
	touched, err := lw.Flush(t.Context())
	must(t, err)
	mine := slices.DeleteFunc(slices.Clone(pending), func(r log.Record) bool { return r.TopicPartition != tp })
	for i, r := range mine {
		m[string(r.Key)] = newest{r.Value, touched[tp] - int64(len(mine)-i)}
	}
	below := int64(rng.IntN(100))
	var stale []string
	for k, n := range m {
		if n.value != nil && n.offset < below {
			stale = append(stale, k)
		}
	}
	slices.Sort(stale)
	keys, err := w.Stale(t.Context(), tp, below, nil, 100)
	must(t, err)
	var got []string
	for _, k := range keys {
		got = append(got, string(k))
	}
	if !slices.Equal(got, stale) {
		t.Fatalf("step %d: below %d are stale %v, want %v", step, below, got, stale)
	}
	for i := range 12 {
		key := fmt.Sprintf("k%d", i)
		want, has := m[key]
		if _, isOpen := touched[tp]; !isOpen || i%3 == 0 || rng.IntN(2) == 0 {
			v, offset, ok, err := w.Latest(t.Context(), tp, []byte(key))
			must(t, err)
			if ok != has || ok && (offset != want.offset || !bytes.Equal(v, want.value) || (v == nil) != (want.value == nil)) {
				t.Fatalf("step %d: the newest of %s is %q at %d (%v), want %q at %d (%v)", step, key, v, offset, ok, want.value, want.offset, has)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A cache from before is thrown away: whatever it says may be wrong.
func TestIndexBeginsEmpty(t *testing.T) {
	c := fake(t)
	dir := t.TempDir()
	left := filepath.Join(dir, "index", "left")
	must(t, os.MkdirAll(filepath.Dir(left), 0o700))
	must(t, os.WriteFile(left, []byte("from before"), 0o600))
	l, err := kafka.Open(t.Context(), kafka.Config{Brokers: c.ListenAddrs(), Deployment: "test"})
	must(t, err)
	defer l.Close()
	x, err := OpenIndex(dir, l, 1<<20)
	must(t, err)
	defer x.Close()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("the former cache is still there")
	}
}

// BenchmarkNote is what a row of a loaded partition costs beyond the log.
func BenchmarkNote(b *testing.B) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	l, err := kafka.Open(context.Background(), kafka.Config{Brokers: c.ListenAddrs(), Deployment: "test"})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	x, err := OpenIndex(b.TempDir(), l, 1<<40)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	w := &Writer{x: x, space: 1, loaded: map[log.TopicPartition]*loaded{}}
	tp := log.TopicPartition{Topic: "t"}
	w.loaded[tp] = &loaded{id: 1, open: true}
	recs := make([]log.Record, 100)
	value := bytes.Repeat([]byte("v"), 200)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := range recs {
			recs[i] = log.Record{TopicPartition: tp, Key: fmt.Appendf(recs[i].Key[:0], "%08d", n*7919%1_000_000), Value: value}
			n++
		}
		if err := w.note(recs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
}
