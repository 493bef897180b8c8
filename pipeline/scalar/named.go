package scalar

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/evertdb/evert/schema"
)

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
