package avro

import (
	"errors"
	"fmt"
)

// errCut and its like say what is wrong with a record's bytes, never what they
// hold.
var (
	errCut    = errors.New("the record ends inside a value")
	errLong   = errors.New("a number is longer than ten bytes")
	errLength = errors.New("a length is negative or beyond the record's end")
	errBranch = errors.New("a union has no such branch")
	errBomb   = errors.New("the record unpacks to far more than its size")
	errDepth  = errors.New("the record nests too deeply")
	errValue  = errors.New("a value is outside the range of its type")
)

// A reader takes a record apart from the front. The first error stays, and
// everything read after it is zero.
type reader struct {
	b     []byte
	err   error
	left  int // how many bytes of the arena this record may still take (X16)
	steps int // how many values may still be read over; some take no bytes
}

// Expansion of one record into the arena is bounded: few bytes can name a
// decimal with very many zeros, or an array of them.
const (
	expandBytes  = 64 << 20
	expandFactor = 16
	skipSteps    = 10_000
)

func newReader(body []byte) reader {
	return reader{b: body, left: expandBytes + expandFactor*len(body), steps: skipSteps + 4*len(body)}
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// end gives the first error, or one if bytes remain.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		return fmt.Errorf("%d bytes remain behind the record", len(r.b))
	}
	return r.err
}

// take gives the next n bytes.
func (r *reader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.b)) {
		r.fail(errLength)
		return nil
	}
	head := r.b[:n:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail(errCut)
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// long reads Avro's int and long.
func (r *reader) long() int64 {
	var u uint64
	for i, c := range r.b {
		if i == 10 || i == 9 && c > 1 {
			r.fail(errLong)
			return 0
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.b = r.b[i+1:]
			return int64(u>>1) ^ -int64(u&1)
		}
	}
	r.fail(errCut)
	return 0
}

// int reads a number that Avro's int can hold.
func (r *reader) int() int64 {
	n := r.long()
	if n != int64(int32(n)) {
		r.fail(errValue)
		return 0
	}
	return n
}

// bytes reads Avro's bytes and string.
func (r *reader) bytes() []byte { return r.take(r.long()) }

// block reads the head of a block of an array or map: how many items follow,
// none at the end. Items take at least a byte each.
func (r *reader) block() int64 {
	n := r.long()
	if n < 0 {
		r.long() // the block's size in bytes
		n = -n
	}
	if n < 0 || n > int64(len(r.b)) {
		r.fail(errLength)
		return 0
	}
	return n
}

// expand allows for n more bytes in the arena.
func (r *reader) expand(n int) bool {
	if r.left -= n; r.left < 0 {
		r.fail(errBomb)
		return false
	}
	return true
}
