package handover

import (
	"context"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A Pace holds all who share it to a rate in bytes per second together. Rate 0 is no
// limit.
type Pace struct {
	Rate int64

	mu   sync.Mutex
	next time.Time // when the next byte may pass
}

// paceGrain is how far somebody may run ahead, so that nobody sleeps per row.
const paceGrain = 20 * time.Millisecond

// Wait lets n bytes pass, or ends with ctx.
func (p *Pace) Wait(ctx context.Context, n int) error {
	if p.Rate <= 0 {
		return nil
	}
	ahead := p.Take(n, time.Now())
	if ahead < paceGrain {
		return nil
	}
	return pipeline.Pause(ctx, ahead)
}

// Take books n bytes and says how far that is ahead of now. Fewer than none take back what
// was booked and did not come.
func (p *Pace) Take(n int, now time.Time) time.Duration {
	if p.Rate <= 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	ahead := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(int64(n) * int64(time.Second) / p.Rate))
	return ahead
}
