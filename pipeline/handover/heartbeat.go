package handover

import (
	"context"
	"time"
)

// A Heartbeat is what a producer does while it waits: the owner of a connection
// keeps answering the server (P31). The zero Heartbeat does nothing.
type Heartbeat struct {
	Due  func() <-chan time.Time // when the next beat is due
	Wake <-chan struct{}         // or earlier
	Beat func() error            // its error ends the wait
}

// Wait waits for ready to be closed or ctx to end, beating meanwhile.
func (h *Heartbeat) Wait(ctx context.Context, ready <-chan struct{}) error {
	for {
		select {
		case <-ready:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-h.Wake:
		case <-h.timer():
		}
		if err := h.Beat(); err != nil {
			return err
		}
	}
}

func (h *Heartbeat) timer() <-chan time.Time {
	if h.Due == nil {
		return nil
	}
	return h.Due()
}
