package supervise

import (
	"sync/atomic"
	"time"
)

// A Beat is when a loop last turned. The zero value rests. It may be used by many goroutines.
type Beat struct{ at atomic.Int64 } // in nanoseconds; zero while it rests

// Turned notes that the loop turns now.
func (b *Beat) Turned(now time.Time) { b.at.Store(now.UnixNano()) }

// Rests notes that the loop has ended, or is to stand still.
func (b *Beat) Rests() { b.at.Store(0) }

// Still reports for how long the loop has not turned; zero while it rests.
func (b *Beat) Still(now time.Time) time.Duration {
	if at := b.at.Load(); at != 0 {
		return now.Sub(time.Unix(0, at))
	}
	return 0
}
