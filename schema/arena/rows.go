package arena

import (
	"unsafe"

	"github.com/evertdb/evert/schema"
)

const blockValues = 4096 // at least a row of the widest table

// Rows hands out rows from blocks of values that are used again. The zero Rows is
// ready. It is not safe for concurrent use.
type Rows struct {
	blocks [][]schema.Value // each of blockValues or, for a single larger row, more
	next   int              // blocks[next-1] is the one in use
	free   []schema.Value   // what is left of it
	used   int
}

// Row gives a row of n values that is valid until Reset or Clear. They hold what was
// there before; the caller sets every one.
func (a *Rows) Row(n int) schema.Row {
	if n > len(a.free) {
		a.grow(n)
	}
	row := a.free[:n:n]
	a.free = a.free[n:]
	a.used += n
	return row
}

// Used is the number of values handed out since the last Reset or Clear.
func (a *Rows) Used() int { return a.used }

// Size is the number of bytes that these values take.
func (a *Rows) Size() int { return a.used * int(unsafe.Sizeof(schema.Value{})) }

// Reset takes every row back. Blocks are kept for reuse, with the values in them.
func (a *Rows) Reset() { a.next, a.free, a.used = 0, nil, 0 }

// Clear is Reset for values that refer to memory besides the arena's: it forgets
// them, so that they do not keep it alive. What was not handed out since the last
// Clear holds none.
func (a *Rows) Clear() {
	for i, b := range a.blocks[:a.next] {
		if i == a.next-1 {
			b = b[:len(b)-len(a.free)]
		}
		clear(b)
	}
	a.Reset()
}

func (a *Rows) grow(n int) {
	for a.next < len(a.blocks) && len(a.blocks[a.next]) < n {
		a.next++
	}
	if a.next == len(a.blocks) {
		a.blocks = append(a.blocks, make([]schema.Value, max(n, blockValues)))
	}
	a.free = a.blocks[a.next]
	a.next++
}
