package pipeline

import (
	"time"

	"github.com/evertdb/evert/schema"
)

// Op says what a change did to its row.
type Op uint8

// The operations. Read is a row of a snapshot. An Update whose key changed
// carries the old key in Before. Truncate concerns a whole table and has no
// rows.
const (
	Read Op = iota + 1
	Create
	Update
	Delete
	Truncate
)

// String gives the letter that Debezium uses: r c u d t.
func (o Op) String() string {
	if o < Read || o > Truncate {
		return "?"
	}
	return "rcudt"[o-1 : o]
}

// A Tx names the source transaction of a change. All changes of a transaction
// carry the same Tx.
type Tx struct {
	Position Position  // where the transaction ends; zero during the snapshot
	ID       uint64    // the source's number of the transaction (xid); 0 in a snapshot
	Commit   uint64    // the source's numeric place of the commit (LSN); 0 if it has none
	At       time.Time // when it was committed, by the source's clock
	Name     string    // the source's name of it that is no number (a GTID); empty if it has none
	Server   uint32    // who committed it, where servers have numbers; else 0
	File     string    // of the source's log, where that has files

	Incarnation uint64 // of the history that Position counts in, where the source is a topic; 0 if it is not known
}

// A Change is one change of one row. Before is the old row as far as the source
// sent it (for deletes and key changes at least the key), nil if it sent none;
// After is the new row, nil for a delete. Values may be Unknown.
type Change struct {
	Table  *schema.Table
	Op     Op
	Before schema.Row
	After  schema.Row
	Tx     *Tx    // shared by the changes of a transaction
	Row    uint32 // the change's number within its transaction, from 0; counted over all tables, as Resume.Rows is
	Offset uint64 // the change's own numeric place in the source's log (LSN, a topic's offset), for provenance; 0 if none

	Topic     uint16   // which of its source's topics it is of, where the source reads several: a number from 0
	Partition int32    // of the topic, where the source is one
	Rank      uint64   // orders the changes of a row of the target, where offsets do not; 0: they do
	Headers   []Header // what a transform wants beside the row; most often none
	Aside     *Asides  // values of the rows that are not in memory; most often none
}

// A Header is a named string of bytes beside a change.
type Header struct {
	Key   string
	Value []byte
}

// A TableStop says that a table cannot go on, and why: none of its changes is
// written from this batch on (I8).
type TableStop struct {
	Table *schema.Table
	Why   *Refusal

	// Routed: the rows of Table name the tables that they go to, and none is known in
	// this run. It has no topic of its own, and stands for those of earlier runs, if
	// there are any.
	Routed bool

	// Copy is the ID of the request for a copy that is refused by this before it
	// began, and is waited for no more; empty: none.
	Copy string

	// Also says of other tables whether rows of it may have gone to them in an
	// earlier run; nil: none.
	Also func(schema, table string) bool
}

// A Route says of a table that rows name to which others rows of the same table of the
// source may have gone in an earlier run.
type Route struct {
	Table  *schema.Table                   // one that is announced
	Origin *schema.Table                   // of the source
	Also   func(schema, table string) bool // valid until the next call of Next
}

// KeyChanged reports whether an update moved its row to another key.
func (c *Change) KeyChanged() bool {
	if c.Op != Update || c.Before == nil {
		return false
	}
	for _, i := range c.Table.Key {
		if c.Before[i].IsKnown() && !c.Before[i].Identical(c.After[i]) {
			return true
		}
	}
	return false
}

// A Batch is what a source gives at once: changes of one or more transactions,
// or of a part of one, in order. End is set when a commit may follow: at a
// transaction's end, inside a transaction that may be too large for one commit
// (End.Rows > 0), while a snapshot runs (End.At zero), or with no changes at
// all to move an idle source on. Inside a transaction that is longer than a
// batch every batch carries an End.
//
// A Batch and everything in it belongs to the source and is valid until the
// next call of Next; a Tx and a Table may be kept.
//
// Tables announces tables: the first batch after Open names every captured
// table, so that its topic exists also without rows, and later ones name new
// shapes before their first row. Routes are for those of them that rows name; a source
// leaves them out. Where a source reads several topics, a batch is of
// the one whose number is Topic.
//
// Stopped are tables that a transform, or the source itself, has given up: their
// changes are not among those of this batch, nor of later ones, until a copy of them
// begins.
//
// Copies say which tables' copies begin or are done, see Copier. A batch that has any
// has no changes, and Stopped, Tables and Copies count in this order.
type Batch struct {
	Tables  []*schema.Table
	Routes  []Route
	Topic   uint16
	Stopped []TableStop
	Copies  []TableCopy
	Changes []Change
	End     *Resume
	Bytes   int       // rough size of the rows, for bounds
	At      time.Time // the source's clock at End, for lag; zero if unknown
}
