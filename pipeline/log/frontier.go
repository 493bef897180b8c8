package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A Frontier is what a source's frontier topic says at one of its records: the
// position reached, and with it the next offset of every table-topic partition,
// and the state of every table. Readers that apply exactly the rows below the
// offsets have whole transactions (I3).
type Frontier struct {
	Number      uint64 // counts the frontier records of a source, from 0
	Incarnation uint64 // of the source's topics
	Resume      pipeline.Resume
	Time        time.Time // the source's clock at the position; zero if unknown
	Offsets     Offsets
	Tables      map[string]TableState // by table topic
}

// A TableState says what the rows of a table topic are worth.
type TableState struct {
	State      Condition
	Generation uint32  // counts the times the table began anew (TRUNCATE, re-creation)
	From       []int64 // by partition: rows below are void
	Owed       bool    // tombstones for void rows are still to be written
	Cut        bool    // a record may hold values that were cut
	Offloaded  bool    // a record may have values in the side topic
	Buried     bool    // a record may lie in the dead-letter topic
	Append     bool    // the topic keeps every change: none of its rows is void or superseded
	ID         string  // the topic's identity when it was first written (K13)
	Why        Stop    // why it stopped; zero while it has not, but for a gap that no record of an append-only topic tells of yet
	Tried      string  // codes of stops, with spaces between, for which it was copied again by itself since people last asked
	Asked      string  // the ID of the last copy that people asked for and that has begun
}

// HasTried reports whether a table was copied again by itself for a code already.
func (s TableState) HasTried(code pipeline.Code) bool {
	return slices.Contains(strings.Fields(s.Tried), string(code))
}

// A Stop says why and when a table stopped.
type Stop struct {
	Code pipeline.Code
	Text string    // where and what, without a mend; no value of a row
	At   time.Time // by our clock, in microseconds

	// Routed: the table of the source was given up whose rows name the topics that they
	// go to. One that they have not named yet misses rows as well.
	Routed bool
}

// A Condition is what a table is in.
type Condition uint8

// A table is being copied; follows its source; or has stopped. Views hold its last
// cut while it is copied and while it has stopped.
//
//	OK ──► Stopped ──► Copying ──► Copying, owed ──► OK
//	 └───────────────────┴── begin        └ done      └ the last tombstone
const (
	Copying Condition = iota + 1
	OK
	Stopped
)

// String gives the condition's name.
func (c Condition) String() string {
	if c < Copying || c > Stopped {
		return "unknown"
	}
	return [...]string{"copying", "ok", "stopped"}[c-1]
}

// slots is the number of keys of frontier records. The key is the record's
// number modulo slots, and slot 0 is always full; so compaction, which keeps
// the newest record of each key, always leaves the newest full record and all
// that follow it.
const slots = 256

// ResumeKey is the key of the record that says how far a part of a transaction,
// or a snapshot, went. It is no cut, and void once a later frontier record
// exists.
const ResumeKey = "resume"

// Key is the key of f's record.
func (f *Frontier) Key() []byte { return binary.BigEndian.AppendUint16(nil, uint16(f.Number%slots)) }

// IsFull reports whether f has to be written in full.
func (f *Frontier) IsFull() bool { return f.Number%slots == 0 }

// The record of a frontier, all integers uvarint, strings and bytes with their
// length before them:
//
//	version:byte(1 to 3) flags:byte(1 = full) number incarnation:8 bytes
//	seq native rows state time(zigzag µs, 0 = unknown)
//	count { topic partition offset }            changed offsets, or all
//	count { topic state|marks:byte generation id count { from } story }   changed tables, or all
//
//	story                                       of version 1: nothing
//	code text at(zigzag µs) tried asked         of version 2
//	code text at tried asked routed:byte(0, 1)  of version 3
//
// The marks are bits: 8 append-only, 16 owed, 32 cut, 64 offloaded, 128 buried. A record is
// of the oldest version that says all of its tables, so that older releases read it too.
//
// AppendRecord writes f behind dst; with since, only what differs from it.
func (f *Frontier) AppendRecord(dst []byte, since *Frontier) []byte {
	full := since == nil || f.IsFull()
	if full {
		since = &Frontier{}
	}
	changed := changedTables(f.Tables, since.Tables)
	version := versionFor(f.Tables, changed)
	dst = append(dst, version, flag(full))
	dst = binary.AppendUvarint(dst, f.Number)
	dst = binary.BigEndian.AppendUint64(dst, f.Incarnation)
	dst = appendResume(dst, f.Resume)
	dst = binary.AppendVarint(dst, micros(f.Time))
	dst = appendOffsets(dst, f.Offsets, since.Offsets)
	return appendTables(dst, f.Tables, changed, version)
}

