package pgvalue

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/evertdb/evert/schema"
)

var be = binary.BigEndian

// Binary reads a value in the form of its type's send function. The bytes of b
// are copied where needed.
func (r *Reader) Binary(c Codec, b []byte) (schema.Value, error) {
	switch c.Op {
	case Text, Enum, XML:
		return r.printed(b), nil
	case JSON:
		return schema.JSON(r.utf8(b)), nil
	case Bytea:
		return schema.Bytes(r.Arena.Copy(b)), nil
	case Numeric:
		return r.numeric(b)
	case Interval:
		return r.binaryInterval(b)
	case OID, XID8, LSN, Money, TimeTZ:
		return r.printFixed(c.Op, b)
	case Bits:
		return r.bits(b)
	case Inet:
		return r.inet(b)
	case MAC:
		return r.mac(b)
	case Versioned:
		if len(b) >= 1 && b[0] == 1 {
			return r.printed(b[1:]), nil
		}
	case Array:
		return r.binaryArray(c.Elem, b)
	case UUID:
		if len(b) == 16 {
			return schema.UUID(r.Arena.Copy(b)), nil
		}
	case JSONB:
		if len(b) >= 1 && b[0] == 1 { // the version of the format
			return schema.JSON(r.utf8(b[1:])), nil
		}
	default:
		if v, ok := fixed(c.Op, b); ok {
			return v, nil
		}
	}
	return schema.Value{}, malformed(c.Op, len(b))
}

// fixed reads types of fixed width.
func fixed(op Op, b []byte) (schema.Value, bool) {
	switch len(b) {
	case 1:
		return schema.Bool(b[0] == 1), op == Bool && b[0] <= 1
	case 2:
		return schema.Int(int64(int16(be.Uint16(b)))), op == Int2
	case 4:
		return fixed4(op, be.Uint32(b))
	case 8:
		return fixed8(op, be.Uint64(b))
	}
	return schema.Value{}, false
}

func fixed4(op Op, u uint32) (schema.Value, bool) {
	switch op {
	case Int4:
		return schema.Int(int64(int32(u))), true
	case Float4:
		return schema.Float(oneNaN(float64(math.Float32frombits(u)))), true
	case Date:
		d := int64(int32(u))
		if d != schema.DateInfinity && d != schema.DateMinusInfinity {
			d += daysTo2000
		}
		return schema.Date(int32(d)), d == int64(int32(d))
	}
	return schema.Value{}, false
}

func fixed8(op Op, u uint64) (schema.Value, bool) {
	switch op {
	case Int8:
		return schema.Int(int64(u)), true
	case Float8:
		return schema.Float(oneNaN(math.Float64frombits(u))), true
	case Timestamp, Timestamptz:
		return schema.Timestamp(int64(u)), true
	case Time:
		return schema.Time(int64(u)), u <= microsPerDay
	}
	return schema.Value{}, false
}

// oneNaN gives every NaN the same bits, as the text NaN has.
func oneNaN(f float64) float64 {
	if f != f {
		return math.NaN()
	}
	return f
}

// numeric prints numeric_send's form as numeric_out does:
//
//	digits n uint16 · weight int16 · sign uint16 · display scale uint16 · n × base-10000 digit uint16
//
// The value is the sum of digit[i] × 10000^(weight-i).
func (r *Reader) numeric(b []byte) (schema.Value, error) {
	if len(b) < 8 {
		return schema.Value{}, malformed(Numeric, len(b))
	}
	n, weight := int(be.Uint16(b)), int(int16(be.Uint16(b[2:])))
	sign, scale := be.Uint16(b[4:]), int(be.Uint16(b[6:]))
	switch sign {
	case 0xC000:
		return schema.Decimal(r.Arena.Copy([]byte("NaN"))), nil
	case 0xD000:
		return schema.Decimal(r.Arena.Copy([]byte("Infinity"))), nil
	case 0xF000:
		return schema.Decimal(r.Arena.Copy([]byte("-Infinity"))), nil
	}
	digits := b[8:]
	if len(digits) != 2*n || sign != 0 && sign != 0x4000 || scale > 0x3FFF {
		return schema.Value{}, malformed(Numeric, len(b))
	}
	out := r.packed[:0]
	if sign != 0 {
		out = append(out, '-')
	}
	out, ok := appendNumeric(out, digits, weight, scale)
	r.packed = out
	if !ok {
		return schema.Value{}, malformed(Numeric, len(b))
	}
	return schema.Decimal(r.Arena.Copy(out)), nil
}

func appendNumeric(out, digits []byte, weight, scale int) ([]byte, bool) {
	at := func(i int) uint16 { // the digit of weight-i; 0 outside
		if i < 0 || 2*i >= len(digits) {
			return 0
		}
		return be.Uint16(digits[2*i:])
	}
	ok := true
	four := func(out []byte, d uint16) []byte {
		ok = ok && d < 10000
		return append(out, byte('0'+d/1000%10), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
	}
	first := uint64(0)
	if weight >= 0 {
		first = uint64(at(0))
		ok = first < 10000
	}
	out = strconv.AppendUint(out, first, 10) // no leading zeros
	for i := 1; i <= weight; i++ {
		out = four(out, at(i))
	}
	if scale == 0 {
		return out, ok
	}
	out = append(out, '.')
	end := len(out) + scale
	for i := weight + 1; len(out) < end; i++ {
		out = four(out, at(i))
	}
	return out[:end], ok
}
