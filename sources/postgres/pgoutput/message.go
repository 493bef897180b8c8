package pgoutput

// A Kind is the first byte of a message.
type Kind byte

// The messages of protocol versions 1 to 4.
const (
	Begin            Kind = 'B'
	Commit           Kind = 'C'
	Origin           Kind = 'O'
	Relation         Kind = 'R'
	Type             Kind = 'Y'
	Insert           Kind = 'I'
	Update           Kind = 'U'
	Delete           Kind = 'D'
	Truncate         Kind = 'T'
	Message          Kind = 'M'
	StreamStart      Kind = 'S'
	StreamStop       Kind = 'E'
	StreamCommit     Kind = 'c'
	StreamAbort      Kind = 'A'
	BeginPrepare     Kind = 'b'
	Prepare          Kind = 'P'
	CommitPrepared   Kind = 'K'
	RollbackPrepared Kind = 'r'
	StreamPrepare    Kind = 'p'
)

// A Column is one value of a tuple. Data is empty unless Kind is Text or Binary.
type Column struct {
	Kind ColumnKind
	Data []byte // points into the decoded message
}

// A ColumnKind says how a value was sent.
type ColumnKind byte

// How a value was sent. Unchanged marks a TOASTed value that the update did not
// touch: it is not known here, which is not the same as Null.
const (
	Null      ColumnKind = 'n'
	Unchanged ColumnKind = 'u'
	Text      ColumnKind = 't'
	Binary    ColumnKind = 'b'
)

// OldKind says what the old tuple of an update or delete holds.
type OldKind byte

// The kinds of old tuple. OldKey has the columns of the replica identity and
// NULL elsewhere; OldFull has all columns (REPLICA IDENTITY FULL).
const (
	OldNone OldKind = 0
	OldKey  OldKind = 'K'
	OldFull OldKind = 'O'
)

// A Row is an Insert, Update or Delete.
type Row struct {
	Relation uint32
	OldKind  OldKind
	Old      []Column // valid when OldKind is not OldNone
	New      []Column // valid for Insert and Update
}

// RelationColumn is one column of a relation as published.
type RelationColumn struct {
	Flags  byte // 1: part of the replica identity
	Name   []byte
	OID    uint32
	TypMod int32
}

// Carried reports whether old rows carry the column.
func (c *RelationColumn) Carried() bool { return c.Flags&1 != 0 }

// RelationMessage describes the columns in which the rows that follow are sent.
type RelationMessage struct {
	ID        uint32
	Namespace []byte // empty means pg_catalog
	Name      []byte
	Identity  byte // pg_class.relreplident: d, n, f or i
	Columns   []RelationColumn
}

// TypeMessage names a type that is not built in.
type TypeMessage struct {
	ID        uint32
	Namespace []byte
	Name      []byte
}

// TruncateMessage lists the relations of one TRUNCATE.
type TruncateMessage struct {
	Options   byte // 1: CASCADE, 2: RESTART IDENTITY
	Relations []uint32
}

// LogicalMessage is the payload of pg_logical_emit_message.
type LogicalMessage struct {
	Flags   byte // 1: transactional
	LSN     uint64
	Prefix  []byte
	Content []byte
}

// TxMessage holds the fields of all messages that begin or end a transaction.
//
//	            LSN              End             Time      Time2  GID  Sub
//	B           of the commit    –               commit
//	C c         of the commit    after it        commit
//	A           –                –                                      yes
//	A (v4)      of the abort     –               abort                  yes
//	b P p       of the prepare   after it        prepare          yes
//	K           of the commit    after it        commit           yes
//	r           end of prepare   of the rollback prepare   rollback yes
type TxMessage struct {
	XID    uint32
	SubXID uint32 // Stream Abort: what is rolled back, XID itself or a part of it
	Flags  byte
	First  byte // Stream Start: 1 in the first block of this transaction
	LSN    uint64
	EndLSN uint64
	Time   int64 // microseconds since 2000-01-01 00:00 UTC
	Time2  int64
	GID    []byte
	HasLSN bool // Stream Abort with the fields of protocol 4
}

// OriginMessage names the replication origin of the open transaction.
type OriginMessage struct {
	LSN  uint64
	Name []byte
}
