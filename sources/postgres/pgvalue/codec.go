package pgvalue

import "github.com/evertdb/evert/schema"

// A Codec says how the values of one column are read. The zero Codec is Opaque.
type Codec struct {
	Op   Op
	Elem Op // of an Array
}

// An Op is one way to read a value.
type Op uint8

// The ways to read a value. Opaque takes any text as it is, and has no binary form.
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
)

// builtin is what the OIDs of pg_type.dat, which never change, mean here.
type builtin struct {
	op    Op
	array uint32 // the OID of the array type
}

func builtins(oid uint32) (builtin, bool) {
	switch oid {
	case 16:
		return builtin{Bool, 1000}, true
	case 17:
		return builtin{Bytea, 1001}, true
	case 19:
		return builtin{Text, 1003}, true // name
	case 20:
		return builtin{Int8, 1016}, true
	case 21:
		return builtin{Int2, 1005}, true
	case 23:
		return builtin{Int4, 1007}, true
	case 25:
		return builtin{Text, 1009}, true
	case 114:
		return builtin{JSON, 199}, true
	case 700:
		return builtin{Float4, 1021}, true
	case 701:
		return builtin{Float8, 1022}, true
	case 1042:
		return builtin{Text, 1014}, true // bpchar
	case 1043:
		return builtin{Text, 1015}, true // varchar
	case 1082:
		return builtin{Date, 1182}, true
	case 1083:
		return builtin{Time, 1183}, true
	case 1114:
		return builtin{Timestamp, 1115}, true
	case 1184:
		return builtin{Timestamptz, 1185}, true
	case 1700:
		return builtin{Numeric, 1231}, true
	case 2950:
		return builtin{UUID, 2951}, true
	case 3802:
		return builtin{JSONB, 3807}, true
	}
	return builtin{}, false
}

// Scalar gives the way to read a built-in type that is not an array; Opaque for
// all others.
func Scalar(oid uint32) Op {
	b, ok := builtins(oid)
	if !ok {
		return Opaque
	}
	return b.op
}

// HasBinary reports whether Binary reads what Postgres sends for c.
func (c Codec) HasBinary() bool { return c.Op != Opaque }

// Type fills in what c alone says about a column's type; the caller adds name,
// labels, and the precision and scale of the type modifier.
func (c Codec) Type() schema.Type {
	t := schema.Type{Precision: -1, Scale: -1, Kind: c.Op.kind()}
	switch c.Op {
	case Opaque:
		t.Opaque = true
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
	}
	return schema.KindText // Text, Enum, Opaque
}

// String names the type for messages.
func (o Op) String() string {
	return [...]string{
		"opaque", "boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "text", "bytea", "date",
		"time", "timestamp", "timestamptz", "uuid", "json", "jsonb", "enum", "array",
	}[o]
}
