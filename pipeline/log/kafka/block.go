package kafka

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The size of a block: about what one produce request of a narrow table takes.
const (
	blockRecords = 512
	blockHeaders = 2 * blockRecords
	blockBytes   = 256 << 10
)

// A block holds copies of records until they are acknowledged: one allocation
// for hundreds. Every record in it points to it by its Context.
//
//	holders = records not yet acknowledged + 1 while the writer fills it
//
// Whoever takes the last hold gives the block back to the pool. A block whose
// records failed is never given back: the client may still look at it.
type block struct {
	context.Context // Background; a record's life is the writer's, not a caller's
	records         []kgo.Record
	headers         []kgo.RecordHeader
	bytes           []byte
	holders         atomic.Int32
}

// arena makes records. One goroutine adds, another releases.
type arena struct {
	pool sync.Pool
	now  *block // being filled; owned by the adding goroutine
}

// add copies r. What does not fit into a block gets memory of its own.
func (a *arena) add(r *log.Record, at time.Time) *kgo.Record {
	b := a.room(len(r.Key)+len(r.Value)+headerBytes(r.Headers), len(r.Headers))
	b.records = append(b.records, kgo.Record{
		Topic: r.Topic, Partition: r.Partition, Timestamp: at, Context: b,
		Key: b.copy(r.Key), Value: b.copy(r.Value), Headers: b.copyHeaders(r.Headers),
	})
	b.holders.Add(1)
	return &b.records[len(b.records)-1]
}

func headerBytes(hs []log.Header) (n int) {
	for i := range hs {
		n += len(hs[i].Value)
	}
	return n
}

// room gives a block that takes one more record without moving the others.
func (a *arena) room(bytes, headers int) *block {
	b := a.now
	full := b == nil || len(b.records) == cap(b.records) || len(b.headers)+headers > cap(b.headers) ||
		len(b.bytes)+bytes > cap(b.bytes)
	if !full {
		return b
	}
	if b != nil {
		a.release(b)
	}
	a.now = a.take(bytes, headers)
	return a.now
}

func (a *arena) take(bytes, headers int) *block {
	if bytes > blockBytes || headers > blockHeaders {
		b := &block{Context: context.Background(), records: make([]kgo.Record, 0, 1)}
		b.bytes, b.headers = make([]byte, 0, bytes), make([]kgo.RecordHeader, 0, headers)
		b.holders.Store(1)
		return b
	}
	b, ok := a.pool.Get().(*block)
	if !ok {
		b = &block{
			Context: context.Background(), records: make([]kgo.Record, 0, blockRecords),
			headers: make([]kgo.RecordHeader, 0, blockHeaders), bytes: make([]byte, 0, blockBytes),
		}
	}
	b.holders.Store(1)
	return b
}

// release takes one hold off b.
func (a *arena) release(b *block) {
	if b.holders.Add(-1) > 0 || cap(b.records) != blockRecords {
		return
	}
	clear(b.records)
	b.records, b.headers, b.bytes = b.records[:0], b.headers[:0], b.bytes[:0]
	a.pool.Put(b)
}

// copy keeps the difference between nil, a tombstone, and empty.
func (b *block) copy(v []byte) []byte {
	if v == nil {
		return nil
	}
	at := len(b.bytes)
	b.bytes = append(b.bytes, v...)
	return b.bytes[at:len(b.bytes):len(b.bytes)]
}

func (b *block) copyHeaders(hs []log.Header) []kgo.RecordHeader {
	if len(hs) == 0 {
		return nil
	}
	at := len(b.headers)
	for i := range hs {
		b.headers = append(b.headers, kgo.RecordHeader{Key: hs[i].Key, Value: b.copy(hs[i].Value)})
	}
	return b.headers[at:len(b.headers):len(b.headers)]
}

// room counts what a writer may still buffer. One goroutine takes, others give.
type room struct {
	records, bytes atomic.Int64 // taken
	maxRecords     int64
	maxBytes       int64
	waiting        atomic.Bool   // somebody has found no room, and looks once more
	freed          chan struct{} // capacity 1
}

func newRoom(records, bytes int) *room {
	return &room{maxRecords: int64(records), maxBytes: int64(bytes), freed: make(chan struct{}, 1)}
}

// take waits for room for a record of n bytes. A record above all bounds goes
// alone.
func (r *room) take(ctx context.Context, n int) error {
	for !r.try(n) {
		r.waiting.Store(true) // before the second look: what is given behind it is told
		if r.try(n) {
			return nil
		}
		select {
		case <-r.freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// try is for the one who takes: between its look and its taking the others only give.
func (r *room) try(n int) bool {
	records, bytes := r.records.Load(), r.bytes.Load()
	if records > 0 && (records >= r.maxRecords || bytes+int64(n) > r.maxBytes) {
		return false
	}
	r.records.Add(1)
	r.bytes.Add(int64(n))
	return true
}

func (r *room) give(n int) {
	bytes, records := r.bytes.Add(-int64(n)), r.records.Add(-1)
	if !r.waiting.Load() || records > r.maxRecords*wakeAt/100 || bytes > r.maxBytes*wakeAt/100 {
		return
	}
	r.waiting.Store(false)
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// wakeAt is how full a room is, in percent, when who waits for it is woken: not for each
// record that was acknowledged. All that was taken is given some time.
const wakeAt = 75
