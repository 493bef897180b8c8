package pipeline

import (
	"context"

	"github.com/evertdb/evert/schema"
)

// A Copier is a Source that copies tables while it streams: again, because it was
// asked to, or for the first time, because they came later or are large.
//
// A copy is announced in the stream of batches. From the batch whose Copies say that
// it begins, the table's rows come anew: the rows of its chunks as changes with Op
// Read, and what is committed meanwhile as ever. Both come in an order in which, per
// key, the last one is what the source has (I4): a row of a chunk that a transaction
// behind it replaced is left out, and gives that one nothing: a value that is unknown
// there is read again, and the row may be gone by then. Chunks lie between transactions; the Tx of their rows has the
// position of the last whole transaction before them. The batch whose Copies say
// that it is done comes behind the last of its rows; keys that had no row in between
// are gone from the source.
//
// How far a copy came is in Resume.State, so that a source that is made anew goes on
// with the chunk that was not committed.
type Copier interface {
	Source

	// Copy asks for a copy of a table, named as schema.table. It does not wait for
	// it, and may be called by any goroutine, after Open. A request that was begun
	// or done before, by its ID, changes nothing; another one for a table that is
	// being copied begins it again. The refusal says why a table cannot be copied; what
	// is found only when the copy is to begin stops the table instead, by a TableStop
	// with the request's ID.
	Copy(ctx context.Context, r CopyRequest) error
}

// A CopyRequest asks for a copy of a table.
type CopyRequest struct {
	ID    string // tells it from every other request for the same table, over restarts
	Table string // schema.table, in the catalog's case
}

// A TableCopy says that the copy of a table begins, or is done.
type TableCopy struct {
	Table *schema.Table
	ID    string // of the request; empty if the source began it by itself
	Done  bool

	// Origin is the table of the source whose copy it is; nil: Table. A source leaves
	// it out.
	Origin *schema.Table

	// Routed: the rows of Table name the tables that they go to, and none is known in
	// this run, as in TableStop. A source leaves it out.
	Routed bool

	// Also says of other tables whether rows of it may have gone to them in an
	// earlier run, as in TableStop; nil: none. A source leaves it out.
	Also func(schema, table string) bool

	// Adds says, where it begins, that rows of other tables lie beside its own:
	// nothing is superseded, and keys without a row are not gone. A source leaves it
	// out.
	Adds bool
}

// Of gives the table of the source whose copy it is.
func (c *TableCopy) Of() *schema.Table {
	if c.Origin != nil {
		return c.Origin
	}
	return c.Table
}
