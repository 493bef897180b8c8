package binlogvalue

import (
	"fmt"
	"strings"

	"github.com/evertdb/evert/schema"
)

// A Type is a column's type in the binary log, by the number it has there. ENUM
// and SET stand as themselves although the log calls them strings.
type Type byte

// The types that occur in a log.
const (
	Tiny              Type = 1
	Short             Type = 2
	Long              Type = 3
	Float             Type = 4
	Double            Type = 5
	Timestamp         Type = 7
	LongLong          Type = 8
	Int24             Type = 9
	Date              Type = 10
	Time              Type = 11
	Datetime          Type = 12
	Year              Type = 13
	Varchar           Type = 15
	Bit               Type = 16
	Timestamp2        Type = 17
	Datetime2         Type = 18
	Time2             Type = 19
	BlobCompressed    Type = 140
	VarcharCompressed Type = 141
	Vector            Type = 242
	JSON              Type = 245
	NewDecimal        Type = 246
	Enum              Type = 247
	Set               Type = 248
	Blob              Type = 252
	VarString         Type = 253
	String            Type = 254
	Geometry          Type = 255
)

// A Special says what a MariaDB column of fixed bytes is; the log does not.
type Special string

// The specials, by their names in information_schema.
const (
	Plain Special = ""
	UUID  Special = "uuid"
	INET4 Special = "inet4"
	INET6 Special = "inet6"
)

// A Column is what is known of one column at one place of the log. Two rows have
// the same shape if their columns are equal.
type Column struct {
	Name     string   `json:"name"`
	Type     Type     `json:"type"`
	Size     int      `json:"size,omitempty"`  // strings: most bytes; blobs: bytes of the length; bit: bits; enum, set: bytes
	Precise  int      `json:"prec,omitempty"`  // decimals: digits; times: fractional digits
	Scale    int      `json:"scale,omitempty"` // decimals
	Unsigned bool     `json:"unsigned,omitempty"`
	Nullable bool     `json:"nullable,omitempty"`
	Charset  string   `json:"charset,omitempty"`   // of texts, enums and sets; empty or "binary": bytes
	Collate  string   `json:"collation,omitempty"` // of texts, enums and sets
	MaxLen   int      `json:"maxlen,omitempty"`    // most bytes of a character of Charset
	Labels   []string `json:"labels,omitempty"`    // of enums and sets, in UTF-8
	Special  Special  `json:"special,omitempty"`
}

// binary reports whether c holds bytes and no characters.
func (c *Column) binary() bool { return c.Charset == "" || c.Charset == "binary" }

// compressionHeader is what the declared length of a compressed column grows by.
const compressionHeader = 1

// Schema gives the column as the rest of Evert knows it. A type that cannot be
// read is an error.
func (c *Column) Schema() (schema.Column, error) {
	t, err := c.schemaType()
	out := schema.Column{Name: c.Name, Type: t, Nullable: c.Nullable}
	if err != nil {
		return out, err
	}
	if t.Kind == schema.KindText && c.Collate != "" {
		out.Collation = collation(c.Collate)
	}
	return out, nil
}

// collation says what equality means: only a _bin collation compares bytes; those of
// MySQL 8 and the _nopad_ ones of MariaDB count trailing spaces.
func collation(name string) schema.Collation {
	bin := strings.HasSuffix(name, "_bin") || name == "binary"
	pad := !strings.Contains(name, "_0900_") && !strings.Contains(name, "nopad") && name != "binary"
	return schema.Collation{Name: name, Provider: "mysql", Deterministic: bin && !pad, Pad: pad}
}

func (c *Column) schemaType() (schema.Type, error) {
	switch c.Type {
	case Tiny, Short, Int24, Long, LongLong:
		return c.integer(), nil
	case NewDecimal:
		return schema.Type{Kind: schema.KindDecimal, Name: c.signed(fmt.Sprintf("decimal(%d,%d)", c.Precise, c.Scale)), Precision: c.Precise, Scale: c.Scale}, nil
	case Float:
		return schema.Type{Kind: schema.KindFloat, Name: c.signed("float"), Bits: 32}, nil
	case Double:
		return schema.Type{Kind: schema.KindFloat, Name: c.signed("double"), Bits: 64}, nil
	case Year:
		return schema.Type{Kind: schema.KindInt, Name: "year", Bits: 32}, nil
	case Date:
		return schema.Type{Kind: schema.KindDate, Name: "date"}, nil
	case Bit:
		if c.Size == 1 {
			return schema.Type{Kind: schema.KindBool, Name: "bit(1)"}, nil
		}
		return schema.Type{Kind: schema.KindBytes, Name: fmt.Sprintf("bit(%d)", c.Size)}, nil
	case Geometry:
		return schema.Type{Kind: schema.KindBytes, Name: "geometry"}, nil
	case Vector:
		return schema.Type{Kind: schema.KindBytes, Name: "vector"}, nil
	case JSON:
		return schema.Type{Kind: schema.KindJSON, Name: "json", Binary: true}, nil
	case Time, Time2, Datetime, Datetime2, Timestamp, Timestamp2:
		return c.temporal(), nil
	}
	return c.stringType()
}

