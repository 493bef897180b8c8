package capture

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// A Policy says what happens to a row that its topic does not take.
type Policy uint8

// The policies. See the package's documentation for what each writes.
const (
	StopTable Policy = iota
	Truncate
	Offload
	DeadLetter
)

// String gives the word of the configuration.
func (p Policy) String() string {
	return [...]string{"stop_table", "truncate", "offload", "dead_letter"}[min(p, DeadLetter)]
}

// An Oversize is a row that was too large, and what became of it.
type Oversize struct {
	Table   *schema.Table
	Topic   string
	KeyHash uint32 // CRC-32 of the record's key: the key itself is a row's value
	Bytes   int    // of the record's value, had it been written; about, if one value of the row was too large by itself
	Limit   int
	Policy  Policy
}

// DefaultRecordBytes is the largest record, and the largest value, of a Config
// that does not say.
const DefaultRecordBytes = 16 << 20

// recordOverhead is more than a record takes beside its key, its value and the
// headers that it has for its own reasons: a batch's head, the place, the part.
const recordOverhead = 256

// limit is the largest record of a table's topic.
func (s *Sink) limit(tab *table) int {
	if tab.maxBytes > 0 {
		return min(tab.maxBytes, s.RecordBytes)
	}
	return s.RecordBytes
}

// room is how large the value of a record may be.
func (s *Sink) room(tab *table, key []byte, headers []log.Header) int {
	n := s.limit(tab) - recordOverhead - len(key)
	for i := range headers {
		n -= 10 + len(headers[i].Key) + len(headers[i].Value)
	}
	return n
}

// fits reports whether an event may go as it is encoded.
func (s *Sink) fits(tab *table, e *avro.Event, key, value []byte, headers []log.Header) bool {
	if len(value) > s.room(tab, key, headers) {
		return false
	}
	return len(value) <= s.ValueBytes || !s.anyLarge(e.After) && !s.anyLarge(e.Before)
}

// anyLarge reports whether a value is above the bound of single values.
func (s *Sink) anyLarge(row schema.Row) bool {
	for i := range row {
		if len(row[i].Ref()) > s.ValueBytes {
			return true
		}
	}
	return false
}

// hopeless reports whether no record takes the rows of an event, however they are
// encoded: a value is not in memory, or one that is in a record as it is is too large.
func (s *Sink) hopeless(o *outgoing) bool {
	return s.tooLong(o.e.Before) || s.tooLong(o.e.After) || o.c.Aside != nil && o.isAside()
}

// tooLong reports whether a row has a text, byte string or JSON above the bound of
// single values.
func (s *Sink) tooLong(row schema.Row) bool {
	for i := range row {
		if movable(row[i].Kind()) && len(row[i].Ref()) > s.ValueBytes {
			return true
		}
	}
	return false
}

// most is more than a row takes in a record of the table.
func (s *Sink) most(tab *table, row schema.Row) int {
	n := s.envelope(tab)
	for i := range row {
		if n += 48 + len(row[i].Ref()); !movable(row[i].Kind()) {
			n += len(row[i].Ref())
		}
	}
	return n
}

// An outgoing event is on its way into its topic. A row that no record takes is
// not encoded: it may be as large as memory.
type outgoing struct {
	tab     *table
	c       *pipeline.Change
	e       *avro.Event
	key     []byte
	value   []byte // nil if it was not encoded
	size    int    // of value, or more than it would have
	headers []log.Header
	stored  []*laid // values that were left in pieces, by column
	most    int     // the bound of single values
}

// put appends a record of an event, or does what the table's policy says if it
// is too large. The old row goes first: it is what a change came from, no reader
// needs it, and the new row stays whole (I5).
func (s *Sink) put(ctx context.Context, o *outgoing) error {
	if fits, err := s.encode(o); err != nil {
		return err
	} else if fits {
		s.add(o.tab, o.c, o.key, o.value, o.headers)
		return s.forgetOld(ctx, o)
	}
	size := o.size
	if o.e.Before != nil {
		o.e.Before = nil
		o.headers = append(o.headers, jsonHeader(log.CutHeader, []log.Cut{{Row: "before"}}))
		if fits, err := s.encode(o); err != nil {
			return err
		} else if fits {
			s.oversize(o, size, o.tab.policy)
			s.add(o.tab, o.c, o.key, o.value, o.headers)
			return s.forgetOld(ctx, o)
		}
	}
	return s.follow(ctx, o, size)
}

// encode encodes an event, and reports whether it may go so. One that is hopeless
// is left alone.
func (s *Sink) encode(o *outgoing) (fits bool, err error) {
	if s.hopeless(o) {
		o.value, o.size = nil, s.most(o.tab, o.e.Before)+s.most(o.tab, o.e.After)+s.absent(o)
		return false, nil
	}
	if o.value, err = s.value(o.tab, o.e); err != nil {
		return false, err
	}
	o.size = len(o.value)
	return s.fits(o.tab, o.e, o.key, o.value, o.headers), nil
}

// forgetOld is forget for a row; that of a delete follows its tombstone.
func (s *Sink) forgetOld(ctx context.Context, o *outgoing) error {
	if o.e.After == nil {
		return nil
	}
	return s.forget(ctx, o)
}

// follow does what the table's policy says of a row that is too large by itself.
func (s *Sink) follow(ctx context.Context, o *outgoing, size int) error {
	done := false
	var err error
	switch keyFits := s.room(o.tab, o.key, nil) > 0; {
	case !keyFits || o.e.After == nil || !o.tab.takes(o.tab.policy):
	case o.tab.policy == Truncate:
		done, err = s.cut(o)
	case o.tab.policy == Offload:
		done, err = s.offload(ctx, o)
	case o.tab.policy == DeadLetter:
		done, err = true, s.deadLetter(ctx, o)
	}
	if err != nil {
		return err
	}
	if !done {
		return s.stop(o, size)
	}
	s.oversize(o, size, o.tab.policy)
	return nil
}

func (s *Sink) oversize(o *outgoing, size int, p Policy) {
	if s.Events.Oversize != nil {
		s.Events.Oversize(Oversize{Table: o.tab.Table, Topic: o.tab.topic, KeyHash: crc32.ChecksumIEEE(o.key), Bytes: size, Limit: s.limit(o.tab), Policy: p})
	}
}

// again encodes an event with another row, and reports whether it fits.
func (s *Sink) again(o *outgoing, after schema.Row, headers []log.Header) (bool, error) {
	e := *o.e
	e.After = after
	kept := s.arena
	s.arena = make([]byte, 0, s.most(o.tab, after)) // of its own: it is as large as a record may be
	value, err := s.value(o.tab, &e)
	s.arena = kept
	if err != nil {
		return false, err
	}
	if len(value) > s.room(o.tab, o.key, headers) {
		return false, nil
	}
	s.add(o.tab, o.c, o.key, value, headers)
	return true, nil
}

// jsonHeader is a header of what always has a JSON form.
func jsonHeader(key string, v any) log.Header {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return log.Header{Key: key, Value: text}
}

// stop ends the table of a row that no record takes.
func (s *Sink) stop(o *outgoing, size int) error {
	return s.halt(o.tab.topic, o.tab.Table, &pipeline.Refusal{
		Code:  codeTooLarge,
		Where: fmt.Sprintf("table %s, key hash %08x", o.tab, crc32.ChecksumIEEE(o.key)),
		What:  fmt.Sprintf("a row of %d bytes is above the %d that its topic takes, so the table has stopped", size, s.limit(o.tab)),
		Mend:  s.mendOf(codeTooLarge, o.tab.Table),
	})
}
