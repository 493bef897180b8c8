package pipeline

import (
	"context"
	"time"
)

// Pause waits for d, or gives why ctx ended before. It may be called from any goroutine.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
