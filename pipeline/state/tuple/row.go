package tuple

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"

	"github.com/evertdb/evert/schema"
)

// A row is
//
//	row   = count:uvarint value*
//	value = head:byte rest                       head = n·32 + kind
//	rest  = nothing                              null, unknown; bool: n is its value
//	      | n bytes, little-endian, zigzag       int, date, time, timestamp; 8 if n is 7
//	      | 8 bytes, little-endian               float
//	      | n bytes                              all others, up to 6 bytes
//	      | size:uvarint bytes                   if n is 7
const (
	kindBits = 5
	kindMask = 1<<kindBits - 1
	long     = 7
)

var errRow = errors.New("malformed row")

// AppendRow appends row behind dst and returns the longer slice. Nothing is
// lost: ReadRow gives identical values.
func AppendRow(dst []byte, row schema.Row) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(row)))
	for _, v := range row {
		dst = appendValue(dst, v)
	}
	return dst
}

func appendValue(dst []byte, v schema.Value) []byte {
	switch k := v.Kind(); k {
	case schema.KindNull, schema.KindUnknown:
		return append(dst, byte(k))
	case schema.KindBool:
		return append(dst, byte(k)|byte(v.Int()&1)<<kindBits)
	case schema.KindInt, schema.KindDate, schema.KindTime, schema.KindTimestamp:
		return appendWhole(dst, k, v.Int())
	case schema.KindFloat:
		return binary.LittleEndian.AppendUint64(append(dst, byte(k)), math.Float64bits(v.Float()))
	default:
		return appendRef(dst, k, v.Ref())
	}
}

func appendWhole(dst []byte, k schema.Kind, i int64) []byte {
	u := uint64(i)<<1 ^ uint64(i>>63)
	n := (bits.Len64(u) + 7) / 8
	head := byte(k) | byte(min(n, long))<<kindBits
	if n >= long {
		n = 8
	}
	dst = binary.LittleEndian.AppendUint64(append(dst, head), u)
	return dst[:len(dst)-8+n]
}

func appendRef(dst []byte, k schema.Kind, b []byte) []byte {
	if len(b) < long {
		return append(append(dst, byte(k)|byte(len(b))<<kindBits), b...)
	}
	dst = binary.AppendUvarint(append(dst, byte(k)|long<<kindBits), uint64(len(b)))
	return append(dst, b...)
}

// ReadRow reads what AppendRow wrote into dst, which it overwrites from its
// beginning and makes longer where it has to. Values of variable length share
// b: the row is valid as long as b is unchanged. Any bytes may be given; those
// that are no row are an error.
func ReadRow(b []byte, dst schema.Row) (schema.Row, error) {
	count, w := binary.Uvarint(b)
	if w <= 0 || count > uint64(len(b)-w) {
		return nil, errRow
	}
	b = b[w:]
	dst = grow(dst[:0], int(count))
	for i := range dst {
		n := readValue(b, &dst[i])
		if n == 0 {
			return nil, errRow
		}
		b = b[n:]
	}
	if len(b) > 0 {
		return nil, errRow
	}
	return dst, nil
}

// grow makes room for n values.
func grow(dst schema.Row, n int) schema.Row {
	if n <= cap(dst) {
		return dst[:n]
	}
	return make(schema.Row, n)
}

// readValue reads one value and gives the bytes it took, 0 if b is no value.
func readValue(b []byte, v *schema.Value) int {
	if len(b) == 0 {
		return 0
	}
	k, n := schema.Kind(b[0]&kindMask), int(b[0]>>kindBits)
	switch k {
	case schema.KindNull:
		*v = schema.Null()
		return 1
	case schema.KindUnknown:
		*v = schema.Unknown()
		return 1
	case schema.KindBool:
		*v = schema.Bool(n != 0)
		return 1
	case schema.KindInt, schema.KindDate, schema.KindTime, schema.KindTimestamp:
		return readWhole(b, k, n, v)
	case schema.KindFloat:
		if len(b) < 9 {
			return 0
		}
		*v = schema.Float(math.Float64frombits(binary.LittleEndian.Uint64(b[1:])))
		return 9
	}
	return readRef(b, k, n, v)
}

func readWhole(b []byte, k schema.Kind, n int, v *schema.Value) int {
	if n == long {
		n = 8
	}
	if len(b) <= n {
		return 0
	}
	u := little(b[1:], n)
	i := int64(u>>1) ^ -int64(u&1)
	switch k {
	case schema.KindDate:
		*v = schema.Date(int32(i))
	case schema.KindTime:
		*v = schema.Time(i)
	case schema.KindTimestamp:
		*v = schema.Timestamp(i)
	default:
		*v = schema.Int(i)
	}
	return n + 1
}

// little reads n bytes, little-endian.
func little(b []byte, n int) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b) << (64 - 8*n) >> (64 - 8*n)
	}
	u := uint64(0)
	for i := range n {
		u |= uint64(b[i]) << (8 * i)
	}
	return u
}

func readRef(b []byte, k schema.Kind, n int, v *schema.Value) int {
	at := 1
	if n == long {
		size, w := binary.Uvarint(b[1:])
		if w <= 0 || size > uint64(len(b)) {
			return 0
		}
		at, n = 1+w, int(size)
	}
	if n > len(b)-at {
		return 0
	}
	ref := b[at : at+n : at+n]
	switch k {
	case schema.KindDecimal:
		*v = schema.Decimal(ref)
	case schema.KindText:
		*v = schema.Text(ref)
	case schema.KindBytes:
		*v = schema.Bytes(ref)
	case schema.KindUUID:
		*v = schema.UUID(ref)
	case schema.KindJSON:
		*v = schema.JSON(ref)
	case schema.KindArray:
		*v = schema.Array(ref)
	case schema.KindInterval:
		*v = schema.PackedInterval(ref)
	default:
		return 0
	}
	return at + n
}
