package mysql

import (
	"runtime"
	"sync"

	"github.com/go-mysql-org/go-mysql/replication"
)

// decoders read rows ahead of the assembler, which takes the events one after the other.
//
//	         passed │ stretch        │ stretch        │ stretch      │ not handed out
//	events   e1 e2  │ e3   e4   e5   │ e6   e7        │ e8 … e20     │ e21 e22 …      in the log's order
//	                  ▲ assembler      read             a decoder
//
// What an event's rows are depends on its bytes and on the shape of its table alone. The
// shape is that which the table has when the event is handed out; whether it still has it
// where the event lies is for the assembler to see, which else reads the rows itself. So it
// does with a row that cannot be read: an error is met in its place, behind the rows before
// it. Definitions, transactions, XA and places are the assembler's, as if nobody read ahead.
//
// At most stretchesPerDecoder are ahead for each decoder, each with StretchBytes of events
// and DecodedBytes of what was read from them, or unpacked, and a row more (I9). Nil decoders
// read nothing ahead.
type decoders struct {
	config *Config
	wanted func() bool // whoever takes the rows waits for them, or soon does
	work   chan *stretch
	free   chan *stretch
	group  sync.WaitGroup

	// Owned by the owner of the stream.
	events []loggedRows // the row events of those that were looked at
	at     int          // of events: it is taken next
	next   int          // of events: it is handed out next
	ahead  []*stretch   // not passed yet, in the log's order
}

// A loggedRows is a row event of the log, not taken apart.
type loggedRows struct {
	kind replication.EventType
	body []byte
}

// size is how large it is, or becomes when its rows are unpacked.
func (l *loggedRows) size() int {
	var e rowsEvent
	if !isCompressed(l.kind) || e.head(l.kind, l.body) != nil {
		return len(l.body)
	}
	n, ok := unpackedSize(e.rows)
	if !ok {
		return len(l.body)
	}
	return len(l.body) - len(e.rows) + int(n)
}

const (
	stretchesPerDecoder = 2
	mostDecoders        = 3 // that start unasked: more than one log needs
)

// decodersOf gives how many goroutines read rows ahead.
func (c *Config) decodersOf() int {
	if c.Decoders != 0 {
		return max(c.Decoders, 0)
	}
	return min(runtime.GOMAXPROCS(0)-1, mostDecoders)
}

// newDecoders starts decoders, which close ends.
func newDecoders(c *Config, wanted func() bool) *decoders {
	n := c.decodersOf()
	if n == 0 {
		return nil
	}
	ahead := stretchesPerDecoder * n
	used := c.QueueBatches * (c.BatchBytes/c.StretchBytes + 1) // by batches on their way
	d := &decoders{config: c, wanted: wanted, work: make(chan *stretch, ahead), free: make(chan *stretch, ahead+used)}
	for range n {
		d.group.Go(d.run)
	}
	return d
}

// hungers reports whether few batches wait for Next.
func (s *Source) hungers() bool {
	n, _ := s.queue.Fill()
	return 2*n < s.config.QueueBatches
}

// run is one decoder.
func (d *decoders) run() {
	for s := range d.work {
		if s.claim() {
			s.decode(d.config)
			s.done <- struct{}{}
		}
		_ = s.Close()
	}
}

// close waits for the decoders. Rows that are in batches stay.
func (d *decoders) close() {
	if d == nil {
		return
	}
	for _, s := range d.ahead {
		d.drop(s)
	}
	d.ahead = nil
	close(d.work)
	d.group.Wait()
}

// drop lets go of a stretch. Nobody begins to read it any more.
func (d *decoders) drop(s *stretch) {
	s.claim()
	_ = s.Close()
}

