package scalar

import (
	"fmt"
	"strconv"
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

// Named gives the type that a cast names, as written in SQL: "numeric" with
// modifiers 10 and 2, "varchar" with 20, "timestamptz". It knows no enums, which
// are the catalogue's. An array is ArrayOf its element.
func Named(name string, mods ...int) (schema.Type, error) {
	id := idNamed(strings.ToLower(strings.Join(strings.Fields(name), " ")))
	if id == None {
		return schema.Type{}, undefinedType(name)
	}
	if id == BPChar && len(mods) == 0 && name != "bpchar" {
		mods = []int{1}
	}
	return withMods(id, mods)
}

func idNamed(name string) ID {
	switch name {
	case "bool", "boolean":
		return Bool
	case "smallint", "int2":
		return Int2
	case "int", "integer", "int4":
		return Int4
	case "bigint", "int8":
		return Int8
	case "real", "float4":
		return Float4
	case "double precision", "float8", "float":
		return Float8
	case "numeric", "decimal", "dec":
		return Numeric
	case "text":
		return Text
	case "varchar", "character varying", "char varying":
		return Varchar
	case "char", "character", "bpchar":
		return BPChar
	case "bytea":
		return Bytea
	}
	return idNamedRare(name)
}

func idNamedRare(name string) ID {
	switch name {
	case "date":
		return Date
	case "time", "time without time zone":
		return Time
	case "timestamp", "timestamp without time zone":
		return Timestamp
	case "timestamptz", "timestamp with time zone":
		return Timestamptz
	case "interval":
		return Interval
	case "uuid":
		return UUID
	case "json":
		return JSON
	case "jsonb":
		return JSONB
	}
	return None
}

// withMods applies the modifiers in brackets behind a type's name.
func withMods(id ID, mods []int) (schema.Type, error) {
	t := id.Type()
	if len(mods) == 0 {
		return t, nil
	}
	switch id {
	case Numeric:
		return numericOf(t, mods)
	case Varchar, BPChar:
		if mods[0] < 1 || mods[0] > maxLength || len(mods) > 1 {
			return t, badModifier(id)
		}
		t.Name = fmt.Sprintf("%s(%d)", names[id], mods[0])
		return t, nil
	case Time, Timestamp, Timestamptz, Interval:
		if mods[0] < 0 || len(mods) > 1 {
			return t, badModifier(id)
		}
		t.Precision = min(mods[0], 6)
		word, zone, _ := strings.Cut(names[id], " ")
		t.Name = strings.TrimSpace(fmt.Sprintf("%s(%d) %s", word, t.Precision, zone))
		return t, nil
	case Float8:
		if mods[0] >= 1 && mods[0] <= 53 && len(mods) == 1 {
			return either(mods[0] <= 24, Float4, Float8).Type(), nil
		}
	}
	return t, badModifier(id)
}

// maxLength is that of varchar and char.
const maxLength = 10_485_760

func numericOf(t schema.Type, mods []int) (schema.Type, error) {
	mods = append(mods, 0)
	if len(mods) > 3 || mods[0] < 1 || mods[0] > 1000 || mods[1] < -1000 || mods[1] > 1000 {
		return t, badModifier(Numeric)
	}
	t.Precision, t.Scale = mods[0], mods[1]
	t.Name = fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	return t, nil
}

// length gives n of varchar(n) and char(n), -1 without.
func length(t *schema.Type) int {
	open := strings.IndexByte(t.Name, '(')
	if open < 0 {
		if t.Name == "character" {
			return 1
		}
		return -1
	}
	n, err := strconv.Atoi(strings.TrimSuffix(t.Name[open+1:], ")"))
	if err != nil {
		return -1
	}
	return n
}
