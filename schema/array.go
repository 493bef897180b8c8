package schema

import (
	"encoding/binary"
	"iter"
)

// An array value is packed into one byte string, so that it costs no slice of
// values:
//
//	array   = count:uvarint element*
//	element = kind:byte payload
//	payload = nothing                 (null)
//	        | number:8 bytes, little-endian (bool, int, float, date, time, timestamp)
//	        | length:uvarint bytes    (decimal, text, bytes, uuid, json, array, interval)

// AppendArray packs elems behind dst and returns the longer slice.
func AppendArray(dst []byte, elems ...Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(elems)))
	for _, e := range elems {
		dst = AppendElement(dst, e)
	}
	return dst
}

// AppendElement packs one element. A caller that does not hold all elements at
// once writes their count with binary.AppendUvarint first.
func AppendElement(dst []byte, e Value) []byte {
	dst = append(dst, byte(e.kind))
	switch {
	case e.kind == KindNull:
		return dst
	case e.kind.fixed():
		return binary.LittleEndian.AppendUint64(dst, e.num)
	}
	dst = binary.AppendUvarint(dst, uint64(e.size))
	return append(dst, e.Ref()...)
}

// Array is an array packed by AppendArray; the bytes are not copied.
func Array(packed []byte) Value { return refer(KindArray, packed) }

// Len is the number of elements of an array.
func (v Value) Len() int {
	n, _ := binary.Uvarint(v.Ref())
	return int(n)
}

// Elements goes over the elements of an array; they share its bytes. It ends
// early on bytes that AppendArray did not write.
func (v Value) Elements() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		count, w := binary.Uvarint(v.Ref())
		rest := v.Ref()[max(w, 0):]
		for i := range int(count) {
			e, n := element(rest)
			if n == 0 || !yield(i, e) {
				return
			}
			rest = rest[n:]
		}
	}
}

// element reads one element and the number of bytes it takes, 0 if b is cut.
func element(b []byte) (Value, int) {
	if len(b) == 0 {
		return Value{}, 0
	}
	e := Value{kind: Kind(b[0])}
	switch {
	case e.kind == KindNull:
		return e, 1
	case e.kind.fixed():
		if len(b) < 9 {
			return Value{}, 0
		}
		e.num = binary.LittleEndian.Uint64(b[1:])
		return e, 9
	}
	n, w := binary.Uvarint(b[1:])
	if w <= 0 || n > uint64(len(b)-1-w) {
		return Value{}, 0
	}
	return refer(e.kind, b[1+w:1+w+int(n)]), 1 + w + int(n)
}

// fixed reports whether values of kind k live in the number alone.
func (k Kind) fixed() bool {
	switch k {
	case KindBool, KindInt, KindFloat, KindDate, KindTime, KindTimestamp:
		return true
	}
	return false
}
