package spill

import (
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// Sorter sorts entries by key, stably; see dataflow.Sorter. One goroutine uses
// it.
type Sorter struct {
	pool *Pool
	mem  memory
	held int64 // bytes of memory that are accounted for
	file vfs.File
	path string
	end  int64 // of the file
	runs []run // in the order in which their entries were added
	out  []byte
}

var _ dataflow.Sorter = (*Sorter)(nil)

// A run is sorted entries in the file. Its level counts the merges it went
// through.
type run struct {
	from, to int64
	level    int
}

// The bounds of a sorter.
const (
	fanIn    = 32       // runs of a level that become one
	minSpill = 64 << 10 // bytes that a sorter may hold whatever others do
	maxEntry = math.MaxUint32 >> 1
)

// errEntry is a mistake of the caller's.
var errEntry = errors.New("an entry of more than 2 GiB cannot be sorted")

// Add copies the entry.
func (s *Sorter) Add(key, value []byte) error {
	n := size(key, value)
	if !s.mem.fits(n) {
		if err := s.grow(n); err != nil {
			return err
		}
	}
	s.mem.add(key, value)
	return nil
}

// grow makes room for an entry of n bytes, by more memory or by spilling.
func (s *Sorter) grow(n int) error {
	if n > maxEntry {
		return errEntry
	}
	if s.more(n, s.held < minSpill) {
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	s.more(n, true)
	return nil
}

// more takes what is missing from the pool.
func (s *Sorter) more(n int, must bool) bool {
	m := &s.mem
	if refs := int64(max(64, len(m.refs))); len(m.refs) == cap(m.refs) {
		if !s.pool.take(refs*refBytes, must) {
			return false
		}
		s.held += refs * refBytes
		longer := make([]ref, len(m.refs), len(m.refs)+int(refs))
		copy(longer, m.refs)
		m.refs = longer
	}
	if m.fits(n) {
		return true
	}
	c := class(n)
	if c < pieces {
		c = max(c, min(len(m.pieces), pieces-1))
	}
	b := s.pool.piece(c, n, must)
	if b == nil {
		return false
	}
	m.pieces = append(m.pieces, b)
	s.held += int64(cap(b))
	return true
}

// spill writes what is in memory behind the other runs.
func (s *Sorter) spill() error {
	if len(s.mem.refs) == 0 {
		s.forget()
		return nil
	}
	s.mem.sort()
	c := s.memoryCursor()
	if err := s.write(c, 0); err != nil {
		return err
	}
	s.pool.runs.Add(1)
	s.forget()
	return s.settle()
}

// forget gives the memory back.
func (s *Sorter) forget() {
	refs := int64(cap(s.mem.refs)) * refBytes
	s.pool.used.Add(-refs)
	s.pool.give(s.mem.pieces)
	s.mem, s.held = memory{}, 0
}

// settle merges the last runs of one level as long as there are many.
func (s *Sorter) settle() error {
	for {
		n := len(s.runs)
		if n < fanIn || s.runs[n-fanIn].level != s.runs[n-1].level {
			return nil
		}
		c, err := s.merged(s.runs[n-fanIn:], nil)
		if err != nil {
			return err
		}
		level := s.runs[n-1].level + 1
		if err := errors.Join(s.write(c, level), c.Close()); err != nil {
			return err
		}
		s.runs = append(s.runs[:n-fanIn], s.runs[n])
	}
}

// write appends a run.
func (s *Sorter) write(c dataflow.Cursor, level int) error {
	if err := s.open(); err != nil {
		return err
	}
	w := blockWriter{s: s, from: s.end, b: s.out[:0]}
	for c.Next() {
		if err := w.add(c.Key(), c.Value()); err != nil {
			return err
		}
	}
	if err := errors.Join(c.Err(), w.flush()); err != nil {
		return err
	}
	s.out = w.b
	s.runs = append(s.runs, run{from: w.from, to: s.end, level: level})
	return nil
}

func (s *Sorter) open() error {
	if s.file != nil {
		return nil
	}
	s.path = s.pool.opt.FS.PathJoin(s.pool.dir, fmt.Sprintf("%06d.run", s.pool.files.Add(1)))
	f, err := s.pool.opt.FS.OpenReadWrite(s.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return full(err)
	}
	s.file = f
	return nil
}

// full marks the errors that mean that there is no room.
func full(err error) error {
	if vfs.IsNoSpaceError(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return fmt.Errorf("sort on the disk: %w", err)
}

// Sort ends the adding. Every cursor begins at the first entry; several may be
// open.
func (s *Sorter) Sort() (dataflow.Cursor, error) {
	s.mem.sort()
	if len(s.runs) == 0 {
		return s.memoryCursor(), nil
	}
	return s.merged(s.runs, s.memoryCursor())
}

// Close drops everything, and every cursor with it.
func (s *Sorter) Close() error {
	s.forget()
	s.runs, s.out = nil, nil
	if s.file == nil {
		return nil
	}
	s.pool.disk.Add(-s.end)
	s.end = 0
	err := errors.Join(s.file.Close(), s.pool.opt.FS.Remove(s.path))
	s.file = nil
	return err
}
