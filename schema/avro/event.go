package avro

import (
	"time"

	"github.com/evertdb/evert/schema"
)

// An Event is one record's value: a change of one row, or with the row envelope
// the row alone.
type Event struct {
	Op     byte       // r c u d t, as Debezium writes it; 0 from the row envelope, which has none
	Before schema.Row // the whole old row, or nil if there is none or it is known only in part
	After  schema.Row // the whole new row (I5), or nil for a delete
	Origin *Origin    // where the change comes from; the row envelope has none
	At     time.Time  // when Evert handled the change; zero if unknown
	Tail   *Tail      // remembers what lies behind the rows; may be nil
}

// A Tail remembers what AppendValue wrote behind the rows of the last event that had
// it. Events of which only the rows differ, as those of a snapshot of Postgres, are
// spared doing so again. The zero Tail is ready; one goroutine uses it.
//
//	value = before after │ source transaction op ts_ms ts_us ts_ns
//	                     └─────────────── the tail ───────────────
type Tail struct {
	of    *Codec
	op    byte
	at    time.Time
	from  Origin // what MySQL has of it does not count
	bytes []byte
}

// isOf reports whether the tail is that of an event.
func (t *Tail) isOf(c *Codec, e *Event) bool {
	return t.of == c && t.op == e.Op && t.at == e.At &&
		t.from.At == e.Origin.At && t.from.Snapshot == e.Origin.Snapshot && t.from.Postgres == e.Origin.Postgres
}

// An Origin is what Debezium's source block says of a change. All changes of a
// transaction may share one as long as their LSN does not matter; AppendValue
// does not keep it. Each kind of source has its own part; Options.Connector
// says which one is used.
type Origin struct {
	At       time.Time // the commit, by the source's clock; zero if unknown
	Snapshot Snapshot
	Postgres Postgres
	MySQL    MySQL
}

// MySQL is the part of an Origin that MySQL and MariaDB have.
type MySQL struct {
	Server uint32 // the server_id of who committed
	GTID   string // of the transaction; empty is written as null
	File   string // of the log
	Pos    uint64 // in the file, where the change's event ends
	Row    uint32 // the change within its transaction
}

// Postgres is the part of an Origin that only Postgres has. A zero is written
// as null.
type Postgres struct {
	TxID      uint64 // the transaction's xid
	Xmin      uint64 // the slot's xmin
	CommitLSN uint64 // where the commit record lies
	LSN       uint64 // where the change lies
	Origin    string // the replication origin
	OriginLSN uint64 // the commit's place at the origin
}

// Snapshot says whether a change is a row of a snapshot, and which one.
type Snapshot uint8

// The values of Snapshot, in the order of Debezium's enumeration but that a
// streamed change is the zero value.
const (
	Streamed Snapshot = iota
	Snapshotted
	SnapshotFirst
	SnapshotFirstInTable
	SnapshotLastInTable
	SnapshotLast
	SnapshotIncremental
)

// String gives Debezium's word.
func (s Snapshot) String() string {
	if int(s) >= len(snapshotWords) {
		return "?"
	}
	return snapshotWords[s]
}

var snapshotWords = [...]string{
	"false", "true", "first", "first_in_data_collection", "last_in_data_collection", "last", "incremental",
}
