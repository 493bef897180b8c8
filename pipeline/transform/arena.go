package transform

import "unsafe"

// arenaKept is the most memory that is held from batch to batch, in bytes.
const arenaKept = 4 << 20

// An arena hands out memory that lives until reset. What was handed out stays
// where it is when more is needed.
type arena[T any] struct {
	block []T
}

// make gives n zeroed elements.
func (a *arena[T]) make(n int) []T {
	if cap(a.block)-len(a.block) < n {
		a.block = make([]T, 0, max(n, 2*cap(a.block), 1024))
	}
	from := len(a.block)
	a.block = a.block[:from+n]
	out := a.block[from : from+n : from+n]
	clear(out)
	return out
}

// reset takes everything back.
func (a *arena[T]) reset() {
	var one T
	if cap(a.block)*int(unsafe.Sizeof(one)) > arenaKept {
		a.block = nil
		return
	}
	a.block = a.block[:0]
}
