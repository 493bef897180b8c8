package spill

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// memory is the entries of a sorter that are not on disk. They lie one behind
// the other in pieces, and a ref to each is what is sorted.
//
//	entry = key size:uvarint value size:uvarint key value
type memory struct {
	pieces [][]byte
	refs   []ref
	first  []byte // key of the first entry
	shared int    // bytes that all keys begin with
	sorted bool   // refs are in order
}

// A ref is an entry: the first bytes of its key behind the shared ones, and its
// place, which also tells the order of adding.
type ref struct {
	head uint64
	at   uint64 // piece·2³² + byte
}

const refBytes = 16

// fits reports whether an entry of n bytes needs no further piece.
func (m *memory) fits(n int) bool {
	last := len(m.pieces) - 1
	return last >= 0 && cap(m.pieces[last])-len(m.pieces[last]) >= n && len(m.refs) < cap(m.refs)
}

// size is an entry's, at most.
func size(key, value []byte) int { return 2*binary.MaxVarintLen32 + len(key) + len(value) }

// add appends an entry, which fits.
func (m *memory) add(key, value []byte) {
	last := len(m.pieces) - 1
	b := m.pieces[last]
	at := uint64(last)<<32 | uint64(len(b))
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = append(append(b, key...), value...)
	m.pieces[last] = b
	if len(m.refs) == 0 {
		m.first, m.shared = b[len(b)-len(value)-len(key):len(b)-len(value)], len(key)
	} else {
		m.shared = common(m.first[:m.shared], key)
	}
	m.refs = append(m.refs, ref{at: at})
	m.sorted = false
}

// common counts the bytes that two keys begin with.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	if bytes.Equal(a[:n], b[:n]) {
		return n
	}
	i := 0
	for a[i] == b[i] {
		i++
	}
	return i
}

// entry gives key and value of a ref.
func (m *memory) entry(r ref) (key, value []byte) {
	b := m.pieces[r.at>>32][uint32(r.at):]
	k, n := binary.Uvarint(b)
	v, w := binary.Uvarint(b[n:])
	b = b[n+w:]
	return b[:k:k], b[k : k+v : k+v]
}

func (m *memory) key(r ref) []byte {
	key, _ := m.entry(r)
	return key
}

// head gives eight bytes of a key as a number that compares as they do.
func head(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// sort orders the refs by key, equal ones as they were added.
func (m *memory) sort() {
	if m.sorted {
		return
	}
	m.sorted = true
	inOrder := true
	for i := range m.refs {
		m.refs[i].head = head(m.key(m.refs[i])[m.shared:])
		inOrder = inOrder && (i == 0 || m.compare(m.refs[i-1], m.refs[i]) < 0)
	}
	if inOrder {
		return
	}
	if len(m.refs) < parallel {
		slices.SortFunc(m.refs, m.compare)
		return
	}
	m.sortHalves()
}

// compare orders refs; no two are equal.
func (m *memory) compare(a, b ref) int {
	if a.head != b.head {
		return cmp.Compare(a.head, b.head)
	}
	if c := bytes.Compare(m.key(a)[m.shared:], m.key(b)[m.shared:]); c != 0 {
		return c
	}
	return cmp.Compare(a.at, b.at)
}

// parallel is from how many entries on a second core is worth its while.
const parallel = 1 << 15

// sortHalves sorts one half beside the other, and merges them.
func (m *memory) sortHalves() {
	half := len(m.refs) / 2
	done := make(chan struct{})
	go func() {
		slices.SortFunc(m.refs[:half], m.compare)
		close(done)
	}()
	slices.SortFunc(m.refs[half:], m.compare)
	<-done
	left := slices.Clone(m.refs[:half])
	m.merge(left, m.refs[half:])
}

// merge writes two sorted lists into refs, of which right is the tail.
func (m *memory) merge(left, right []ref) {
	out := m.refs[:0]
	for len(left) > 0 && len(right) > 0 {
		if m.compare(left[0], right[0]) < 0 {
			out, left = append(out, left[0]), left[1:]
		} else {
			out, right = append(out, right[0]), right[1:]
		}
	}
	copy(m.refs[len(out):], left) // what is left of right lies where it belongs
}
