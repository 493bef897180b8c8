package listener_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/embedded/listener"
)

// lab is a log in memory and a server in front of it.
type lab struct {
	t      testing.TB
	ctx    context.Context
	log    *embedded.Log
	server *listener.Server
	mu     sync.Mutex
	told   []string
}

func newLab(t testing.TB, cfg listener.Config) *lab {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	b := &lab{t: t, ctx: ctx}
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem(), MemTable: 4 << 20, SweepRate: -1})
	b.must(err)
	t.Cleanup(func() { l.Close() })
	b.log = l
	b.serve(cfg)
	return b
}

func (b *lab) serve(cfg listener.Config) {
	b.t.Helper()
	n, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	cfg.Log, cfg.Cluster = b.log, "test"
	cfg.Events.Refused = func(client, why string) {
		b.mu.Lock()
		b.told = append(b.told, why)
		b.mu.Unlock()
	}
	b.server, err = listener.Serve(n, cfg)
	b.must(err)
	b.t.Cleanup(func() { b.server.Stop(b.ctx) })
}

func (b *lab) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// topic makes a topic of one partition that compacts as soon as it is told to.
func (b *lab) topic(name string) log.TopicPartition {
	b.t.Helper()
	_, err := b.log.Admin().Ensure(b.ctx, log.TopicSpec{Name: name, Compact: true, MinLag: time.Nanosecond})
	b.must(err)
	return log.TopicPartition{Topic: name}
}

func (b *lab) writer(id string) log.Writer {
	b.t.Helper()
	w, err := b.log.Writer(b.ctx, id)
	b.must(err)
	b.t.Cleanup(func() { w.Close() })
	return w
}

// put commits records of a key each.
func (b *lab) put(w log.Writer, tp log.TopicPartition, from, n int) {
	b.t.Helper()
	for i := range n {
		b.must(w.Append(b.ctx, log.Record{TopicPartition: tp, Key: fmt.Append(nil, "key ", from+i), Value: fmt.Append(nil, "value ", from+i)}))
	}
	b.must(w.Commit(b.ctx, nil))
}

// abort takes n offsets that nothing will lie at.
func (b *lab) abort(w log.Writer, tp log.TopicPartition, n int) {
	b.t.Helper()
	for i := range n {
		b.must(w.Append(b.ctx, log.Record{TopicPartition: tp, Key: fmt.Append(nil, "aborted ", i)}))
	}
	_, err := w.Flush(b.ctx)
	b.must(err)
	b.must(w.Abort(b.ctx))
}

func (b *lab) ends(tp log.TopicPartition) log.Ends {
	b.t.Helper()
	e, _, err := b.log.Bounds(tp)
	b.must(err)
	return e
}

// own reads a partition as the log's own reader does.
func (b *lab) own(tp log.TopicPartition, bounds log.Ends) (all []log.Record) {
	b.t.Helper()
	b.must(log.Scan(b.ctx, b.log, tp, bounds, func(r *log.Record) error {
		c := *r
		c.Key, c.Value = clone(r.Key), clone(r.Value)
		c.Headers = nil
		for _, h := range r.Headers {
			c.Headers = append(c.Headers, log.Header{Key: h.Key, Value: clone(h.Value)})
		}
		c.Time = time.UnixMilli(r.Time.UnixMilli())
		all = append(all, c)
		return nil
	}))
	return all
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func (b *lab) client(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(b.server.Addr().String()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(time.Second)}, opts...)
	c, err := kgo.NewClient(opts...)
	b.must(err)
	b.t.Cleanup(c.Close)
	return c
}

// foreign reads a partition as franz-go does, until an offset is reached.
func (b *lab) foreign(tp log.TopicPartition, from, to int64, opts ...kgo.Opt) (all []log.Record) {
	b.t.Helper()
	opts = append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{tp.Topic: {tp.Partition: kgo.NewOffset().At(from)}}), kgo.KeepControlRecords())
	c := b.client(opts...)
	for at := from; at < to; {
		fs := c.PollFetches(b.ctx)
		b.must(fs.Err())
		fs.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			if !r.Attrs.IsControl() {
				all = append(all, ours(r))
			}
		})
	}
	return all
}

func ours(r *kgo.Record) log.Record {
	c := log.Record{TopicPartition: log.TopicPartition{Topic: r.Topic, Partition: r.Partition}, Offset: r.Offset, Time: r.Timestamp, Key: clone(r.Key), Value: clone(r.Value)}
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, log.Header{Key: h.Key, Value: clone(h.Value)})
	}
	return c
}

// wire is a client that says byte for byte what it is told to.
type wire struct {
	net.Conn
	t testing.TB
	n int32
}

func (b *lab) dial() *wire {
	b.t.Helper()
	n, err := net.Dial("tcp", b.server.Addr().String())
	b.must(err)
	b.t.Cleanup(func() { n.Close() })
	b.must(n.SetDeadline(time.Now().Add(3 * time.Minute)))
	return &wire{Conn: n, t: b.t}
}

// send writes one request.
func (w *wire) send(r kmsg.Request) {
	w.t.Helper()
	w.n++
	head := binary.BigEndian.AppendUint16(nil, uint16(r.Key()))
	head = binary.BigEndian.AppendUint16(head, uint16(r.GetVersion()))
	head = binary.BigEndian.AppendUint32(head, uint32(w.n))
	head = append(head, 0, 1, 'x')
	if r.IsFlexible() {
		head = append(head, 0)
	}
	w.raw(r.AppendTo(head))
}

// raw writes a frame.
func (w *wire) raw(frame []byte) {
	w.t.Helper()
	if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		w.t.Fatal(err)
	}
}

// receive reads one answer; nil if the connection was closed instead.
func (w *wire) receive() []byte {
	w.t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(w, size[:]); err != nil {
		if errors.Is(err, io.EOF) || isReset(err) {
			return nil
		}
		w.t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(w, answer); err != nil {
		w.t.Fatal(err)
	}
	return answer
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// ask sends a request and reads its answer.
func ask[R kmsg.Response](w *wire, r kmsg.Request) R {
	w.t.Helper()
	w.send(r)
	raw := w.receive()
	if raw == nil {
		w.t.Fatalf("%s version %d: the connection was closed", kmsg.NameForKey(r.Key()), r.GetVersion())
	}
	if n := int32(binary.BigEndian.Uint32(raw)); n != w.n {
		w.t.Fatalf("answer to request %d, sent was %d", n, w.n)
	}
	body := raw[4:]
	answer := r.ResponseKind()
	answer.SetVersion(r.GetVersion())
	if answer.IsFlexible() && r.Key() != int16(kmsg.ApiVersions) {
		body = body[1:]
	}
	if err := answer.ReadFrom(body); err != nil {
		w.t.Fatalf("%s version %d: %v", kmsg.NameForKey(r.Key()), r.GetVersion(), err)
	}
	return answer.(R)
}
