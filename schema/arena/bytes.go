package arena

import "math"

const blockBytes = 64 << 10

// Bytes hands out memory that is freed all at once. The zero Bytes is ready.
// It is not safe for concurrent use.
type Bytes struct {
	Most int // that Used should come to, for who asks for Room; 0: any

	blocks [][]byte // each of blockBytes or, for a single larger value, more
	next   int      // blocks[next-1] is the one in use
	free   []byte   // what is left of it
	used   int
}

// Alloc gives n bytes that are valid until Reset. Their content is undefined.
func (a *Bytes) Alloc(n int) []byte {
	if n > len(a.free) {
		a.grow(n)
	}
	b := a.free[:n:n]
	a.free = a.free[n:]
	a.used += n
	return b
}

// Copy gives a copy of b that is valid until Reset; never nil.
func (a *Bytes) Copy(b []byte) []byte {
	c := a.Alloc(len(b))
	copy(c, b)
	return c
}

// Adopt counts memory that was made elsewhere, for a value that lies here.
func (a *Bytes) Adopt(b []byte) { a.used += cap(b) }

// Room is how much more should be used. Whoever can make much of little asks for it before.
func (a *Bytes) Room() int {
	if a.Most == 0 {
		return math.MaxInt
	}
	return max(a.Most-a.used, 0)
}

// Used is the number of bytes handed out or adopted since the last Reset.
func (a *Bytes) Used() int { return a.used }

// Reset frees everything. Blocks are kept for reuse, except those made for
// single large values.
func (a *Bytes) Reset() {
	kept := a.blocks[:0]
	for _, b := range a.blocks {
		if len(b) == blockBytes {
			kept = append(kept, b)
		}
	}
	clear(a.blocks[len(kept):])
	a.blocks, a.next, a.free, a.used = kept, 0, nil, 0
}

func (a *Bytes) grow(n int) {
	if n > blockBytes/4 { // a block of its own; the one in use stays in use
		big := make([]byte, n)
		a.blocks = append(a.blocks, big)
		last := len(a.blocks) - 1
		a.blocks[a.next], a.blocks[last] = a.blocks[last], a.blocks[a.next]
		a.next++
		a.free, big = big, nil
		return
	}
	for a.next < len(a.blocks) && len(a.blocks[a.next]) != blockBytes {
		a.next++
	}
	if a.next == len(a.blocks) {
		a.blocks = append(a.blocks, make([]byte, blockBytes))
	}
	a.free = a.blocks[a.next]
	a.next++
}
