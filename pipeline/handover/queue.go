package handover

import (
	"context"
	"sync"
)

// Config says how much a Queue holds, and what its batches are like.
type Config struct {
	Batches int   // batches waiting for Next
	Bytes   int64 // or this many bytes of them

	Borrows bool             // values refer to memory besides their batch's, which is let go when the batch is taken back
	Weigh   func(*Batch) int // what Next gives as the Bytes of a batch
	Taken   func()           // called, if there is one, when Next takes a batch
}

// A Queue carries batches from the goroutines that read to Next, bounded in number
// and bytes (I9), and carries the empty ones back. Next has one caller at a time;
// everything else may be called from any goroutine.
type Queue struct {
	config Config
	ready  chan *Batch
	free   chan *Batch

	mu    sync.Mutex
	bytes int64         // of all batches put and not yet given back
	room  chan struct{} // closed, and made anew, when bytes went down

	// Owned by the caller of Next.
	taken   *Batch
	stage   int // how much of taken was handed over: 0 none, 1 its whole transactions
	numbers uint32
}

// New makes an empty queue.
func New(c Config) *Queue {
	return &Queue{config: c, ready: make(chan *Batch, c.Batches), free: make(chan *Batch, c.Batches+4), room: make(chan struct{})}
}

// Get gives an empty batch.
func (q *Queue) Get() *Batch {
	select {
	case b := <-q.free:
		return b
	default:
		return &Batch{borrows: q.config.Borrows}
	}
}

// Put hands over a batch, waiting for room. After an error the batch is still the
// caller's, and nothing is counted for it.
func (q *Queue) Put(ctx context.Context, b *Batch) error { return q.PutBeating(ctx, b, Heartbeat{}) }

// PutBeating is Put with a heartbeat while it waits.
func (q *Queue) PutBeating(ctx context.Context, b *Batch, h Heartbeat) error {
	b.memory = int64(b.Size())
	for {
		room, ok := q.reserve(b.memory)
		if ok {
			break
		}
		if err := h.Wait(ctx, room); err != nil {
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
		case <-h.Wake:
			err = h.Beat()
		case <-h.timer():
			err = h.Beat()
		}
		if err != nil {
			q.release(b.memory)
			return err
		}
	}
}

// reserve counts n bytes in, or gives what to wait for. One batch always fits,
// however large it is.
func (q *Queue) reserve(n int64) (<-chan struct{}, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > 0 && q.bytes+n > q.config.Bytes {
		return q.room, false
	}
	q.bytes += n
	return nil, true
}

// release counts n bytes out.
func (q *Queue) release(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= n
	close(q.room)
	q.room = make(chan struct{})
}

// recycle takes back a batch that the consumer is done with.
func (q *Queue) recycle(b *Batch) {
	q.release(b.memory)
	b.Reset()
	select {
	case q.free <- b:
	default: // made for a peak; let it go
	}
}

// Fill is how full the queue is: batches that wait for Next, and bytes of all that
// were not given back.
func (q *Queue) Fill() (batches int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready), q.bytes
}
