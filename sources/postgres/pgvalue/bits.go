package pgvalue

import (
	"io"

	"github.com/evertdb/evert/schema"
)

// bits prints a bit string: its length as int32, then its bits from the highest
// of the first byte on.
func (r *Reader) bits(b []byte) (schema.Value, error) {
	if len(b) < 4 {
		return schema.Value{}, malformed(Bits, len(b))
	}
	n, b := int64(int32(be.Uint32(b))), b[4:]
	if n < 0 || (n+7)/8 != int64(len(b)) {
		return schema.Value{}, malformed(Bits, len(b))
	}
	out := r.Arena.Alloc(int(n))
	appendBits(out[:0], b, len(out))
	return schema.Text(out), nil
}

// appendBits prints n bits of b.
func appendBits(dst, b []byte, n int) []byte {
	for i := range n {
		dst = append(dst, '0'+b[i/8]>>(7-i%8)&1)
	}
	return dst
}

// BitCount reads how many bits a bit string has, off the front of its binary form of
// size bytes.
func BitCount(r io.Reader, size int64) (int64, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	n := int64(int32(be.Uint32(head[:])))
	if n < 0 || (n+7)/8 != size-4 {
		return 0, malformed(Bits, int(size))
	}
	return n, nil
}

// BitReader prints a bit string piece by piece, out of its binary form of size bytes.
func BitReader(r io.Reader, size int64) (io.Reader, error) {
	n, err := BitCount(r, size)
	return &bitReader{from: r, left: n}, err
}

type bitReader struct {
	from  io.Reader
	left  int64 // bits that are not printed
	sent  [4 << 10]byte
	text  [32 << 10]byte
	ready []byte // of text, not given yet
}

func (b *bitReader) Read(p []byte) (int, error) {
	if len(b.ready) == 0 {
		if b.left == 0 {
			return 0, io.EOF
		}
		n := min(b.left, int64(len(b.text)))
		if _, err := io.ReadFull(b.from, b.sent[:(n+7)/8]); err != nil {
			return 0, err
		}
		b.ready = appendBits(b.text[:0], b.sent[:], int(n))
		b.left -= n
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}
