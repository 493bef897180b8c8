package postgres

import (
	"context"
	"sync"
	"time"
)

// A pace holds the workers of a snapshot to a rate in bytes per second over all
// of them. Rate 0 is no limit.
type pace struct {
	rate int64

	mu   sync.Mutex
	next time.Time // when the next byte may pass
}

// paceGrain is how far a worker may run ahead, so that it does not sleep per row.
const paceGrain = 20 * time.Millisecond

// wait lets n bytes pass.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.rate <= 0 {
		return nil
	}
	ahead := p.take(n, time.Now())
	if ahead < paceGrain {
		return nil
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take books n bytes and says how far that is ahead of now.
func (p *pace) take(n int, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	ahead := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(int64(n) * int64(time.Second) / p.rate))
	return ahead
}