// The versions of a record: without and with the stories of tables, and with those of
// tables whose rows name their topics.
const (
	plainVersion  = 1
	storyVersion  = 2
	routedVersion = 3
)

// versionFor gives the oldest version that says everything of some tables.
func versionFor(all map[string]TableState, topics []string) byte {
	version := byte(plainVersion)
	for _, t := range topics {
		switch s := all[t]; {
		case s.Why.Routed:
			return routedVersion
		case s.Why != (Stop{}) || s.Tried != "" || s.Asked != "":
			version = storyVersion
		}
	}
	return version
}

func flag(full bool) byte {
	if full {
		return 1
	}
	return 0
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// AppendPart writes a resume record, as it lies under ResumeKey: the frontier
// that would be, in full, for a place that is no cut.
//
//	version:byte(1) after:uvarint frontier record
//
// after is the number that the next frontier record will have: once there is
// one, the resume record is void.
func (f *Frontier) AppendPart(dst []byte) []byte {
	dst = append(dst, 1)
	dst = binary.AppendUvarint(dst, f.Number)
	return f.AppendRecord(dst, nil)
}

func appendResume(dst []byte, r pipeline.Resume) []byte {
	dst = binary.AppendUvarint(dst, r.At.Seq)
	dst = appendBytes(dst, []byte(r.At.Native))
	dst = binary.AppendUvarint(dst, r.Rows)
	return appendBytes(dst, r.State)
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendOffsets(dst []byte, now, since Offsets) []byte {
	changed := slices.SortedFunc(maps.Keys(now), comparePartitions)
	changed = slices.DeleteFunc(changed, func(tp TopicPartition) bool {
		old, ok := since[tp]
		return ok && old == now[tp]
	})
	dst = binary.AppendUvarint(dst, uint64(len(changed)))
	for _, tp := range changed {
		dst = appendBytes(dst, []byte(tp.Topic))
		dst = binary.AppendUvarint(dst, uint64(tp.Partition))
		dst = binary.AppendUvarint(dst, uint64(now[tp]))
	}
	return dst
}

func comparePartitions(a, b TopicPartition) int {
	if a.Topic != b.Topic {
		if a.Topic < b.Topic {
			return -1
		}
		return 1
	}
	return int(a.Partition) - int(b.Partition)
}

// changedTables gives the topics whose state differs from since, in order.
func changedTables(now, since map[string]TableState) []string {
	changed := slices.Sorted(maps.Keys(now))
	return slices.DeleteFunc(changed, func(t string) bool {
		old, ok := since[t]
		return ok && old.equal(now[t])
	})
}

func appendTables(dst []byte, all map[string]TableState, topics []string, version byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(topics)))
	for _, t := range topics {
		s := all[t]
		dst = appendBytes(dst, []byte(t))
		dst = append(dst, s.marked())
		dst = binary.AppendUvarint(dst, uint64(s.Generation))
		dst = appendBytes(dst, []byte(s.ID))
		dst = binary.AppendUvarint(dst, uint64(len(s.From)))
		for _, from := range s.From {
			dst = binary.AppendUvarint(dst, uint64(from))
		}
		if version >= storyVersion {
			dst = s.appendStory(dst)
		}
		if version >= routedVersion {
			dst = append(dst, flag(s.Why.Routed))
		}
	}
	return dst
}

func (s TableState) appendStory(dst []byte) []byte {
	dst = appendBytes(dst, []byte(s.Why.Code))
	dst = appendBytes(dst, []byte(s.Why.Text))
	dst = binary.AppendVarint(dst, micros(s.Why.At))
	dst = appendBytes(dst, []byte(s.Tried))
	return appendBytes(dst, []byte(s.Asked))
}

// marked is a table's state and its marks in one byte.
func (s TableState) marked() byte {
	return byte(s.State) | flag(s.Append)<<3 | flag(s.Owed)<<4 | flag(s.Cut)<<5 | flag(s.Offloaded)<<6 | flag(s.Buried)<<7
}

func unmarked(b byte) TableState {
	return TableState{State: Condition(b & 7), Append: b&8 != 0, Owed: b&16 != 0, Cut: b&32 != 0, Offloaded: b&64 != 0, Buried: b&128 != 0}
}

func (s TableState) equal(o TableState) bool {
	return s.marked() == o.marked() && s.Generation == o.Generation && s.ID == o.ID && slices.Equal(s.From, o.From) &&
		s.Why == o.Why && s.Tried == o.Tried && s.Asked == o.Asked
}

// Clone gives a copy that shares nothing that changes.
func (f *Frontier) Clone() Frontier {
	c := *f
	c.Offsets, c.Tables = maps.Clone(f.Offsets), maps.Clone(f.Tables)
	return c
}

var errFrontier = errors.New("malformed frontier record")

