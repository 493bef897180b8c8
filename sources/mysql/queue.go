package mysql

import (
	"context"
	"sync"
)

// A queue carries batches from the goroutines that read to Next, bounded in number and
// bytes (I9), and carries the empty ones back.
type queue struct {
	ready chan *batch
	free  chan *batch
	most  int64

	mu    sync.Mutex
	bytes int64         // of all batches put and not yet given back
	room  chan struct{} // closed, and made anew, when bytes went down
}

func newQueue(c *Config) *queue {
	return &queue{ready: make(chan *batch, c.QueueBatches), free: make(chan *batch, c.QueueBatches+4), most: c.QueueBytes, room: make(chan struct{})}
}

// get gives an empty batch.
func (q *queue) get() *batch {
	select {
	case b := <-q.free:
		return b
	default:
		return &batch{}
	}
}

// put hands over a batch, waiting for room. After an error the batch is still the
// caller's.
func (q *queue) put(ctx context.Context, b *batch) error {
	b.memory = int64(b.size())
	for {
		room, ok := q.reserve(b.memory)
		if ok {
			break
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case q.ready <- b:
		return nil
	case <-ctx.Done():
		q.release(b.memory)
		return context.Cause(ctx)
	}
}

// reserve counts n bytes in, or gives what to wait for. One batch always fits, however
// large it is.
func (q *queue) reserve(n int64) (<-chan struct{}, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > 0 && q.bytes+n > q.most {
		return q.room, false
	}
	q.bytes += n
	return nil, true
}

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

// fill is how many bytes lie in the queue.
func (q *queue) fill() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}