// look makes known what the assembler is going to take.
func (d *decoders) look(f framing, events []*replication.BinlogEvent) {
	if d == nil {
		return
	}
	clear(d.events)
	d.events, d.at, d.next = d.events[:0], 0, 0
	for _, e := range events {
		f.note(e)
		if p, ok := e.Event.(*replication.TransactionPayloadEvent); ok {
			for _, inner := range p.Events {
				d.see(framing{}, inner)
			}
		}
		d.see(f, e)
	}
}

func (d *decoders) see(f framing, e *replication.BinlogEvent) {
	if _, ok := rowsOp(e.Header.EventType); ok {
		d.events = append(d.events, loggedRows{e.Header.EventType, f.body(e)})
	}
}

// fill hands out what comes next, as long as little is ahead and somebody waits for it: where
// batches wait, another goroutine would only take a processor from those that have them. Rows
// that are passed over or wait for their transaction are not read.
func (d *decoders) fill(a *assembler) {
	if d == nil || a.held || a.skip {
		return
	}
	for d.next = max(d.next, d.at); len(d.ahead) < cap(d.work) && d.next < len(d.events) && d.wanted(); {
		s := d.gather(a)
		if s == nil {
			return
		}
		d.ahead = append(d.ahead, s)
		select {
		case d.work <- s:
		default: // of those that the owner claimed; it reads this one too
			_ = s.Close()
		}
	}
}

// gather makes a stretch of the events that come next, up to one whose table was not
// described yet; nil: they are too few.
func (d *decoders) gather(a *assembler) *stretch {
	s := d.get()
	for ; d.next < len(d.events) && s.bytes < d.config.StretchBytes; d.next++ {
		e := d.events[d.next]
		sh, known := a.shapeOf(e.body)
		if !known {
			break
		}
		if size := e.size(); sh != nil && size <= d.config.DecodedBytes {
			s.add(decoded{at: d.next, loggedRows: e, shape: sh}, size)
		}
	}
	if s.bytes >= d.config.StretchLeast {
		return s
	}
	_, _ = s.Close(), s.Close() // nobody else has it
	return nil
}

// get gives an empty stretch, which whoever is to read it and the owner hold.
func (d *decoders) get() *stretch {
	var s *stretch
	select {
	case s = <-d.free:
	default:
		s = &stretch{done: make(chan struct{}, 1), free: d.free}
	}
	s.holders.Store(2)
	return s
}

// shapeOf is the shape that the rows of an event are to be read with, if nothing changes
// before them; nil: they are passed over. It is not known before the table's description.
func (a *assembler) shapeOf(body []byte) (sh *shape, known bool) {
	id, err := rowsTable(body)
	m := a.mapped[id]
	switch {
	case err != nil || m == nil:
		return nil, false
	case m.rel == nil:
		return nil, true
	}
	return m.rel.shape, true
}

// here gives the event that is taken now, if it was handed out.
func (d *decoders) here() *decoded {
	if d == nil || len(d.ahead) == 0 {
		return nil
	}
	if e := d.ahead[0].first(); e.at == d.at {
		return e
	}
	return nil
}

// passed tells that the event was taken.
func (d *decoders) passed() {
	if d == nil {
		return
	}
	if d.here() != nil {
		s := d.ahead[0]
		if s.passed++; s.passed == len(s.events) {
			d.ahead = append(d.ahead[:0], d.ahead[1:]...)
			d.drop(s)
		}
	}
	d.at++
}

// read waits until an event was read in a shape; nil: it is not. The owner reads other
// stretches meanwhile.
func (d *decoders) read(e *decoded, sh *shape) *decoded {
	if e == nil || e.shape != sh {
		return nil
	}
	for s := d.ahead[0]; !s.isHere; {
		if s.arrived() {
			break
		}
		if !d.help() {
			<-s.done
			s.isHere = true
		}
	}
	if !e.isRead {
		return nil
	}
	return e
}

// help reads the next stretch that nobody has claimed.
func (d *decoders) help() bool {
	for _, s := range d.ahead {
		if s.claim() {
			s.decode(d.config)
			s.isHere = true
			return true
		}
	}
	return false
}
