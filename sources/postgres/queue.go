package postgres

import (
	"context"
	"sync"
	"time"
)

// A queue carries batches from the owner goroutine and the snapshot workers to
// Next, bounded in number and bytes (I9), and carries the empty ones back.
type queue struct {
	ready    chan *batch
	free     chan *batch
	maxBytes int64

	mu    sync.Mutex
	bytes int64         // of all batches put and not yet given back
	room  chan struct{} // closed, and made anew, when bytes went down
}

func newQueue(c *Config) *queue {
	return &queue{
		ready:    make(chan *batch, c.QueueBatches),
		free:     make(chan *batch, c.QueueBatches+4),
		maxBytes: c.QueueBytes,
		room:     make(chan struct{}),
	}
}

// A heart is what a producer does while it waits for room: the owner of the
// replication connection keeps answering the server (P31). The zero heart does
// nothing.
type heart struct {
	due  func() <-chan time.Time // when the next beat is due
	wake <-chan struct{}         // or earlier
	beat func() error
}

// wait waits for ready to be closed or ctx to end, beating meanwhile.
func (h *heart) wait(ctx context.Context, ready <-chan struct{}) error {
	for {
		select {
		case <-ready:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-h.wake:
		case <-h.timer():
		}
		if err := h.beat(); err != nil {
			return err
		}
	}
}

func (h *heart) timer() <-chan time.Time {
	if h.due == nil {
		return nil
	}
	return h.due()
}

// get gives an empty batch.
func (q *queue) get() *batch {
	select {
	case b := <-q.free:
		return b
	default:
		return newBatch()
	}
}

// put hands over a batch, waiting for room. After an error the batch is still
// the caller's, and nothing is counted for it.
func (q *queue) put(ctx context.Context, b *batch, h heart) error {
	b.memory = int64(b.size())
	for {
		room, ok := q.reserve(b.memory)
		if ok {
			break
		}
		if err := h.wait(ctx, room); err != nil {
			return err
		}
	}
	for {
		var err error
		select {
		case q.ready <- b:
			return nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-h.wake:
			err = h.beat()
		case <-h.timer():
			err = h.beat()
		}
		if err != nil {
			q.release(b.memory)
			return err
		}
	}
}

// reserve counts n bytes in, or gives what to wait for. One batch always fits,
// however large it is.
func (q *queue) reserve(n int64) (<-chan struct{}, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > 0 && q.bytes+n > q.maxBytes {
		return q.room, false
	}
	q.bytes += n
	return nil, true
}

// release counts n bytes out.
func (q *queue) release(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= n
	close(q.room)
	q.room = make(chan struct{})
}

// recycle takes back a batch that the consumer is done with.
func (q *queue) recycle(b *batch) {
	q.release(b.memory)
	b.reset()
	select {
	case q.free <- b:
	default: // made for a peak; let it go
	}
}

// fill is how full the queue is, in batches and bytes.
func (q *queue) fill() (batches int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready), q.bytes
}
