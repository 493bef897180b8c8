package pipeline

import "context"

// A Source reads the changes of one database, or of topics, in commit order.
//
// One goroutine calls Open, then Next and Ack in turn, then Close; Close may
// also be called from another goroutine and ends a waiting Next. A source that
// returned an error other than a context's is closed and made anew.
type Source interface {
	// Open connects and prepares to go on from the given place; the zero Resume
	// means: begin with the snapshot. It checks that the place is one of this
	// very source and that nothing in between is lost, and refuses otherwise.
	// It may be called once.
	Open(ctx context.Context, from Resume) error

	// Next gives the next batch, waiting for it until ctx ends; nothing is lost
	// by a call that ended with ctx, and what is ready is given even if ctx has
	// ended. It is io.EOF when a bounded source is done.
	// The batch is valid until the next call.
	Next(ctx context.Context) (Batch, error)

	// Ack says that everything up to and including durable is committed
	// downstream; the upstream may forget it. Acks never go back. It does not
	// wait for the upstream.
	Ack(ctx context.Context, durable Position) error

	// Reached reports whether native position have lies at or behind want.
	// Positions of other sources, or malformed ones, are an error.
	Reached(have, want string) (bool, error)

	// Close ends the source and frees what it holds upstream for its own use
	// (connections, not slots). It may be called again.
	Close() error
}
