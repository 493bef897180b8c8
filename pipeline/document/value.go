package document

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/evertdb/evert/schema"
)

// AppendValue appends v, a value of type t.
func AppendValue(dst []byte, t *schema.Type, v schema.Value) []byte {
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
		return AppendString(dst, v.Ref())
	case schema.KindBytes:
		return AppendString(dst, t.AppendText(nil, v))
	}
	return append(t.AppendText(append(dst, '"'), v), '"') // times and intervals: all plain
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
		return AppendString(dst, text)
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
		dst = AppendValue(dst, elem, e)
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

// AppendString appends text as a JSON string. Bytes that are not UTF-8 become
// U+FFFD. There are no line ends in it.
func AppendString(dst, text []byte) []byte {
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
