package pgvalue

import (
	"encoding/binary"

	"github.com/evertdb/evert/schema"
)

// array reads the text of a one-dimensional array:
//
//	array   = '{' ( element ( ',' element )* )? '}'
//	element = NULL | word | '"' ( char | '\' char )* '"'
//
// The type box has a semicolon where others have a comma.
func (r *Reader) array(c Codec, b []byte) (schema.Value, error) {
	if len(b) > 0 && b[0] == '[' {
		return schema.Value{}, ShapeError{}
	}
	if len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return schema.Value{}, malformed(Array, len(b))
	}
	delim := c.delim()
	count, err := countElements(b[1:], delim)
	if err != nil {
		return schema.Value{}, err
	}
	r.packed = binary.AppendUvarint(r.packed[:0], uint64(count))
	rest := b[1:]
	for range count {
		word, quoted, n := r.nextWord(rest, delim)
		rest = rest[n:]
		if err := r.packText(c.Elem, word, quoted); err != nil {
			return schema.Value{}, err
		}
	}
	return schema.Array(r.Arena.Copy(r.packed)), nil
}

// countElements checks the grammar of what follows the opening brace and counts.
func countElements(b []byte, delim byte) (int, error) {
	if len(b) == 1 {
		return 0, nil
	}
	count := 0
	for len(b) > 0 {
		n, err := wordLen(b, delim)
		if err != nil {
			return 0, err
		}
		count++
		last := len(b) == n+1
		if last != (b[n] == '}') {
			return 0, malformed(Array, len(b))
		}
		b = b[n+1:]
	}
	return count, nil
}

// delim is what stands between the elements of an array.
func (c Codec) delim() byte {
	if c.Delim == 0 {
		return ','
	}
	return c.Delim
}

// wordLen is the length of the element at the front of b, quotes and all; a
// delimiter or brace follows it.
func wordLen(b []byte, delim byte) (int, error) {
	if b[0] == '{' {
		return 0, ShapeError{}
	}
	if b[0] != '"' {
		return bareLen(b, delim)
	}
	for i := 1; i < len(b)-1; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			if b[i+1] == delim || b[i+1] == '}' {
				return i + 1, nil
			}
			return 0, malformed(Array, len(b))
		}
	}
	return 0, malformed(Array, len(b))
}

func bareLen(b []byte, delim byte) (int, error) {
	for i, c := range b {
		switch c {
		case delim, '}':
			if i == 0 {
				return 0, malformed(Array, len(b))
			}
			return i, nil
		case '"', '{', '\\':
			return 0, malformed(Array, len(b))
		}
	}
	return 0, malformed(Array, len(b))
}

// nextWord takes one element off the front of b, which countElements has seen,
// and says how many bytes it and what follows it take.
func (r *Reader) nextWord(b []byte, delim byte) (word []byte, quoted bool, n int) {
	if b[0] != '"' {
		n, _ = bareLen(b, delim)
		return b[:n], false, n + 1
	}
	r.word = r.word[:0]
	i := 1
	for ; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
		r.word = append(r.word, b[i])
	}
	return r.word, true, i + 2
}

func (r *Reader) packText(elem Op, word []byte, quoted bool) error {
	if !quoted && string(word) == "NULL" {
		r.packed = schema.AppendElement(r.packed, schema.Null())
		return nil
	}
	return r.pack(func(in *Reader) (schema.Value, error) { return in.Text(Codec{Op: elem}, word) })
}

// pack reads one element with a reader whose bytes live only until it is packed.
func (r *Reader) pack(read func(*Reader) (schema.Value, error)) error {
	r.elems.Reset()
	v, err := read(&Reader{Arena: &r.elems, Invalid: r.Invalid})
	if err == nil {
		r.packed = schema.AppendElement(r.packed, v)
	}
	return err
}

// binaryArray reads array_send's form:
//
//	dimensions int32 · has-null int32 · element type uint32
//	· per dimension: length int32, lower bound int32 · per element: length int32 (-1 null), bytes
func (r *Reader) binaryArray(elem Op, b []byte) (schema.Value, error) {
	if len(b) < 12 {
		return schema.Value{}, malformed(Array, len(b))
	}
	dims := binary.BigEndian.Uint32(b)
	if dims > 1 {
		return schema.Value{}, ShapeError{}
	}
	if dims == 0 {
		return schema.Array(r.Arena.Copy([]byte{0})), nil
	}
	if len(b) < 20 {
		return schema.Value{}, malformed(Array, len(b))
	}
	count, lower := binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:])
	if lower != 1 {
		return schema.Value{}, ShapeError{}
	}
	return r.binaryElements(elem, count, b[20:])
}

func (r *Reader) binaryElements(elem Op, count uint32, b []byte) (schema.Value, error) {
	r.packed = binary.AppendUvarint(r.packed[:0], uint64(count))
	for range count {
		if len(b) < 4 {
			return schema.Value{}, malformed(Array, len(b))
		}
		size := int64(int32(binary.BigEndian.Uint32(b)))
		b = b[4:]
		if size == -1 {
			r.packed = schema.AppendElement(r.packed, schema.Null())
			continue
		}
		if size < 0 || size > int64(len(b)) {
			return schema.Value{}, malformed(Array, len(b))
		}
		word := b[:size]
		if err := r.pack(func(in *Reader) (schema.Value, error) { return in.Binary(Codec{Op: elem}, word) }); err != nil {
			return schema.Value{}, err
		}
		b = b[size:]
	}
	if len(b) != 0 {
		return schema.Value{}, malformed(Array, len(b))
	}
	return schema.Array(r.Arena.Copy(r.packed)), nil
}
