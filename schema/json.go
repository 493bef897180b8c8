package schema

import "unicode/utf8"

// AppendJSON appends v, a value of type t, as it is shown to people and
// programs: integers and finite decimals as exact numbers, everything else as a
// string with the text the server prints (bytes as "\x…"), so also NaN,
// infinities, booleans, floats, JSON and arrays. Only SQL NULL is null; an
// unknown value, which no record holds (I5), is null as well.
func (t *Type) AppendJSON(dst []byte, v Value) []byte {
	if v.kind == KindNull || v.kind == KindUnknown {
		return append(dst, "null"...)
	}
	start := len(dst)
	dst = t.AppendText(dst, v)
	if (v.kind == KindInt || v.kind == KindDecimal) && isNumber(dst[start:]) {
		return dst
	}
	text := dst[start:]
	if plain(text) {
		dst = append(dst, 0, 0)
		copy(dst[start+1:], dst[start:])
		dst[start], dst[len(dst)-1] = '"', '"'
		return dst
	}
	return AppendJSONString(dst[:start], string(text))
}

// AppendJSON appends row as an object by column name. Columns that are unknown
// are left out.
func (t *Table) AppendJSON(dst []byte, row Row) []byte {
	if row == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	first := true
	for i, v := range row {
		if !v.IsKnown() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(AppendJSONString(dst, t.Columns[i].Name), ':')
		dst = t.Columns[i].Type.AppendJSON(dst, v)
	}
	return append(dst, '}')
}

// isNumber reports whether text is a JSON number without an exponent.
func isNumber(text []byte) bool {
	if len(text) > 0 && text[0] == '-' {
		text = text[1:]
	}
	whole := digits(text)
	if whole == 0 || whole > 1 && text[0] == '0' {
		return false
	}
	text = text[whole:]
	if len(text) == 0 {
		return true
	}
	return text[0] == '.' && len(text) > 1 && digits(text[1:]) == len(text)-1
}

// digits counts the digits that text begins with.
func digits(text []byte) int {
	for i, c := range text {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(text)
}

// plain reports whether text may stand between quotes as it is.
func plain(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// AppendJSONString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendJSONString(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < 0x20 || r == 0x7f:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[r>>4], hexDigits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
