package scalar

import (
	"bytes"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// parseArray reads an array literal: {1,2,NULL}, {"a b",c}, {{1,2},{3,4}}. Bounds
// that do not begin at 1 are not kept by rows, and refused.
func parseArray(t *schema.Type, input []byte) (schema.Value, error) {
	r := arrayReader{rest: trimSpace(input), elem: t.Elem}
	if len(r.rest) > 0 && r.rest[0] == '[' {
		return schema.Null(), fault.Unsupported("array bounds are not kept; write the array without them")
	}
	v, err := r.array()
	if err == nil && len(r.rest) > 0 {
		err = malformed()
	}
	if err != nil {
		return schema.Null(), err
	}
	if !rectangular(v) {
		return schema.Null(), malformed()
	}
	return v, nil
}

func malformed() error { return fault.New("22P02", "malformed array literal") }

const maxDimensions = 6

type arrayReader struct {
	rest  []byte
	elem  *schema.Type
	depth int
}

func (r *arrayReader) array() (schema.Value, error) {
	if !r.accept('{') {
		return schema.Null(), malformed()
	}
	if r.depth++; r.depth > maxDimensions {
		return schema.Null(), fault.New("54000", "number of array dimensions exceeds the maximum allowed (%d)", maxDimensions)
	}
	defer func() { r.depth-- }()
	var elems []schema.Value
	r.spaces()
	if r.accept('}') {
		r.spaces()
		if r.depth > 1 {
			return schema.Null(), malformed()
		}
		return schema.Array(schema.AppendArray(nil)), nil
	}
	for {
		e, err := r.element()
		if err != nil {
			return e, err
		}
		elems = append(elems, e)
		r.spaces()
		if r.accept('}') {
			r.spaces()
			return schema.Array(schema.AppendArray(nil, elems...)), nil
		}
		if !r.accept(',') {
			return schema.Null(), malformed()
		}
	}
}

func (r *arrayReader) element() (schema.Value, error) {
	r.spaces()
	if len(r.rest) > 0 && r.rest[0] == '{' {
		return r.array()
	}
	word, quoted, ok := r.word()
	switch {
	case !ok:
		return schema.Null(), malformed()
	case !quoted && strings.EqualFold(string(word), "null"):
		return schema.Null(), nil
	}
	return Parse(r.elem, word)
}

// word takes an element up to the comma or brace behind it.
func (r *arrayReader) word() (word []byte, quoted, ok bool) {
	if r.accept('"') {
		word, ok = r.quotedWord()
		return word, true, ok
	}
	kept := 0 // spaces behind the last character that is none, or is escaped, do not count
	for len(r.rest) > 0 {
		c := r.rest[0]
		switch {
		case c == ',' || c == '}':
			return word[:kept], quoted, kept > 0
		case c == '{' || c == '"':
			return nil, false, false
		case c == '\\' && len(r.rest) > 1:
			r.rest, quoted = r.rest[1:], true
			word = append(word, r.rest[0])
			kept = len(word)
		default:
			word = append(word, c)
			if !isSpace(c) {
				kept = len(word)
			}
		}
		r.rest = r.rest[1:]
	}
	return nil, false, false
}

func (r *arrayReader) quotedWord() (word []byte, ok bool) {
	for len(r.rest) > 0 {
		c := r.rest[0]
		r.rest = r.rest[1:]
		switch {
		case c == '"':
			return append([]byte{}, word...), true
		case c == '\\' && len(r.rest) > 0:
			c, r.rest = r.rest[0], r.rest[1:]
			word = append(word, c)
		default:
			word = append(word, c)
		}
	}
	return nil, false
}

func (r *arrayReader) accept(c byte) bool {
	if len(r.rest) == 0 || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *arrayReader) spaces() { r.rest = bytes.TrimLeft(r.rest, " \t\n\v\f\r") }

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// rectangular reports whether all arrays within v have the same dimensions.
func rectangular(v schema.Value) bool {
	dims := dimensions(v)
	return shaped(v, dims)
}

func shaped(v schema.Value, dims []int) bool {
	if len(dims) == 0 {
		return v.Kind() != schema.KindArray || v.Len() == 0
	}
	if v.Kind() != schema.KindArray || v.Len() != dims[0] {
		return false
	}
	for _, e := range v.Elements() {
		if !shaped(e, dims[1:]) {
			return false
		}
	}
	return true
}
