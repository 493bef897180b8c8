package tuple

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/evertdb/evert/schema"
)

// appendInt writes a tag that tells sign and length, and the bytes that are
// left of v without its leading zeros, or ones.
func appendInt(dst []byte, v int64) []byte {
	n := (bits.Len64(uint64(v^v>>63)) + 7) / 8
	tag := 0x80 + n
	if v < 0 {
		tag = 0x7f - n
	}
	dst = append(dst, byte(tag))
	dst = binary.BigEndian.AppendUint64(dst, uint64(v)<<(64-8*n))
	return dst[:len(dst)-8+n]
}

// intBytes is the length of an int behind its tag; negative if it is no tag.
func intBytes(tag byte) int {
	n := int(tag) - 0x80
	if n < 0 {
		n = -1 - n
	}
	if n > 8 {
		return -1
	}
	return n
}

// parseInt reads an int that has its full length.
func parseInt(b []byte) int64 {
	u := uint64(0)
	if b[0] < 0x80 {
		u = math.MaxUint64
	}
	for _, c := range b[1:] {
		u = u<<8 | uint64(c)
	}
	return int64(u)
}

const signBit = 1 << 63

// appendFloat flips the bits of IEEE 754 so that they count upwards.
func appendFloat(dst []byte, f float64) []byte {
	u := math.Float64bits(f)
	switch {
	case f != f:
		u = math.MaxUint64
	case f == 0:
		u = signBit
	case u&signBit != 0:
		u = ^u
	default:
		u |= signBit
	}
	return binary.BigEndian.AppendUint64(dst, u)
}

func parseFloat(b []byte) float64 {
	u := binary.BigEndian.Uint64(b)
	switch {
	case u == math.MaxUint64:
		return math.NaN()
	case u&signBit != 0:
		return math.Float64frombits(u &^ signBit)
	}
	return math.Float64frombits(^u)
}

// The bytes that text does not hold as they are: the end, and the escape.
const (
	textEnd    = 0
	textEscape = 1
)

// appendText writes text so that an end can follow: what is shorter sorts first.
func appendText(dst, text []byte, pad bool) []byte {
	if pad {
		text = bytes.TrimRight(text, " ")
	}
	if bytes.IndexByte(text, textEnd) < 0 && bytes.IndexByte(text, textEscape) < 0 {
		return append(append(dst, text...), textEnd)
	}
	for _, c := range text {
		if c <= textEscape {
			dst = append(dst, textEscape)
			c++
		}
		dst = append(dst, c)
	}
	return append(dst, textEnd)
}

// parseText undoes appendText; b is without the end. It gives b itself if there
// is nothing to undo, else bytes behind arena.
func parseText(b, arena []byte) (text, longer []byte) {
	if bytes.IndexByte(b, textEscape) < 0 {
		return b, arena
	}
	start := len(arena)
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == textEscape && i+1 < len(b) {
			i++
			c = b[i] - 1
		}
		arena = append(arena, c)
	}
	return arena[start:len(arena):len(arena)], arena
}

func (f *field) appendLabel(dst, label []byte) []byte {
	if i, ok := f.labels[string(label)]; ok {
		return appendInt(dst, int64(i))
	}
	return appendText(appendInt(dst, int64(len(f.names))), label, false)
}

const uuidBytes = 16

// appendUUID writes 16 bytes whatever there are, so that lengths stay known.
func appendUUID(dst, b []byte) []byte {
	var id [uuidBytes]byte
	copy(id[:], b)
	return append(dst, id[:]...)
}

// daysPerMonth is what Postgres takes when it compares intervals.
const daysPerMonth = 30

// appendInterval writes the total, which does not fit 64 bits of microseconds.
func appendInterval(dst []byte, v schema.Value) []byte {
	months, days, micros := v.Interval()
	whole, rest := schema.SplitMicros(micros)
	dst = appendInt(dst, int64(months)*daysPerMonth+int64(days)+whole)
	return appendInt(dst, rest)
}
