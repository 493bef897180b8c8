package supervise

import (
	"math/rand/v2"
	"time"
)

// A Backoff is a growing, jittered pause (O13). One goroutine uses it.
type Backoff struct {
	Min  time.Duration  // the first pause
	Max  time.Duration  // the longest
	Rand func() float64 // in [0, 1); rand.Float64 if nil
	next time.Duration  // the bound of the next pause; 0 means Min
}

// Next gives the next pause: between half of a bound and the bound, which
// doubles up to Max.
func (b *Backoff) Next() time.Duration {
	bound := max(b.next, b.Min)
	b.next = min(2*bound, b.Max)
	return b.jitter(min(bound, b.Max))
}

// Longest gives a pause at the upper bound, and stays there.
func (b *Backoff) Longest() time.Duration {
	b.next = b.Max
	return b.jitter(b.Max)
}

// Reset begins at Min again.
func (b *Backoff) Reset() { b.next = 0 }

func (b *Backoff) jitter(bound time.Duration) time.Duration {
	draw := b.Rand
	if draw == nil {
		draw = rand.Float64
	}
	return bound/2 + time.Duration(draw()*float64(bound/2))
}
