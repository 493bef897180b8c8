package registry

import "context"

// A Registry gives schemas ids that are the same for everyone who reads a
// topic. It is safe for concurrent use.
type Registry interface {
	// Register gives the id of this schema text under subject. The same text has
	// the same id however often and under whatever subject it is registered. A
	// schema that is not compatible with the subject's earlier ones is refused
	// with an ErrIncompatible.
	Register(ctx context.Context, subject, schema string) (id int, err error)

	// Schema gives the text with this id, or an ErrNotFound.
	Schema(ctx context.Context, id int) (string, error)
}
