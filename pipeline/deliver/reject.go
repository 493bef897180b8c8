package deliver

import (
	"context"

	"github.com/evertdb/evert/pipeline"
)

// A Rejection is a change that a system does not take because of what it is: it
// will not take it the next time either.
type Rejection struct {
	Place Place
	Why   *pipeline.Refusal // where, what, and the mend; no row value
}

// Rejects decides what becomes of rejected changes.
type Rejects interface {
	// Reject keeps the rejected changes durably, with the bytes of their records,
	// and returns nil: the target goes on as though they had been written. An error
	// means that the target stops with it: the policy is to stop, or they could not
	// be kept (S16). It may be told of the same change again after a crash.
	Reject(ctx context.Context, rejected ...Rejection) error
}

// Stop is the policy to stop at the first rejected change.
type Stop struct{}

// Reject implements Rejects.
func (Stop) Reject(_ context.Context, rejected ...Rejection) error {
	if len(rejected) == 0 {
		return nil
	}
	return &Halt{Place: rejected[0].Place, Err: rejected[0].Why}
}