// integer gives the smallest width that Debezium knows and that holds the type.
func (c *Column) integer() schema.Type {
	names := map[Type]string{Tiny: "tinyint", Short: "smallint", Int24: "mediumint", Long: "int", LongLong: "bigint"}
	t := schema.Type{Kind: schema.KindInt, Name: c.signed(names[c.Type]), Bits: 32}
	switch {
	case c.Type == LongLong && c.Unsigned:
		return schema.Type{Kind: schema.KindDecimal, Name: t.Name, Precision: 20}
	case c.Type == LongLong, c.Type == Long && c.Unsigned:
		t.Bits = 64
	case c.Type == Tiny, c.Type == Short && !c.Unsigned:
		t.Bits = 16
	}
	return t
}

func (c *Column) signed(name string) string {
	if c.Unsigned {
		return name + " unsigned"
	}
	return name
}

// temporal gives the times. A time of MySQL is a duration and always goes in
// microseconds: its milliseconds do not fit 32 bits.
func (c *Column) temporal() schema.Type {
	fraction := ""
	if c.Precise > 0 {
		fraction = fmt.Sprintf("(%d)", c.Precise)
	}
	switch c.Type {
	case Time, Time2:
		return schema.Type{Kind: schema.KindTime, Name: "time" + fraction, Precision: 6}
	case Datetime, Datetime2:
		return schema.Type{Kind: schema.KindTimestamp, Name: "datetime" + fraction, Precision: c.Precise}
	}
	return schema.Type{Kind: schema.KindTimestamp, Name: "timestamp" + fraction, Precision: c.Precise, Zoned: true}
}

func (c *Column) stringType() (schema.Type, error) {
	switch c.Special {
	case UUID:
		return schema.Type{Kind: schema.KindUUID, Name: "uuid"}, nil
	case INET4, INET6:
		return schema.Type{Kind: schema.KindText, Name: string(c.Special), Opaque: true}, nil
	}
	name, ok := c.stringName()
	if !ok {
		return schema.Type{}, fmt.Errorf("type %d of the binary log is not known", c.Type)
	}
	if c.Type != Enum && c.Type != Set && c.binary() {
		return schema.Type{Kind: schema.KindBytes, Name: name}, nil
	}
	t := schema.Type{Kind: schema.KindText, Name: name}
	if c.Type == Enum {
		t.Labels = c.Labels
	}
	return t, nil
}

// stringName prints the type of a string. ok is false for a type that is none.
func (c *Column) stringName() (name string, ok bool) {
	switch c.Type {
	case String:
		return c.sized("char", "binary", c.Size), true
	case Varchar, VarString:
		return c.sized("varchar", "varbinary", c.Size), true
	case VarcharCompressed:
		return c.sized("varchar", "varbinary", c.Size-compressionHeader), true
	case Blob, BlobCompressed:
		texts := [...]string{"tinytext", "text", "mediumtext", "longtext"}
		blobs := [...]string{"tinyblob", "blob", "mediumblob", "longblob"}
		if c.Size < 1 || c.Size > 4 {
			return "", false
		}
		if c.binary() {
			return blobs[c.Size-1], true
		}
		return texts[c.Size-1], true
	case Enum:
		return "enum" + c.labels(), true
	case Set:
		return "set" + c.labels(), true
	}
	return "", false
}

func (c *Column) sized(text, bytes string, size int) string {
	if c.binary() {
		return fmt.Sprintf("%s(%d)", bytes, size)
	}
	return fmt.Sprintf("%s(%d)", text, size/max(c.MaxLen, 1))
}

func (c *Column) labels() string {
	var b strings.Builder
	for i, l := range c.Labels {
		b.WriteString([2]string{",", "("}[b2i(i == 0)])
		b.WriteString("'" + strings.ReplaceAll(l, "'", "''") + "'")
	}
	b.WriteByte(')')
	return b.String()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Equal reports whether rows of both columns are read the same way and mean the
// same.
func (c *Column) Equal(d *Column) bool {
	same := c.Name == d.Name && c.Type == d.Type && c.Size == d.Size && c.Precise == d.Precise && c.Scale == d.Scale &&
		c.Unsigned == d.Unsigned && c.Nullable == d.Nullable && c.Charset == d.Charset && c.Collate == d.Collate && c.Special == d.Special
	if !same || len(c.Labels) != len(d.Labels) {
		return false
	}
	for i := range c.Labels {
		if c.Labels[i] != d.Labels[i] {
			return false
		}
	}
	return true
}
