package scalar

import (
	"strings"

	"github.com/evertdb/evert/schema"
)

// An ID names a type of Postgres without its modifiers. The high bit marks the
// array of a type.
type ID uint8

// The types that expressions know. Unknown is that of a quoted literal or NULL
// before its place has given it a type.
const (
	None ID = iota // a type that expressions do not know
	Unknown
	Bool
	Int2
	Int4
	Int8
	Float4
	Float8
	Numeric
	Text
	Varchar
	BPChar
	Bytea
	Date
	Time
	Timestamp
	Timestamptz
	Interval
	UUID
	JSON
	JSONB
	Enum

	// Patterns of arguments; no value has one of these.
	anyType
	anyElement
	anyCompatible
	anyEnum
	anyNonArray

	arrayBit ID = 0x80
)

const (
	anyArray           = anyElement | arrayBit
	anyCompatibleArray = anyCompatible | arrayBit
)

// names are those that format_type prints.
var names = [...]string{
	None: "?", Unknown: "unknown", Bool: "boolean", Int2: "smallint", Int4: "integer", Int8: "bigint", Float4: "real",
	Float8: "double precision", Numeric: "numeric", Text: "text", Varchar: "character varying", BPChar: "character",
	Bytea: "bytea", Date: "date", Time: "time without time zone", Timestamp: "timestamp without time zone",
	Timestamptz: "timestamp with time zone", Interval: "interval", UUID: "uuid", JSON: "json", JSONB: "jsonb", Enum: "enum",
	anyType: "any", anyElement: "anyelement", anyCompatible: "anycompatible", anyEnum: "anyenum", anyNonArray: "anynonarray",
}

// String gives the type's name as Postgres prints it.
func (id ID) String() string {
	if id.IsArray() {
		if id.Elem() == anyElement || id.Elem() == anyCompatible {
			return strings.Replace(names[id.Elem()], "element", "", 1) + "array"
		}
		return names[id.Elem()] + "[]"
	}
	return names[id]
}

// IsArray reports whether id is an array type.
func (id ID) IsArray() bool { return id&arrayBit != 0 }

// Elem is the element type of an array, and id itself otherwise.
func (id ID) Elem() ID { return id &^ arrayBit }

// Array is the array type of id.
func (id ID) Array() ID { return id | arrayBit }

// Type gives the type without modifiers; that of an Enum has no labels.
func (id ID) Type() schema.Type {
	if id.IsArray() {
		return ArrayOf(id.Elem().Type())
	}
	t := schema.Type{Kind: id.kind(), Name: names[id], Precision: -1, Scale: -1}
	switch id {
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
	case BPChar:
		t.Name = "bpchar" // without a length, "character" would be one of 1
	}
	return t
}

func (id ID) kind() schema.Kind {
	switch id {
	case None, Unknown:
		return schema.KindUnknown
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
	case Interval:
		return schema.KindInterval
	case UUID:
		return schema.KindUUID
	case JSON, JSONB:
		return schema.KindJSON
	}
	return schema.KindText
}

// ArrayOf is the array type of elem.
func ArrayOf(elem schema.Type) schema.Type {
	return schema.Type{Kind: schema.KindArray, Name: elem.Name + "[]", Precision: -1, Scale: -1, Elem: &elem}
}

// Identify names t. An opaque type, other than an interval column's, is None: no
// expression may look into it.
func Identify(t *schema.Type) ID {
	switch t.Kind {
	case schema.KindUnknown:
		return Unknown
	case schema.KindArray:
		return identifyArray(t)
	case schema.KindText:
		return identifyText(t)
	case schema.KindInt:
		return byBits(t.Bits, Int2, Int4, Int8)
	case schema.KindFloat:
		return byBits(t.Bits, Float4, Float4, Float8)
	case schema.KindTimestamp:
		return either(t.Zoned, Timestamptz, Timestamp)
	case schema.KindJSON:
		return either(t.Binary, JSONB, JSON)
	}
	for id := Bool; id <= Enum; id++ {
		if id.kind() == t.Kind {
			return id
		}
	}
	return None
}

func identifyArray(t *schema.Type) ID {
	if t.Elem == nil {
		return None
	}
	elem := Identify(t.Elem)
	if elem == None || elem.IsArray() {
		return None
	}
	return elem.Array()
}

func identifyText(t *schema.Type) ID {
	switch {
	case t.Opaque:
		return None
	case len(t.Labels) > 0:
		return Enum
	case t.Name == "citext", t.Name == "enum":
		return None
	}
	switch word, _, _ := strings.Cut(t.Name, "("); word {
	case "character varying", "varchar":
		return Varchar
	case "character", "bpchar", "char":
		return BPChar
	}
	return Text
}

func byBits(bits int, b16, b32, b64 ID) ID {
	switch bits {
	case 16:
		return b16
	case 32:
		return b32
	}
	return b64
}

func either(yes bool, a, b ID) ID {
	if yes {
		return a
	}
	return b
}
