package kafka

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kgo"
)

// assignTimeout bounds the question for the leaders in Assign.
const assignTimeout = 30 * time.Second

// Reader implements log.Reader with fetches of its own.
//
//	fetcher ──► deliveries ──► queue ──► Next
//	                             │  a partition at its limit
//	                             └──► parked ──► queue, when the limits change
type Reader struct {
	log    *Log
	cl     *kgo.Client
	level  kgo.IsolationLevel
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex // Assign against Close
	closed bool
	a      *assignment

	// Owned by the goroutine that uses the reader.
	pos     log.Offsets
	limits  log.Offsets
	queue   []*result
	parked  []*result
	records []log.Record // of the last Fetch
	headers []log.Header
	failed  error
}

var _ log.Reader = (*Reader)(nil)

// committed reports whether r sees committed records only (K10).
func (r *Reader) committed() bool { return r.level == kgo.ReadCommitted() }

// Reader makes a reader. It costs no request before Assign.
func (l *Log) Reader(context.Context) (log.Reader, error) { return l.reader(kgo.ReadCommitted()) }

// Uncommitted makes a reader that sees open and aborted records too; its stable
// end is the end. It serves whoever wrote them and wants to see his own.
func (l *Log) Uncommitted(context.Context) (log.Reader, error) {
	return l.reader(kgo.ReadUncommitted())
}

func (l *Log) reader(level kgo.IsolationLevel) (log.Reader, error) {
	cl, err := l.client()
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	r := &Reader{log: l, cl: cl, level: level}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// Assign replaces the assignment and forgets the limits.
func (r *Reader) Assign(from log.Offsets) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return log.ErrClosed
	}
	if r.a != nil {
		r.a.stop()
		r.a = nil
	}
	r.pos, r.limits, r.queue, r.parked, r.failed = maps.Clone(from), nil, nil, nil, nil
	ctx, cancel := context.WithTimeout(r.ctx, assignTimeout)
	defer cancel()
	parts, err := r.log.locate(ctx, r.cl, from)
	if err != nil {
		r.failed = err
		return err
	}
	r.a = startAssignment(r, parts)
	return nil
}

// Limit bounds the reading. What was fetched beyond the limits is kept for the
// next ones.
func (r *Reader) Limit(to log.Offsets) {
	r.limits = maps.Clone(to)
	r.queue = append(r.parked, r.queue...)
	r.parked = nil
}

// Next waits for progress.
func (r *Reader) Next(ctx context.Context, max int) (log.Fetch, error) {
	for {
		if r.failed != nil {
			return log.Fetch{}, r.failed
		}
		if r.ctx.Err() != nil {
			return log.Fetch{}, log.ErrClosed
		}
		if t := r.ready(); t != nil {
			return r.hand(t, max), nil
		}
		if r.finished() {
			return log.Fetch{}, io.EOF
		}
		if err := r.receive(ctx); err != nil {
			return log.Fetch{}, err
		}
	}
}

// receive waits for the next delivery.
func (r *Reader) receive(ctx context.Context) error {
	select {
	case d := <-r.a.deliveries:
		r.queue = append(r.queue, d.results...)
	case r.failed = <-r.a.failed:
	case <-r.ctx.Done():
		return log.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// ready gives the first result below its limit, and parks those at theirs.
func (r *Reader) ready() *result {
	for len(r.queue) > 0 {
		t := r.queue[0]
		if r.pos[t.part.TopicPartition] < r.limit(t.part.TopicPartition) {
			return t
		}
		r.queue = r.queue[1:]
		r.parked = append(r.parked, t)
		t.detach()
	}
	return nil
}

func (r *Reader) limit(tp log.TopicPartition) int64 {
	if to, ok := r.limits[tp]; ok {
		return to
	}
	return math.MaxInt64
}

func (r *Reader) finished() bool {
	for tp, at := range r.pos {
		if at < r.limit(tp) {
			return false
		}
	}
	return true
}

// hand gives up to max records of the first result in the queue.
func (r *Reader) hand(t *result, max int) log.Fetch {
	tp := t.part.TopicPartition
	limit := r.limit(tp)
	n := 0
	for n < len(t.records) && n < max && t.records[n].Offset < limit {
		n++
	}
	r.convert(tp, t.records[:n])
	t.records = t.records[n:]
	next := t.next
	if len(t.records) > 0 {
		next = t.records[0].Offset // nothing lies between
	}
	next = min(next, limit)
	r.pos[tp] = next
	if next == t.next {
		r.queue = r.queue[1:]
		t.finish(r.a)
	}
	return log.Fetch{TopicPartition: tp, Records: r.records, Next: next, Stable: t.stable, Start: t.start}
}

// convert fills r.records. The bytes are those of the response.
func (r *Reader) convert(tp log.TopicPartition, from []*kgo.Record) {
	r.records, r.headers = r.records[:0], r.headers[:0]
	for _, k := range from {
		at := len(r.headers)
		for i := range k.Headers {
			r.headers = append(r.headers, log.Header{Key: k.Headers[i].Key, Value: k.Headers[i].Value})
		}
		r.records = append(r.records, log.Record{
			TopicPartition: tp, Offset: k.Offset, Time: k.Timestamp, Key: k.Key, Value: k.Value,
			Headers: r.headers[at:len(r.headers):len(r.headers)],
		})
	}
}

// Close ends a waiting Next and waits for the fetchers.
func (r *Reader) Close() error {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.a != nil {
		r.a.stop()
	}
	r.cl.Close()
	return nil
}
