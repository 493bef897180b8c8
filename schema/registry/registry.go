package registry

import "context"

// A Registry gives schemas ids that are the same for everyone who reads a
// topic. It is safe for concurrent use.
type Registry interface {
	// Register gives the id of this schema under subject. The same schema has
	// the same id however often it is registered. One that is not compatible with
	// the subject's earlier ones is refused with an ErrIncompatible; if nothing
	// may be registered, with an ErrRefused.
	Register(ctx context.Context, subject, schema string) (id int, err error)

	// Lookup gives the id that the schema has under subject, or an ErrNotFound.
	Lookup(ctx context.Context, subject, schema string) (id int, err error)

	// Schema gives the text with this id, or an ErrNotFound.
	Schema(ctx context.Context, id int) (string, error)

	// Latest gives the newest schema of a subject, or an ErrNotFound.
	Latest(ctx context.Context, subject string) (id int, schema string, err error)

	// Delete takes the schemas from a subject, so that it begins anew. Their ids
	// keep their meaning. A subject that has none is no error.
	Delete(ctx context.Context, subject string) error
}

// A Memory knows what a registry answered before. A Registry may offer it; it
// asks nobody.
type Memory interface {
	// Knows reports whether the schema has an id under subject that was given out
	// or found since this process began, and the subject was not deleted since.
	Knows(subject, schema string) bool
}

// Knows asks a registry's memory, if it has one.
func Knows(r Registry, subject, schema string) bool {
	m, ok := r.(Memory)
	return ok && m.Knows(subject, schema)
}
