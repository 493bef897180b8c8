package pgvalue

import "github.com/evertdb/evert/schema"

// A Codec says how the values of one column are read. The zero Codec is Opaque.
type Codec struct {
	Op     Op
	Elem   Op   // of an Array
	Delim  byte // between its elements; 0: a comma
	Unsent bool // the type has no send function, so that the server sends it as text always
}

// An Op is one way to read a value.
type Op uint8

// The ways to read a value. Opaque takes any text as it is, and has no binary form;
// those from OID to Versioned take it likewise, and print it from its binary form.
const (
	Opaque Op = iota
	Bool
	Int2
	Int4
	Int8
	Float4
	Float8
	Numeric
	Text
	Bytea
	Date
	Time
	Timestamp
	Timestamptz
	UUID
	JSON
	JSONB
	Enum
	Array
	Interval
	OID
	XID8
	LSN
	Money
	TimeTZ
	Bits // bit and bit varying
	Inet // and cidr
	MAC  // and macaddr8
	XML
	Versioned // text behind a byte that says 1: jsonpath, ltree
)

// Scalar gives the way to read a built-in type that is not an array; Opaque for
// all others. OIDs of pg_type.dat never change.
func Scalar(oid uint32) Op {
	switch oid {
	case 16:
		return Bool
	case 17:
		return Bytea
	case 19:
		return Text // name
	case 20:
		return Int8
	case 21:
		return Int2
	case 23:
		return Int4
	case 25:
		return Text
	case 114:
		return JSON
	case 700:
		return Float4
	case 701:
		return Float8
	case 1042:
		return Text // bpchar
	case 1043:
		return Text // varchar
	case 26:
		return OID
	case 142:
		return XML
	case 650, 869:
		return Inet
	case 774, 829:
		return MAC
	case 790:
		return Money
	case 1186:
		return Interval
	case 1266:
		return TimeTZ
	case 1560, 1562:
		return Bits
	case 3220:
		return LSN
	case 4072:
		return Versioned // jsonpath
	case 5069:
		return XID8
	case 1082:
		return Date
	case 1083:
		return Time
	case 1114:
		return Timestamp
	case 1184:
		return Timestamptz
	case 1700:
		return Numeric
	case 2950:
		return UUID
	case 3802:
		return JSONB
	}
	return Opaque
}

// HasBinary reports whether Binary reads what Postgres sends for c.
func (c Codec) HasBinary() bool {
	return !c.Unsent && c.Op != Opaque && (c.Op != Array || c.Elem != Opaque)
}

// opaque reports whether values are carried as the text that the server prints.
func (o Op) opaque() bool { return o == Opaque || o >= OID }

// Type fills in what c alone says about a column's type; the caller adds name,
// labels, and the precision and scale of the type modifier.
func (c Codec) Type() schema.Type {
	t := schema.Type{Precision: -1, Scale: -1, Kind: c.Op.kind()}
	t.Opaque = c.Op.opaque()
	switch c.Op {
	case Int2:
		t.Bits = 16
	case Int4, Float4:
		t.Bits = 32
	case Int8, Float8:
		t.Bits = 64
	case Timestamptz:
		t.Zoned = true
	case JSONB:
		t.Binary = true
	case Array:
		elem := Codec{Op: c.Elem}.Type()
		t.Elem = &elem
	}
	return t
}

func (o Op) kind() schema.Kind {
	switch o {
	case Bool:
		return schema.KindBool
	case Int2, Int4, Int8:
		return schema.KindInt
	case Float4, Float8:
		return schema.KindFloat
	case Numeric:
		return schema.KindDecimal
	case Bytea:
		return schema.KindBytes
	case Date:
		return schema.KindDate
	case Time:
		return schema.KindTime
	case Timestamp, Timestamptz:
		return schema.KindTimestamp
	case UUID:
		return schema.KindUUID
	case JSON, JSONB:
		return schema.KindJSON
	case Array:
		return schema.KindArray
	case Interval:
		return schema.KindInterval
	}
	return schema.KindText
}

// String names the type for messages.
func (o Op) String() string {
	return [...]string{
		"opaque", "boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "text", "bytea", "date",
		"time", "timestamp", "timestamptz", "uuid", "json", "jsonb", "enum", "array", "interval", "oid", "xid8", "pg_lsn",
		"money", "timetz", "bit string", "inet", "macaddr", "xml", "versioned text",
	}[o]
}
