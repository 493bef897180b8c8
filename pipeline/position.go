package pipeline

import "fmt"

// A Position is the place of a source transaction. Seq is Evert's own count of
// the transactions of this source: it goes on from the last frontier record, so
// that a transaction that is read again gets the same number, and it orders
// positions totally. Native is the source's word for the place (an LSN, a GTID
// set, file:pos); it is shown to people and handed back to the source, and
// never ordered by its bytes.
//
// The zero Position lies before the first transaction: the snapshot is not
// complete.
type Position struct {
	Seq    uint64
	Native string
}

// IsZero reports whether p lies before the first transaction.
func (p Position) IsZero() bool { return p == Position{} }

// String prints p for logs.
func (p Position) String() string { return fmt.Sprintf("%s #%d", p.Native, p.Seq) }

// A Resume says where to go on, and what a source needs to know for that. It is
// committed with the effect of what was read (I1).
//
// Rows counts the changes of the transaction after At that lie before this
// place, as Change.Row numbers them: a source may count those of tables that are
// not captured too, so that the count does not depend on which ones are. It is 0
// between transactions; more inside a transaction that is too large for one
// commit, whose source re-reads it and leaves out that many (I3).
type Resume struct {
	At    Position
	Rows  uint64
	State []byte // the source's own: its identity, snapshot progress, open transactions
}

// Whole reports whether r lies between transactions of a source whose snapshot
// is complete: only there may a frontier record lie (I3).
func (r Resume) Whole() bool { return !r.At.IsZero() && r.Rows == 0 }

// IsZero reports whether nothing was read yet: begin with the snapshot.
func (r Resume) IsZero() bool { return r.At.IsZero() && r.Rows == 0 && len(r.State) == 0 }
