package pipeline

import "context"

// A Transform changes a batch on its way: it may change, drop and add changes,
// but keeps the batch's End and the order of changes of a key (I4). It is
// called by one goroutine. The batch it returns may share memory with the one
// it was given and is valid as long.
type Transform interface {
	Apply(ctx context.Context, b Batch) (Batch, error)
}
