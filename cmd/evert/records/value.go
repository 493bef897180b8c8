package records

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// appendRow writes the columns that keep lets through as an object.
func appendRow(dst []byte, t *schema.Table, row schema.Row, keep func(column int) bool) []byte {
	dst = append(dst, '{')
	first := true
	for i, v := range row {
		if !keep(i) || !v.IsKnown() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = AppendString(dst, t.Columns[i].Name)
		dst = append(dst, ':')
		dst = AppendValue(dst, &t.Columns[i].Type, v)
	}
	return append(dst, '}')
}

// AppendValue writes one value of this type as JSON.
func AppendValue(dst []byte, t *schema.Type, v schema.Value) []byte {
	switch v.Kind() {
	case schema.KindNull:
		return append(dst, "null"...)
	case schema.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case schema.KindInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case schema.KindFloat:
		return appendFloat(dst, t, v)
	case schema.KindDecimal:
		return appendDecimal(dst, v.Ref())
	}
	return AppendString(dst, string(pgvalue.Print(nil, codecOf(t, v.Kind()), v)))
}

func appendFloat(dst []byte, t *schema.Type, v schema.Value) []byte {
	text := pgvalue.Print(nil, codecOf(t, v.Kind()), v)
	if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
		return AppendString(dst, string(text))
	}
	return append(dst, text...)
}

// appendDecimal writes a number with all its digits; only NaN and Infinity do
// not look like JSON numbers.
func appendDecimal(dst, text []byte) []byte {
	digit := text
	if len(digit) > 0 && digit[0] == '-' {
		digit = digit[1:]
	}
	if len(digit) > 0 && digit[0] >= '0' && digit[0] <= '9' {
		return append(dst, text...)
	}
	return AppendString(dst, string(text))
}

// codecOf chooses how the server prints a value of this kind.
func codecOf(t *schema.Type, kind schema.Kind) pgvalue.Codec {
	switch kind {
	case schema.KindFloat:
		if t.Bits == 32 {
			return pgvalue.Codec{Op: pgvalue.Float4}
		}
		return pgvalue.Codec{Op: pgvalue.Float8}
	case schema.KindTimestamp:
		if t.Zoned {
			return pgvalue.Codec{Op: pgvalue.Timestamptz}
		}
		return pgvalue.Codec{Op: pgvalue.Timestamp}
	case schema.KindArray:
		return pgvalue.Codec{Op: pgvalue.Array, Elem: elementOf(t)}
	}
	return pgvalue.Codec{Op: scalarOps()[kind]}
}

func elementOf(t *schema.Type) pgvalue.Op {
	if t.Elem == nil {
		return pgvalue.Text
	}
	return codecOf(t.Elem, t.Elem.Kind).Op
}

func scalarOps() map[schema.Kind]pgvalue.Op {
	return map[schema.Kind]pgvalue.Op{
		schema.KindBool: pgvalue.Bool, schema.KindInt: pgvalue.Int8, schema.KindDecimal: pgvalue.Numeric,
		schema.KindText: pgvalue.Text, schema.KindJSON: pgvalue.Text, schema.KindBytes: pgvalue.Bytea,
		schema.KindDate: pgvalue.Date, schema.KindTime: pgvalue.Time, schema.KindUUID: pgvalue.UUID,
	}
}

// AppendString writes s as a JSON string, leaving < > & as they are.
func AppendString(dst []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(dst, '"'), s...), '"')
	}
	var b quoteBuffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return append(dst, b[:len(b)-1]...)
}

type quoteBuffer []byte

func (b *quoteBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
