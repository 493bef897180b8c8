package compare

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// A Sorter sorts entries by key; those of one key stay in the order in which they
// were added. Past a bound it spills into files of a directory. One goroutine
// uses it.
//
//	run   = entry*                     sorted
//	entry = length:uvarint key length:uvarint value
type Sorter struct {
	dir     string
	max     int
	arena   []byte
	entries []span
	runs    []*os.File
}

// span is where an entry lies in the arena.
type span struct{ key, value, end int }

// NewSorter makes a sorter that holds max bytes in memory.
func NewSorter(dir string, max int) *Sorter { return &Sorter{dir: dir, max: max} }

// Add copies an entry.
func (s *Sorter) Add(key, value []byte) error {
	at := len(s.arena)
	s.arena = append(append(s.arena, key...), value...)
	s.entries = append(s.entries, span{at, at + len(key), len(s.arena)})
	if len(s.arena)+24*len(s.entries) < s.max {
		return nil
	}
	return s.spill()
}

func (s *Sorter) sort() {
	slices.SortStableFunc(s.entries, func(a, b span) int { return bytes.Compare(s.arena[a.key:a.value], s.arena[b.key:b.value]) })
}

// spill writes what is held as a run.
func (s *Sorter) spill() error {
	s.sort()
	f, err := os.CreateTemp(s.dir, "compare-*")
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	w := bufio.NewWriterSize(f, 256<<10)
	var head []byte
	for _, e := range s.entries {
		head = binary.AppendUvarint(head[:0], uint64(e.value-e.key))
		_, _ = w.Write(append(head, s.arena[e.key:e.value]...))
		head = binary.AppendUvarint(head[:0], uint64(e.end-e.value))
		_, _ = w.Write(append(head, s.arena[e.value:e.end]...)) // w keeps the first error
	}
	s.arena, s.entries = s.arena[:0], s.entries[:0]
	return w.Flush()
}

// Sort ends the adding and gives the entries.
func (s *Sorter) Sort() (dataflow.Cursor, error) {
	s.sort()
	m := &merging{}
	for i, f := range s.runs {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		m.add(&run{at: i, r: bufio.NewReaderSize(f, 64<<10)})
	}
	m.add(&run{at: len(s.runs), held: s.entries, arena: s.arena})
	heap.Init(&m.heap)
	return m, m.err
}

// Close removes the files.
func (s *Sorter) Close() error {
	var all []error
	for _, f := range s.runs {
		all = append(all, f.Close(), os.Remove(f.Name()))
	}
	s.runs, s.arena, s.entries = nil, nil, nil
	return errors.Join(all...)
}

// A run is one sorted sequence, in a file or in memory.
type run struct {
	at         int // earlier runs were added earlier
	r          *bufio.Reader
	held       []span
	arena      []byte
	key, value []byte
}

// next goes to the run's next entry; io.EOF behind the last one.
func (r *run) next() (err error) {
	if r.r == nil {
		if len(r.held) == 0 {
			return io.EOF
		}
		e := r.held[0]
		r.held, r.key, r.value = r.held[1:], r.arena[e.key:e.value], r.arena[e.value:e.end]
		return nil
	}
	if r.key, err = readBytes(r.r, r.key); err != nil {
		return err
	}
	if r.value, err = readBytes(r.r, r.value); errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func readBytes(r *bufio.Reader, into []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	into = slices.Grow(into[:0], int(n))[:n]
	if _, err := io.ReadFull(r, into); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return into, nil
}

// merging is a cursor over all runs.
type merging struct {
	heap runs
	at   *run // whose entry is the present one
	err  error
}

func (m *merging) add(r *run) {
	switch err := r.next(); {
	case err == nil:
		m.heap = append(m.heap, r)
	case !errors.Is(err, io.EOF):
		m.err = errors.Join(m.err, err)
	}
}

func (m *merging) Next() bool {
	if m.at != nil {
		switch err := m.at.next(); {
		case err == nil:
			heap.Fix(&m.heap, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&m.heap)
		default:
			m.err = err
		}
		m.at = nil
	}
	if m.err != nil || len(m.heap) == 0 {
		return false
	}
	m.at = m.heap[0]
	return true
}

func (m *merging) Key() []byte   { return m.at.key }
func (m *merging) Value() []byte { return m.at.value }
func (m *merging) Err() error    { return m.err }
func (m *merging) Close() error  { return nil }

// runs is a heap of runs by their present entry.
type runs []*run

func (h runs) Len() int      { return len(h) }
func (h runs) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h runs) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return cmp.Less(h[i].at, h[j].at)
}

// Push implements heap.Interface.
func (h *runs) Push(x any) { *h = append(*h, x.(*run)) }

// Pop implements heap.Interface.
func (h *runs) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