// A Fold reads a frontier topic, record after record in order. The zero Fold is
// ready. Only the newest full record and what follows it without a gap counts:
// older slots may have been overwritten, newer ones may be left from before.
type Fold struct {
	frontier Frontier
	have     bool
	part     Frontier // the newest resume record
	partial  bool     // it is in force
}

// Apply takes the next record.
func (f *Fold) Apply(r *Record) error {
	if r.Value == nil {
		return nil
	}
	if string(r.Key) == ResumeKey {
		return f.applyPart(r.Value)
	}
	return f.applyFrontier(r.Value)
}

func (f *Fold) applyPart(b []byte) error {
	d := decoder{b: b}
	version, after := d.byte(), d.uint()
	if d.failed || version != 1 {
		return fmt.Errorf("resume: %w", errFrontier)
	}
	part, _, err := parseFrontier(d.b)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	f.part = part
	f.partial = !f.have || f.frontier.Number+1 == after
	return nil
}

func (f *Fold) applyFrontier(b []byte) error {
	next, full, err := parseFrontier(b)
	if err != nil {
		return err
	}
	f.partial = false
	f.merge(next, full)
	return nil
}

// parseFrontier reads one record, which speaks of everything or of what changed.
func parseFrontier(b []byte) (f Frontier, full bool, err error) {
	d := decoder{b: b}
	f = Frontier{Offsets: Offsets{}, Tables: map[string]TableState{}}
	version := d.byte()
	full = d.byte() == 1
	f.Number, f.Incarnation = d.uint(), d.fixed()
	f.Resume = d.resume()
	f.Time = d.time()
	d.offsets(f.Offsets)
	d.tables(f.Tables, version)
	if d.failed || version < plainVersion || version > routedVersion || len(d.b) != 0 {
		return f, full, errFrontier
	}
	return f, full, nil
}

// ParseFrontier reads one record that speaks of everything, as AppendRecord writes
// it without an earlier one.
func ParseFrontier(b []byte) (Frontier, error) {
	f, full, err := parseFrontier(b)
	if err == nil && !full {
		err = errFrontier
	}
	return f, err
}

// merge adds a delta to the frontier it follows, or takes a full record.
func (f *Fold) merge(next Frontier, full bool) {
	switch {
	case full:
		f.have = true
	case f.have && next.Number == f.frontier.Number+1:
		offsets, tables := f.frontier.Offsets, f.frontier.Tables
		maps.Copy(offsets, next.Offsets)
		maps.Copy(tables, next.Tables)
		next.Offsets, next.Tables = offsets, tables
	default:
		f.have = false
		return
	}
	f.frontier = next
}

// Frontier gives the newest frontier, and whether there is one. It shares the
// fold's maps: Clone it to keep it past the next Apply.
func (f *Fold) Frontier() (*Frontier, bool) { return &f.frontier, f.have }

// Part gives the resume record behind the newest frontier, if there is one: a
// place to go on from that is no cut.
func (f *Fold) Part() (*Frontier, bool) { return &f.part, f.partial }

// decoder reads the fields of a record; after a failure it gives zeros.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) fail() { d.b, d.failed = nil, true }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) fixed() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) resume() pipeline.Resume {
	r := pipeline.Resume{At: pipeline.Position{Seq: d.uint(), Native: string(d.bytes())}, Rows: d.uint()}
	r.State = slices.Clone(d.bytes())
	return r
}

func (d *decoder) offsets(into Offsets) {
	for n := d.uint(); n > 0 && !d.failed; n-- {
		tp := TopicPartition{Topic: string(d.bytes()), Partition: int32(d.uint())}
		into[tp] = int64(d.uint())
	}
}

func (d *decoder) time() time.Time {
	if us := d.int(); us != 0 {
		return time.UnixMicro(us).UTC()
	}
	return time.Time{}
}

func (d *decoder) tables(into map[string]TableState, version byte) {
	for n := d.uint(); n > 0 && !d.failed; n-- {
		topic := string(d.bytes())
		s := unmarked(d.byte())
		s.Generation, s.ID = uint32(d.uint()), string(d.bytes())
		for m := d.uint(); m > 0 && !d.failed; m-- {
			s.From = append(s.From, int64(d.uint()))
		}
		if version >= storyVersion {
			s.Why = Stop{Code: pipeline.Code(d.bytes()), Text: string(d.bytes()), At: d.time()}
			s.Tried, s.Asked = string(d.bytes()), string(d.bytes())
		}
		if version >= routedVersion {
			s.Why.Routed = d.byte() == 1
		}
		into[topic] = s
	}
}

// RowsBelow counts the offsets of a topic; compaction may have left fewer rows.
func (f *Frontier) RowsBelow(topic string) (n uint64) {
	for tp, offset := range f.Offsets {
		if tp.Topic == topic {
			n += uint64(offset)
		}
	}
	return n
}
