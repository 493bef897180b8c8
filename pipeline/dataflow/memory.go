package dataflow

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sort"
)

// Memory is a state in memory: a Reader, and a Writer whose writes are seen when
// Apply is called. It is for tests, and for views of a size that fits. One
// goroutine uses it.
type Memory struct {
	entries []entry // by key
	writes  []entry
}

type entry struct {
	key, value []byte
	gone       bool
}

// Get looks key up.
func (m *Memory) Get(key []byte) ([]byte, bool, error) {
	i, ok := m.find(key)
	if !ok {
		return nil, false, nil
	}
	return m.entries[i].value, true, nil
}

func (m *Memory) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(m.entries, key, func(e entry, k []byte) int { return bytes.Compare(e.key, k) })
}

// Scan goes over a range of what was applied before it began.
func (m *Memory) Scan(low, high []byte) (Cursor, error) {
	from, _ := m.find(low)
	to, _ := m.find(high)
	return &memoryCursor{entries: m.entries[from:max(from, to)], at: -1}, nil
}

// Put writes.
func (m *Memory) Put(key, value []byte) error {
	m.writes = append(m.writes, entry{key: bytes.Clone(key), value: append([]byte{}, value...)})
	return nil
}

// Delete writes that there is nothing.
func (m *Memory) Delete(key []byte) error {
	m.writes = append(m.writes, entry{key: bytes.Clone(key), gone: true})
	return nil
}

// Apply makes what was written part of the state.
func (m *Memory) Apply() {
	slices.SortStableFunc(m.writes, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	merged := make([]entry, 0, len(m.entries)+len(m.writes))
	old := m.entries
	for _, w := range m.writes {
		n := sort.Search(len(old), func(i int) bool { return bytes.Compare(old[i].key, w.key) >= 0 })
		merged = append(merged, old[:n]...)
		if old = old[n:]; len(old) > 0 && bytes.Equal(old[0].key, w.key) {
			old = old[1:]
		}
		if !w.gone {
			merged = append(merged, w)
		}
	}
	m.entries, m.writes = append(merged, old...), nil
}

// Drop forgets what was written and not applied.
func (m *Memory) Drop() { m.writes = nil }

// Len is the number of entries.
func (m *Memory) Len() int { return len(m.entries) }

type memoryCursor struct {
	entries []entry
	at      int
}

func (c *memoryCursor) Next() bool    { c.at++; return c.at < len(c.entries) }
func (c *memoryCursor) Key() []byte   { return c.entries[c.at].key }
func (c *memoryCursor) Value() []byte { return c.entries[c.at].value }
func (c *memoryCursor) Err() error    { return nil }
func (c *memoryCursor) Close() error  { return nil }

// MemorySorter is a Sorter that never spills.
type MemorySorter struct {
	blocks [][]byte
	refs   []ref
	sorted bool
}

// A ref points to an entry: its key, then its value. head is eight bytes of the
// key behind what all keys share.
type ref struct {
	head      uint64
	block, at uint32
	key, size uint32
}

// Blocks double in size.
const (
	leastBlock = 4 << 10
	mostBlock  = 1 << 20
)

// NewMemorySorter makes one; it fits Env.NewSorter.
func NewMemorySorter() (Sorter, error) { return &MemorySorter{}, nil }

// Add copies the entry.
func (s *MemorySorter) Add(key, value []byte) error {
	n := len(key) + len(value)
	last := len(s.blocks) - 1
	if last < 0 || len(s.blocks[last])+n > cap(s.blocks[last]) {
		size := min(leastBlock<<min(len(s.blocks), 8), mostBlock)
		s.blocks = append(s.blocks, make([]byte, 0, max(size, n)))
		last++
	}
	b := s.blocks[last]
	s.refs = append(s.refs, ref{block: uint32(last), at: uint32(len(b)), key: uint32(len(key)), size: uint32(n)})
	s.blocks[last] = append(append(b, key...), value...)
	s.sorted = false
	return nil
}

func (s *MemorySorter) keyOf(r *ref) []byte {
	return s.blocks[r.block][r.at : r.at+r.key : r.at+r.key]
}

// Sort ends the adding.
func (s *MemorySorter) Sort() (Cursor, error) {
	if !s.sorted {
		s.sort()
	}
	return &sorterCursor{s: s, at: -1}, nil
}

func (s *MemorySorter) sort() {
	s.sorted = true
	if len(s.refs) == 0 {
		return
	}
	skip := s.shared()
	for i := range s.refs {
		s.refs[i].head = headOf(s.keyOf(&s.refs[i])[skip:])
	}
	slices.SortFunc(s.refs, func(a, b ref) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		if c := bytes.Compare(s.keyOf(&a)[skip:], s.keyOf(&b)[skip:]); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.block, b.block), cmp.Compare(a.at, b.at))
	})
}

// shared is how many bytes all keys begin with.
func (s *MemorySorter) shared() int {
	first := s.keyOf(&s.refs[0])
	n := len(first)
	for i := range s.refs {
		k := s.keyOf(&s.refs[i])
		n = min(n, len(k))
		for j := range n {
			if k[j] != first[j] {
				n = j
				break
			}
		}
	}
	return n
}

func headOf(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var h [8]byte
	copy(h[:], b)
	return binary.BigEndian.Uint64(h[:])
}

// Close drops everything.
func (s *MemorySorter) Close() error {
	s.blocks, s.refs = nil, nil
	return nil
}

type sorterCursor struct {
	s  *MemorySorter
	at int
}

func (c *sorterCursor) Next() bool  { c.at++; return c.at < len(c.s.refs) }
func (c *sorterCursor) Key() []byte { return c.s.keyOf(&c.s.refs[c.at]) }
func (c *sorterCursor) Value() []byte {
	r := &c.s.refs[c.at]
	return c.s.blocks[r.block][r.at+r.key : r.at+r.size : r.at+r.size]
}
func (c *sorterCursor) Err() error   { return nil }
func (c *sorterCursor) Close() error { return nil }
