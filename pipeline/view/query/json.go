package query

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/evertdb/evert/schema"
)

// AppendRow appends row as an object by column name, as Postgres's to_json
// writes its values. The text has no line ends: it can be an event's data.
func (s *Shape) AppendRow(dst []byte, row schema.Row) []byte {
	return appendObject(dst, s.Columns, row)
}

// AppendKey appends the values of a key as an object by column name.
func (s *Shape) AppendKey(dst []byte, key schema.Row) []byte {
	return appendObject(dst, s.keys, key)
}

func appendObject(dst []byte, columns []schema.Column, row schema.Row) []byte {
	dst = append(dst, '{')
	for i := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, []byte(columns[i].Name))
		dst = append(dst, ':')
		dst = appendValue(dst, &columns[i].Type, row[i])
	}
	return append(dst, '}')
}

// appendValue writes one value.
func appendValue(dst []byte, t *schema.Type, v schema.Value) []byte {
	switch v.Kind() {
	case schema.KindNull, schema.KindUnknown:
		return append(dst, "null"...)
	case schema.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case schema.KindInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case schema.KindFloat:
		return appendNumber(dst, t, v, math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0))
	case schema.KindDecimal:
		return appendNumber(dst, t, v, bytes.ContainsAny(v.Ref(), "NI"))
	case schema.KindJSON:
		return appendJSON(dst, v.Ref())
	case schema.KindArray:
		return appendArray(dst, t, v)
	case schema.KindTimestamp:
		return appendTimestamp(dst, t, v)
	case schema.KindText:
		return appendText(dst, v.Ref())
	case schema.KindBytes:
		return appendText(dst, t.AppendText(nil, v))
	}
	return append(t.AppendText(append(dst, '"'), v), '"') // all plain
}

// appendNumber writes a number as it is, and what JSON has no number for as text.
func appendNumber(dst []byte, t *schema.Type, v schema.Value, special bool) []byte {
	if special {
		dst = append(dst, '"')
		return append(t.AppendText(dst, v), '"')
	}
	return t.AppendText(dst, v)
}

// appendJSON embeds a JSON text. Line ends in it stand between its tokens.
func appendJSON(dst, text []byte) []byte {
	if !json.Valid(text) {
		return appendText(dst, text)
	}
	start := len(dst)
	dst = append(dst, text...)
	for i := start; i < len(dst); i++ {
		if dst[i] < ' ' {
			dst[i] = ' '
		}
	}
	return dst
}

func appendArray(dst []byte, t *schema.Type, v schema.Value) []byte {
	elem := t.Elem
	if elem == nil {
		elem = &schema.Type{Kind: schema.KindText}
	}
	dst = append(dst, '[')
	for i, e := range v.Elements() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if e.Kind() == schema.KindArray {
			dst = appendArray(dst, t, e) // a further dimension
			continue
		}
		dst = appendValue(dst, elem, e)
	}
	return append(dst, ']')
}

// appendTimestamp writes the text of the server with a T between day and time,
// and the zone as +00:00.
func appendTimestamp(dst []byte, t *schema.Type, v schema.Value) []byte {
	dst = append(dst, '"')
	start := len(dst)
	dst = t.AppendText(dst, v)
	if at := bytes.IndexByte(dst[start:], ' '); at >= 0 && dst[start+at+1] != 'B' {
		dst[start+at] = 'T'
	}
	if text, zoned := bytes.CutSuffix(dst[start:], []byte("+00")); zoned {
		dst = append(dst[:start+len(text)], "+00:00"...)
	} else if text, zoned := bytes.CutSuffix(dst[start:], []byte("+00 BC")); zoned {
		dst = append(dst[:start+len(text)], "+00:00 BC"...)
	}
	return append(dst, '"')
}

// appendText writes a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendText(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for len(text) > 0 {
		n := plainBytes(text)
		dst, text = append(dst, text[:n]...), text[n:]
		if len(text) == 0 {
			break
		}
		r, w := utf8.DecodeRune(text)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r < ' ' || r == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
		text = text[w:]
	}
	return append(dst, '"')
}

// plainBytes counts the bytes that text begins with that stand for themselves.
func plainBytes(text []byte) int {
	for i, c := range text {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return i
		}
	}
	return len(text)
}
