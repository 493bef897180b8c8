package tuple

import "github.com/evertdb/evert/schema"

// Postgres compares arrays element by element whatever their dimensions are, a
// NULL being equal to a NULL and greater than all else; then their number of
// dimensions; then these. So an array is
//
//	array      = (2 payload | 3)* 0 dimensions      the elements in row-major order
//	dimensions = number:byte                        0 if it is empty, or 1
//	           | number:byte size:int*              if there are more

// appendArray writes the elements and the shape.
func (f *field) appendArray(dst []byte, v schema.Value) []byte {
	dst = f.appendElements(dst, v)
	dst = append(dst, markEnd)
	dims := dimensions(v)
	dst = append(dst, byte(dims))
	for at := v; dims > 1; dims-- {
		dst = appendInt(dst, int64(at.Len()))
		at = first(at)
		if dims == 2 {
			dst = appendInt(dst, int64(at.Len()))
		}
	}
	return dst
}

func (f *field) appendElements(dst []byte, v schema.Value) []byte {
	for _, e := range v.Elements() {
		if e.Kind() == schema.KindArray {
			dst = f.appendElements(dst, e)
		} else {
			dst = f.elem.append(dst, e)
		}
	}
	return dst
}

// maxDimensions is more than any server has.
const maxDimensions = 16

// dimensions follows the first elements down.
func dimensions(v schema.Value) int {
	n := 0
	for v.Kind() == schema.KindArray && v.Len() > 0 && n < maxDimensions {
		n++
		v = first(v)
	}
	return n
}

// first is the first element; NULL if there is none.
func first(v schema.Value) schema.Value {
	for _, e := range v.Elements() {
		return e
	}
	return schema.Null()
}

// arrayBytes is the length of an array that b begins with, 0 if it is cut.
func (f *field) arrayBytes(b []byte, x byte) int {
	n := 0
	for n < len(b) && b[n]^x != markEnd {
		w := f.elem.bytes(b[n:], x)
		if w == 0 {
			return 0
		}
		n += w
	}
	if n += 2; n > len(b) {
		return 0
	}
	dims := int(b[n-1] ^ x)
	if dims < 2 {
		return n
	}
	for range dims {
		w := intSize(b[n:], x)
		if w == 0 {
			return 0
		}
		n += w
	}
	return n
}

// parseArray packs the elements of an array of its full length again. What they
// refer to, and the packed array, lie behind arena.
func (f *field) parseArray(b, arena []byte) (schema.Value, []byte, error) {
	var flat []schema.Value
	for b[0] != markEnd {
		n := f.elem.bytes(b, 0)
		v, longer, err := f.elem.parse(b[:n], arena)
		if err != nil {
			return v, longer, err
		}
		flat, arena, b = append(flat, v), longer, b[n:]
	}
	shape, ok := parseShape(b[1:], len(flat))
	if !ok {
		return schema.Null(), arena, f.malformed()
	}
	start := len(arena)
	arena = pack(arena, flat, shape)
	return schema.Array(arena[start:len(arena):len(arena)]), arena, nil
}

// parseShape reads the dimensions; ok is false if they do not hold n elements.
func parseShape(b []byte, n int) (shape []int, ok bool) {
	if b[0] < 2 {
		return []int{n}, int(b[0]) == min(n, 1)
	}
	if b[0] > maxDimensions {
		return nil, false
	}
	product := 1
	for b = b[1:]; len(b) > 0; b = b[intSize(b, 0):] {
		size := parseInt(b[:intSize(b, 0)])
		if size < 1 || size > int64(n) || product > n/int(size) {
			return nil, false
		}
		product *= int(size)
		shape = append(shape, int(size))
	}
	return shape, product == n
}

// pack writes flat as an array of that shape.
func pack(dst []byte, flat []schema.Value, shape []int) []byte {
	if len(shape) == 1 {
		return schema.AppendArray(dst, flat...)
	}
	rows := make([]schema.Value, shape[0])
	per := len(flat) / shape[0]
	for i := range rows {
		rows[i] = schema.Array(pack(nil, flat[i*per:(i+1)*per], shape[1:]))
	}
	return schema.AppendArray(dst, rows...)
}
