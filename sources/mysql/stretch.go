package mysql

import (
	"sync/atomic"

	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// A stretch is row events that follow each other in the log, and the rows that were read
// from them, in memory of its own. It is read by whoever claims it, and used again when
// nobody holds it: whoever was to read it, the owner of the stream until it has passed it,
// every batch that has rows of it.
type stretch struct {
	events   []decoded
	bytes    int // of events, unpacked
	rows     []decodedRow
	values   arena.Rows
	memory   arena.Bytes
	unpacked int // bytes of events that were compressed: values refer to them

	claimed atomic.Bool
	done    chan struct{} // of the decoder that has claimed it; has room for it
	holders atomic.Int32
	free    chan<- *stretch

	// Owned by the owner of the stream.
	isHere bool // it was read
	passed int  // events
}

// A decoded is a row event of a stretch.
type decoded struct {
	loggedRows
	at    int // in the log
	shape *shape

	// Set by whoever reads it.
	isRead  bool // it was taken apart; of its rows the first ones were read
	event   rowsEvent
	stretch *stretch
	from    int // of the stretch's rows
	rows    int
}

// A decodedRow is a row as the assembler would read it.
type decodedRow struct {
	stretch       *stretch
	before, after schema.Row
	size          int // in the log
	memory        int // of the stretch
}

func (s *stretch) add(e decoded, size int) {
	e.stretch = s
	s.events = append(s.events, e)
	s.bytes += size
}

// first is the event that is passed next.
func (s *stretch) first() *decoded { return &s.events[s.passed] }

// claim reports whether the caller is to read it.
func (s *stretch) claim() bool { return s.claimed.CompareAndSwap(false, true) }

// arrived reports whether a decoder has read it.
func (s *stretch) arrived() bool {
	select {
	case <-s.done:
		s.isHere = true
	default:
	}
	return s.isHere
}

// decode reads the events as far as there is room for their rows.
func (s *stretch) decode(c *Config) {
	if c.decodes != nil {
		c.decodes(s)
	}
	for i := range s.events {
		if s.used() < c.DecodedBytes {
			s.read(&s.events[i], c.DecodedBytes)
		}
	}
}

// used is what the rows take, and the events that were unpacked for them.
func (s *stretch) used() int { return s.unpacked + s.values.Size() + s.memory.Used() }

// read reads an event, up to a row that cannot be read or that there is no room for: none of
// what is compressed is unpacked that would lie beyond most.
func (s *stretch) read(e *decoded, most int) {
	if !s.open(e, most-s.used()) {
		return
	}
	e.isRead, e.from = true, len(s.rows)
	for rest := e.event.rows; len(rest) > 0 && s.used() < most; e.rows++ {
		was := s.used()
		s.memory.Most = most - s.unpacked - s.values.Size()
		before, after, next, err := e.event.row(e.shape, rest, &s.values, &s.memory)
		if err != nil {
			return
		}
		s.rows = append(s.rows, decodedRow{s, before, after, len(rest) - len(next), s.used() - was})
		rest = next
	}
}

// open takes an event apart that is of its shape, and unpacks one that there is room for.
func (s *stretch) open(e *decoded, room int) bool {
	if e.event.head(e.kind, e.body) != nil || e.event.columns != len(e.shape.columns) {
		return false
	}
	if !isCompressed(e.kind) {
		return true
	}
	size, ok := unpackedSize(e.event.rows)
	if !ok || size > uint64(room) || e.event.unpack() != nil {
		return false
	}
	s.unpacked += len(e.event.rows)
	return true
}

// row gives row n of an event; nil: it was not read.
func (e *decoded) row(n uint64) *decodedRow {
	if e == nil || n >= uint64(e.rows) {
		return nil
	}
	return &e.stretch.rows[e.from+int(n)]
}

// lend counts a row to a batch, which holds the stretch from then on.
func (s *stretch) lend(b *handover.Batch, r *decodedRow) {
	if n := len(b.Aside); n == 0 || b.Aside[n-1] != s {
		s.holders.Add(1)
		b.Aside = append(b.Aside, s)
	}
	b.Borrowed += r.memory
}

// Close lets go of it, for one of those who hold it. Any goroutine may call it.
func (s *stretch) Close() error {
	if s.holders.Add(-1) > 0 {
		return nil
	}
	clear(s.events)
	s.events, s.rows, s.bytes, s.unpacked = s.events[:0], s.rows[:0], 0, 0
	s.values.Clear()
	s.memory.Reset()
	s.arrived() // the owner may have passed it without a wait
	s.isHere, s.passed = false, 0
	s.claimed.Store(false)
	select {
	case s.free <- s:
	default: // made for a peak; let it go
	}
	return nil
}
