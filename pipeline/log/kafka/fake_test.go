package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cluster starts a fake cluster in this process.
func cluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "100000000000"})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// config is what most tests open with.
func config(c *kfake.Cluster) Config {
	return Config{Brokers: c.ListenAddrs(), Deployment: "test", RetryFor: 2 * time.Second, SessionTimeout: 6 * time.Second}
}

func open(t *testing.T, cfg Config) *Log {
	t.Helper()
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

var errCut = errors.New("connection cut by the test")

// wire is the network between a log and its cluster. It knows which request is
// written and can lose it, or its answer.
type wire struct {
	mu    sync.Mutex
	conns map[*conn]bool
	rules []*rule
	mute  chan kmsg.Key // if not nil, requests go here and no farther, and connections stay open
}

// A rule strikes the requests of one kind.
type rule struct {
	key   kmsg.Key
	after bool // the request arrives, the answer is lost
	left  int  // how often; -1 until one of the kind until is written
	until kmsg.Key
}

// lose makes the next n requests of the key fail.
func (w *wire) lose(key kmsg.Key, after bool, n int) {
	w.add(&rule{key: key, after: after, left: n, until: -1})
}

func (w *wire) add(r *rule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rules = append(w.rules, r)
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rules = nil
}

// strikes gives the rule for a request, if there is one left.
func (w *wire) strikes(key kmsg.Key) *rule {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.rules {
		if r.left < 0 && r.until == key {
			r.left = 0
		}
		if r.key == key && r.left != 0 {
			r.left--
			return r
		}
	}
	return nil
}

// freeze lets nothing through any more, and ends no connection. It tells what
// would have gone through.
func (w *wire) freeze() <-chan kmsg.Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mute = make(chan kmsg.Key, 1000)
	return w.mute
}

func (w *wire) frozen() chan<- kmsg.Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mute
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k := &conn{Conn: c, wire: w}
	w.conns[k] = true
	return k, nil
}

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.Conn.Close()
	}
	clear(w.conns)
}

func newWire() *wire { return &wire{conns: map[*conn]bool{}} }

type conn struct {
	net.Conn
	wire *wire
	mu   sync.Mutex
	deaf bool // the next answer is lost
}

// Write gets one whole request: length:4 key:2 …
func (c *conn) Write(b []byte) (int, error) {
	if mute := c.wire.frozen(); mute != nil {
		mute <- kmsg.Key(binary.BigEndian.Uint16(b[4:]))
		return len(b), nil
	}
	if len(b) >= 6 {
		if r := c.wire.strikes(kmsg.Key(binary.BigEndian.Uint16(b[4:]))); r != nil {
			if !r.after {
				c.Close()
				return 0, errCut
			}
			c.mu.Lock()
			c.deaf = true
			c.mu.Unlock()
		}
	}
	return c.Conn.Write(b)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deaf {
		c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// topic makes a compacted topic.
func topic(t *testing.T, l *Log, name string, partitions int32) log.TopicInfo {
	t.Helper()
	infos, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: name, Partitions: partitions, Compact: true})
	if err != nil {
		t.Fatal(err)
	}
	return infos[0]
}

func writer(t *testing.T, l *Log, id string) *Writer {
	t.Helper()
	w, err := l.Writer(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w.(*Writer)
}

func part0(topic string) log.TopicPartition { return log.TopicPartition{Topic: topic} }

func rec(tp log.TopicPartition, key, value string) log.Record {
	return log.Record{TopicPartition: tp, Key: []byte(key), Value: []byte(value)}
}

func put(t *testing.T, w *Writer, recs ...log.Record) {
	t.Helper()
	if err := w.Append(t.Context(), recs...); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

func ends(t *testing.T, l *Log, tp log.TopicPartition) log.Ends {
	t.Helper()
	infos, err := l.Admin().Topics(t.Context(), tp.Topic)
	if err != nil || len(infos) != 1 {
		t.Fatalf("%s: %v, %v", tp, infos, err)
	}
	return infos[0].Ends[tp.Partition]
}

// all reads tp to its stable end as "key=value key=value".
func all(t *testing.T, l *Log, tp log.TopicPartition) string {
	t.Helper()
	text := ""
	err := log.Scan(t.Context(), l, tp, ends(t, l, tp), func(r *log.Record) error {
		if text != "" {
			text += " "
		}
		text += string(r.Key) + "=" + string(r.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func same[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// within bounds what has to happen.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
