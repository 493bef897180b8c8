package schema

import "strings"

// appendArray writes an array literal: elements in braces, separated by commas,
// quoted where they would not read back as they are. An array in an array is a
// further dimension.
func (t *Type) appendArray(dst []byte, v Value) []byte {
	elem := t.Elem
	if elem == nil {
		elem = &Type{Kind: KindText}
	}
	delim := elem.delim()
	dst = append(dst, '{')
	for i, e := range v.Elements() {
		if i > 0 {
			dst = append(dst, delim)
		}
		dst = elem.appendElement(dst, e, delim)
	}
	return append(dst, '}')
}

// delim is what stands between elements of type t (pg_type.typdelim): box, which has
// commas of its own, and PostGIS's types have another. The latter may lie in any schema.
func (t *Type) delim() byte {
	name, _, _ := strings.Cut(t.Name, "(")
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "box":
		return ';'
	case "geometry", "geography":
		return ':'
	}
	return ','
}

func (t *Type) appendElement(dst []byte, e Value, delim byte) []byte {
	switch e.kind {
	case KindNull:
		return append(dst, "NULL"...)
	case KindArray:
		return (&Type{Kind: KindArray, Elem: t}).appendArray(dst, e)
	}
	start := len(dst)
	dst = t.AppendText(dst, e)
	if !needsQuotes(dst[start:], delim) {
		return dst
	}
	return quoteTail(dst, start)
}

// needsQuotes is array_out's rule: the empty string, NULL in any case, and what
// holds a brace, delimiter, quote, backslash or white space.
func needsQuotes(text []byte, delim byte) bool {
	if len(text) == 0 || isNullWord(text) {
		return true
	}
	for _, c := range text {
		switch c {
		case delim, '{', '}', '"', '\\', ' ', '\t', '\n', '\r', '\v', '\f':
			return true
		}
	}
	return false
}

func isNullWord(text []byte) bool {
	const word = "null"
	if len(text) != len(word) {
		return false
	}
	for i, c := range text {
		if c|0x20 != word[i] {
			return false
		}
	}
	return true
}

// quoteTail puts dst[start:] into double quotes in place, from the end, with a
// backslash before quotes and backslashes.
func quoteTail(dst []byte, start int) []byte {
	extra := 2
	for _, c := range dst[start:] {
		if c == '"' || c == '\\' {
			extra++
		}
	}
	from := len(dst) - 1
	for range extra {
		dst = append(dst, '"')
	}
	to := len(dst) - 2 // the last byte is the closing quote
	for ; from >= start; from-- {
		dst[to] = dst[from]
		to--
		if c := dst[from]; c == '"' || c == '\\' {
			dst[to] = '\\'
			to--
		}
	}
	dst[start] = '"'
	return dst
}
