package view

import (
	"context"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/schema"
)

// An Engine runs a plan. One goroutine uses it.
type Engine interface {
	// Begin opens an epoch over the state as r reads it; a nil r is an empty
	// state. What changes goes into w.
	Begin(r dataflow.Reader, w dataflow.Writer) (Epoch, error)
	// Result gives the row of a key of the view as r reads it; it is valid until
	// the next call.
	Result(r dataflow.Reader, key schema.Row) (row schema.Row, ok bool, err error)
}

// An Epoch takes the rows of a plan's inputs, by their places in Plan.Inputs. It
// copies what it keeps. One goroutine uses it.
type Epoch interface {
	// Upsert says what the row with its key is now: the carried columns, in
	// their order.
	Upsert(input int, row schema.Row) error
	// Delete says that no row has the key, whose columns are in key order.
	Delete(input int, key schema.Row) error
	// Clear says that the rows of the input are gone: those of the state and
	// those of this epoch so far.
	Clear(input int) error
	// Finish gives each changed row of the result once, in any order. What an
	// epoch that failed has written must not be kept.
	Finish(ctx context.Context, emit func(dataflow.Change) error) error
	// Close drops the epoch. It may be called again.
	Close() error
}

// A State is the local keyed store of one version of a view: a cache of the
// committed log. One goroutine uses it, but for snapshots.
type State interface {
	// Progress is what the last Commit was given; nil if nothing was committed.
	Progress() []byte
	// Begin opens a batch over the state as it is. There is at most one.
	Begin() (Batch, error)
	// Snapshot is the state as it is now, for any goroutine.
	Snapshot() (Snapshot, error)
	// Sorter makes a sorter that spills beside the state.
	Sorter() (dataflow.Sorter, error)
	// Bytes is what the state occupies.
	Bytes() int64
	// Close frees it; after ErrDamaged it puts it aside, and after ErrDead it has nothing
	// more to say.
	Close() error
}

// A Batch is what one epoch changes. Reading it sees the state as Begin found it.
type Batch interface {
	dataflow.Reader
	dataflow.Writer
	// Bytes is about what the batch occupies so far.
	Bytes() int64
	// Commit applies the batch, and progress with it, in one step.
	Commit(progress []byte) error
	// Discard drops it; after a Commit it does nothing.
	Discard() error
}

// A Snapshot reads a state as it was at one moment. One goroutine at a time uses
// it.
type Snapshot interface {
	// Get gives the value of key; it is valid until the next call.
	Get(key []byte) (value []byte, ok bool, err error)
	// Scan goes over the keys from low, inclusive, to high, exclusive, in byte
	// order or backward.
	Scan(low, high []byte, backward bool) (dataflow.Cursor, error)
	// Close frees it.
	Close() error
}

// States are the places where the versions of one view's state lie.
type States interface {
	// Open opens the state of a version, made if there is none or if what lies
	// there is of something else. ErrDamaged says that what lay there could not
	// be trusted and was put aside; opening again begins an empty one. When that
	// happens twice it is a refusal.
	Open(hash string) (State, error)
	// Versions are those that something lies of, but for what was put aside.
	Versions() ([]string, error)
	// Remove deletes a version's state; nobody has it open.
	Remove(hash string) error
}
