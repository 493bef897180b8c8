package handover

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// A Lifecycle is that of a source: opened once, running in goroutines of its own,
// and ended once, by the first error that needs a person or by Close. Its methods
// may be called from any goroutine.
type Lifecycle struct {
	Ended context.Context // of the goroutines; its cause is why the source ended
	end   context.CancelCauseFunc

	opening sync.Mutex // held by Open; what Open leaves, Close ends
	group   sync.WaitGroup
}

// NewLifecycle begins a lifecycle.
func NewLifecycle() *Lifecycle {
	l := &Lifecycle{}
	l.Ended, l.end = context.WithCancelCause(context.Background())
	return l
}

// Open calls open, with a context that ends with the source as well. Once the source
// has ended the error is why.
func (l *Lifecycle) Open(ctx context.Context, open func(context.Context) error) error {
	l.opening.Lock()
	defer l.opening.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.Ended, cancel)()
	if l.Ended.Err() != nil {
		return l.Why()
	}
	err := open(ctx)
	if err != nil && l.Ended.Err() != nil {
		return l.Why()
	}
	return err
}

// Go runs f in a goroutine that Close waits for. It is called within Open, or by such
// a goroutine.
func (l *Lifecycle) Go(f func()) { l.group.Go(f) }

// End ends the source. The first cause stays.
func (l *Lifecycle) End(why error) { l.end(why) }

// Why gives the error that ended the source; after Close it is io.ErrClosedPipe.
func (l *Lifecycle) Why() error { return context.Cause(l.Ended) }

// Close ends the source, waits for Open, calls wake if there is one, for goroutines
// that wait for something else than Ended, and waits for all of them. It may be called
// again.
func (l *Lifecycle) Close(wake func()) {
	l.end(io.ErrClosedPipe)
	l.opening.Lock()
	defer l.opening.Unlock()
	if wake != nil {
		wake()
	}
	l.group.Wait()
}

// Sleep waits for d, or until the source has ended: then the error is why.
func (l *Lifecycle) Sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.Ended.Done():
		return l.Why()
	}
}

// Backoff is how long to wait after an attempt in a row that failed, the first of
// which is 1: twice as long as after the one before, from 100 ms up to a limit, and
// somewhere in the upper half of it, so that many do not come back at once.
func Backoff(attempt int, limit time.Duration) time.Duration {
	pause := min(100*time.Millisecond<<min(attempt-1, 10), limit)
	return pause/2 + rand.N(pause/2+1)
}
