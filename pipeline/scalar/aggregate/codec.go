package aggregate

import (
	"encoding/binary"
	"errors"
	"math/big"
)

// A state is written as numbers:
//
//	count  = zigzag varint
//	number = length and sign: zigzag varint, magnitude: that many bytes, big-endian

var errState = errors.New("the state of an aggregate is damaged")

func appendCount(dst []byte, n int64) []byte { return binary.AppendVarint(dst, n) }

func appendNumber(dst []byte, n *big.Int) []byte {
	size := int64(n.BitLen()+7) / 8
	dst = binary.AppendVarint(dst, size*int64(n.Sign()))
	start := len(dst)
	for range size {
		dst = append(dst, 0)
	}
	n.FillBytes(dst[start:])
	return dst
}

// A decoder reads a state; bad turns true at the first thing that does not fit.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) count() int64 {
	n, w := binary.Varint(d.rest)
	if w <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[w:]
	return n
}

func (d *decoder) number(into *big.Int) {
	size := d.count()
	neg := size < 0
	if neg {
		size = -size
	}
	if size < 0 || size > int64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return
	}
	into.SetBytes(d.rest[:size])
	if neg {
		into.Neg(into)
	}
	d.rest = d.rest[size:]
}

// end reports what was wrong, or that something is left over.
func (d *decoder) end() error {
	if d.bad || len(d.rest) > 0 {
		return errState
	}
	return nil
}
