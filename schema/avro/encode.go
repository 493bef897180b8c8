package avro

import (
	"encoding/binary"
	"math"

	"github.com/evertdb/evert/schema"
)

// append writes one value. dst may have grown even after an error; the caller
// cuts it back.
func (c *cell) append(dst []byte, v *schema.Value) ([]byte, error) {
	if c.null != notNull {
		if v.IsNull() {
			return appendLong(dst, int64(c.null)), nil
		}
		dst = appendLong(dst, int64(1-c.null))
	}
	if v.Kind() != c.kind {
		return dst, c.mismatch(v.Kind())
	}
	switch c.op {
	case opString, opBytes:
		return appendBytes(dst, v.Ref()), nil
	case opLong:
		return appendLong(dst, v.Int()), nil
	case opInt:
		return appendInt(dst, v.Int())
	case opDate, opTimeMicros:
		return appendLong(dst, v.Int()), nil
	case opBool:
		return append(dst, byte(v.Int())), nil
	case opDouble:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float())), nil
	case opFloat:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
	}
	return c.appendRich(dst, v)
}

// appendRich writes the values that need work.
func (c *cell) appendRich(dst []byte, v *schema.Value) ([]byte, error) {
	switch c.op {
	case opDecimal:
		return appendDecimal(dst, v.Ref(), c.scale)
	case opVariableDecimal:
		return appendVariableDecimal(dst, v.Ref())
	case opTimeMillis:
		n, err := c.millis(v.Int())
		if err != nil {
			return dst, err
		}
		return appendInt(dst, n)
	case opStampMicros, opStampMillis:
		return c.appendStamp(dst, v.Int())
	case opZoned:
		return appendZoned(dst, v.Int(), c.scale)
	case opUUID:
		if len(v.Ref()) != 16 {
			return dst, errUUID
		}
		return schema.AppendUUID(append(dst, 36<<1), v.Ref()), nil
	case opSpan:
		return appendSpan(dst, v)
	case opISODate, opISOTime, opISOStamp:
		return c.appendISO(dst, v.Int()), nil
	case opArray:
		return c.appendArray(dst, v)
	case opStampNanos, opTimeNanos:
		return c.appendNanos(dst, v.Int())
	}
	return c.appendHandled(dst, v)
}

// mismatch tells why a value cannot stand in c.
func (c *cell) mismatch(have schema.Kind) error {
	switch {
	case have == schema.KindUnknown:
		return ErrUnknown
	case have == schema.KindNull:
		return errNull
	case have == schema.KindArray:
		return errNested
	}
	return &kindError{want: c.kind, have: have}
}

// appendInt writes an int; Avro's has 32 bits.
func appendInt(dst []byte, n int64) ([]byte, error) {
	if n != int64(int32(n)) {
		return dst, errRange
	}
	return appendLong(dst, n), nil
}

// appendArray writes all elements in one block:
//
//	array = [ count:long element* ] 0
func (c *cell) appendArray(dst []byte, v *schema.Value) ([]byte, error) {
	n := v.Len()
	if n > 0 {
		dst = appendLong(dst, int64(n))
	}
	seen := 0
	for _, e := range v.Elements() {
		var err error
		if dst, err = c.elem.append(dst, &e); err != nil {
			return dst, err
		}
		seen++
	}
	if seen != n {
		return dst, &kindError{want: schema.KindArray, have: schema.KindUnknown}
	}
	return append(dst, 0), nil
}

// appendLong writes Avro's int and long: zigzag, seven bits a byte.
func appendLong(dst []byte, n int64) []byte {
	u := uint64(n)<<1 ^ uint64(n>>63)
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

// appendBytes writes Avro's bytes and string.
func appendBytes(dst, b []byte) []byte {
	return append(appendLong(dst, int64(len(b))), b...)
}

func appendString(dst []byte, s string) []byte {
	return append(appendLong(dst, int64(len(s))), s...)
}
