package binlogvalue

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

var (
	errGeometry = errors.New("a geometry that is not SRID and WKB")
	errSpecial  = errors.New("a value of another length than its type has")
)

// special gives MariaDB's types that the log holds as bytes of fixed length.
func (x *cell) special(b []byte, a *arena.Bytes) (schema.Value, error) {
	size := 16
	if x.Special == INET4 {
		size = 4
	}
	if len(b) != size {
		return schema.Value{}, errSpecial
	}
	switch x.Special {
	case UUID:
		return schema.UUID(b), nil
	case INET4:
		return schema.Text(appendINET4(a.Alloc(15)[:0], b)), nil
	}
	return schema.Text(appendINET6(a.Alloc(45)[:0], b)), nil
}

func appendINET4(dst, b []byte) []byte {
	for i, x := range b {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(x), 10)
	}
	return dst
}

// appendINET6 prints an address as MariaDB does: the first longest run of zero
// groups as ::, and an IPv4 address that is mapped or compatible with dots.
func appendINET6(dst, b []byte) []byte {
	var words [8]uint16
	for i := range words {
		words[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	from, length := zeroRun(words[:])
	for i := 0; i < len(words); i++ {
		if i == from {
			if i == 0 {
				dst = append(dst, ':')
			}
			dst = append(dst, ':')
			i += length - 1
			continue
		}
		if i == 6 && from == 0 && (length == 6 || length == 5 && words[5] == 0xffff) {
			return appendINET4(dst, b[12:])
		}
		dst = strconv.AppendUint(dst, uint64(words[i]), 16)
		if i < 7 {
			dst = append(dst, ':')
		}
	}
	return dst
}

// zeroRun finds the first longest run of zeros.
func zeroRun(words []uint16) (from, length int) {
	from = -1
	for i := 0; i < len(words); i++ {
		n := 0
		for i+n < len(words) && words[i+n] == 0 {
			n++
		}
		if n > length {
			from, length = i, n
		}
		i += n
	}
	return from, length
}

// geometry turns the server's form, SRID and WKB, into WKB, or EWKB where there is
// an SRID.
//
//	server  srid u32 | order u8 = 1 | type u32 | …
//	EWKB               order u8 = 1 | type u32 with bit 29 | srid u32 | …
func geometry(b []byte, a *arena.Bytes) (schema.Value, error) {
	const sridBit = 1 << 29
	if len(b) < 9 || b[4] > 1 {
		return schema.Value{}, errGeometry
	}
	srid, wkb := binary.LittleEndian.Uint32(b), b[4:]
	if srid == 0 {
		return schema.Bytes(wkb), nil
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if wkb[0] == 0 {
		order = binary.BigEndian
	}
	out := a.Alloc(len(b))
	out[0] = wkb[0]
	order.PutUint32(out[1:], order.Uint32(wkb[1:])|sridBit)
	order.PutUint32(out[5:], srid)
	copy(out[9:], wkb[5:])
	return schema.Bytes(out), nil
}
