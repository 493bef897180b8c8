package pipeline

import "context"

// A Sink takes batches and makes them durable at commit points.
//
// One goroutine calls Open, then Write and Commit in turn, then Close. A sink
// that returned an error is closed and made anew: whether the commit happened
// is found out by Open (I1).
type Sink interface {
	// Open takes ownership from any older holder, settles what that left open,
	// and says where the sink's own committed effects end. Zero: it has none.
	Open(ctx context.Context) (Resume, error)

	// Write takes a batch; the sink may buffer it, copying what it keeps. No
	// effect of it is visible before Commit.
	Write(ctx context.Context, b Batch) error

	// Commit returns when everything that was written is durable and visible,
	// and at with it, in one atomic step (I1). An error leaves the outcome open.
	Commit(ctx context.Context, at Resume) error

	// Close drops what was written and not committed, and frees everything. It
	// may be called again.
	Close() error
}
