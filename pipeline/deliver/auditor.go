package deliver

import (
	"context"

	"github.com/evertdb/evert/pipeline"
)

// An Auditor compares what a system holds with what it should hold, for
// `evert verify SINK`. While it is used the sink rests at a cut and writes
// nothing, so the system stands still but for what others do to it.
//
//	topic up to the cut ─► transforms ─► Expect ─┐
//	                                             ├─ by id: missing, left over, different ─► Repair
//	the system ────────────────────► Contents ───┘
//
// A kind of sink offers one beside its Target, on a connection of its own. One
// goroutine uses it.
type Auditor interface {
	// Expect gives what the system should hold because of a change: the id by
	// which it knows the row (a document's id, the key's values) and, for an
	// Update, its form. Two forms are equal exactly if the system holds the same;
	// what it adds by itself (a time of indexing) and what it does not keep (the
	// order of an object's names) is not in the form. For a Delete the form is nil.
	// Both are valid until the next call. A row that the system does not take is a
	// Refusal: it is counted, and with an id the system is to hold nothing of it.
	Expect(c *pipeline.Change) (id, form []byte, err error)

	// Contents calls emit for everything that readers see, in any order and each
	// once, with the same ids and forms. emit keeps neither; its error ends the
	// reading and is given back.
	Contents(ctx context.Context, emit func(id, form []byte) error) error

	// Repair brings these ids to what they should be, durably, and leaves all
	// others alone. It outranks whatever was written over them (see Place.Version)
	// and is outranked by the next record of the key.
	Repair(ctx context.Context, fixes []Fix) error

	// Close frees it. It may be called again.
	Close() error
}

// A Namer is an Auditor whose ids are not texts.
type Namer interface {
	// Name writes an id for people.
	Name(id []byte) string
}

// A Fix is what one id should be.
type Fix struct {
	ID     []byte
	Change *pipeline.Change // the newest of the topic: an Update or a Delete; nil: the topic has never known the id, which has to go
}
