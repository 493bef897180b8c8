package avro

import (
	"encoding/binary"
	"math/big"
	"strconv"

	"github.com/evertdb/evert/schema"
)

// Postgres's numeric has at most 131,072 digits before the point and 16,383
// behind it. What goes beyond is not a number of ours (X16).
const (
	maxScale        = 200_000
	maxDecimalBytes = 65_536
)

// readDecimal makes decimal text of an unscaled number; no bytes at all are
// the special value.
func readDecimal(r *reader, a *Arena, unscaled []byte, scale int, special string) schema.Value {
	if r.err != nil {
		return schema.Null()
	}
	if len(unscaled) == 0 {
		if !r.expand(len(special)) {
			return schema.Null()
		}
		from := len(a.bytes)
		a.bytes = append(a.bytes, special...)
		return schema.Decimal(a.since(from))
	}
	if len(unscaled) > maxDecimalBytes || scale > maxScale || scale < -maxScale {
		r.fail(errValue)
		return schema.Null()
	}
	if !r.expand(3*len(unscaled) + max(scale, -scale) + 3) {
		return schema.Null()
	}
	from := len(a.bytes)
	a.bytes = appendNumberText(a.bytes, unscaled, scale)
	return schema.Decimal(a.since(from))
}

// readVariableDecimal reads a scale and an unscaled number.
func readVariableDecimal(r *reader, a *Arena) schema.Value {
	scale := r.int()
	unscaled := r.bytes()
	special := "NaN"
	if len(unscaled) == 0 && r.err == nil {
		switch scale {
		case 0:
		case 1:
			special = "Infinity"
		case -1:
			special = "-Infinity"
		default:
			r.fail(errValue)
		}
	}
	return readDecimal(r, a, unscaled, int(scale), special)
}

// appendNumberText prints an unscaled number with its point.
func appendNumberText(dst, unscaled []byte, scale int) []byte {
	start := len(dst)
	dst = appendUnscaled(dst, unscaled)
	if dst[start] == '-' {
		start++
	}
	if scale < 0 && !(len(dst) == start+1 && dst[start] == '0') {
		for range -scale {
			dst = append(dst, '0')
		}
	}
	if scale <= 0 {
		return dst
	}
	return pointed(dst, start, scale)
}

// pointed puts the point before the last scale digits of dst[start:], and
// zeros before them where there are too few.
func pointed(dst []byte, start, scale int) []byte {
	have := len(dst) - start
	missing := max(scale+1-have, 0)
	for range missing + 1 {
		dst = append(dst, '0')
	}
	copy(dst[start+missing:], dst[start:start+have])
	for i := range missing {
		dst[start+i] = '0'
	}
	point := len(dst) - 1 - scale
	copy(dst[point+1:], dst[point:len(dst)-1])
	dst[point] = '.'
	return dst
}

// appendUnscaled prints a two's complement number.
func appendUnscaled(dst, b []byte) []byte {
	switch {
	case len(b) <= 8:
		return strconv.AppendInt(dst, int64(signed(b)), 10)
	case len(b) <= 16:
		return appendWide128(dst, signed(b[:len(b)-8]), binary.BigEndian.Uint64(b[len(b)-8:]))
	}
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return n.Append(dst, 10)
}

// signed reads up to eight bytes of two's complement.
func signed(b []byte) uint64 {
	n := uint64(0)
	if b[0] >= 0x80 {
		n = ^n
	}
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// appendWide128 prints a 128-bit number, at most 39 digits in groups of 19.
func appendWide128(dst []byte, hi, lo uint64) []byte {
	if hi >= 1<<63 {
		dst = append(dst, '-')
		lo = -lo
		hi = ^hi
		if lo == 0 {
			hi++
		}
	}
	n := number{hi: hi, lo: lo}
	low := n.divide(1e19)
	if n.hi == 0 && n.lo == 0 {
		return strconv.AppendUint(dst, low, 10)
	}
	mid := n.divide(1e19)
	if n.lo != 0 {
		dst = strconv.AppendUint(dst, n.lo, 10)
		dst = appendGroup(dst, mid)
	} else {
		dst = strconv.AppendUint(dst, mid, 10)
	}
	return appendGroup(dst, low)
}

// appendGroup prints exactly 19 digits.
func appendGroup(dst []byte, n uint64) []byte {
	for limit := uint64(1e18); limit > 1 && n < limit; limit /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, n, 10)
}
