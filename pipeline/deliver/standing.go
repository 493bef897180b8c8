package deliver

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// A standing is how far a target was brought, and from what: what Resume.State
// holds.
type standing struct {
	definition string            // of the sink
	cut        log.Frontier      // the newest that the target has reached; in a fill the one that is read towards
	whole      bool              // cut was reached
	read       map[int32]int64   // by partition: everything below was read
	last       map[int32]log.Pos // by partition: the newest streamed row
}

// reached is the cut with what was read behind it.
func (s *standing) reached(topic string) *log.Frontier {
	f := s.cut
	f.Offsets = log.Offsets{}
	for p, next := range s.read {
		f.Offsets[log.TopicPartition{Topic: topic, Partition: p}] = next
	}
	return &f
}

// resume is the place as the stage carries it: rows were read behind the cut.
func (s *standing) resume(rows uint64) pipeline.Resume {
	r := pipeline.Resume{State: s.append(nil)}
	if s.whole {
		r.At, r.Rows = s.cut.Resume.At, rows
	}
	return r
}

// The code of a standing, integers uvarint, strings and bytes with their length
// before them:
//
//	version:byte(1) whole:byte definition frontier    the frontier record in full
//	count { partition next }
//	count { partition incarnation:8 bytes seq row }
func (s *standing) append(dst []byte) []byte {
	dst = append(dst, 1, 0)
	if s.whole {
		dst[len(dst)-1] = 1
	}
	dst = appendBytes(dst, []byte(s.definition))
	dst = appendBytes(dst, s.cut.AppendRecord(nil, nil))
	dst = appendUint(dst, uint64(len(s.read)))
	for _, p := range slices.Sorted(maps.Keys(s.read)) {
		dst = appendUint(dst, uint64(p))
		dst = appendUint(dst, uint64(s.read[p]))
	}
	dst = appendUint(dst, uint64(len(s.last)))
	for _, p := range slices.Sorted(maps.Keys(s.last)) {
		dst = appendUint(dst, uint64(p))
		dst = binary.BigEndian.AppendUint64(dst, s.last[p].Incarnation)
		dst = appendUint(dst, s.last[p].Seq)
		dst = appendUint(dst, s.last[p].Row)
	}
	return dst
}

func appendUint(dst []byte, n uint64) []byte { return binary.AppendUvarint(dst, n) }

func appendBytes(dst, b []byte) []byte { return append(appendUint(dst, uint64(len(b))), b...) }

var errStanding = errors.New("malformed place of a sink")

// parseStanding reads what append wrote.
func parseStanding(b []byte) (*standing, error) {
	d := decoder{b: b}
	s := &standing{read: map[int32]int64{}, last: map[int32]log.Pos{}}
	version := d.byte()
	s.whole = d.byte() == 1
	s.definition = string(d.bytes())
	record := d.bytes()
	for n := d.uint(); n > 0 && !d.failed; n-- {
		p := int32(d.uint())
		s.read[p] = int64(d.uint())
	}
	for n := d.uint(); n > 0 && !d.failed; n-- {
		p := int32(d.uint())
		s.last[p] = log.Pos{Incarnation: d.fixed(), Seq: d.uint(), Row: d.uint()}
	}
	if d.failed || version != 1 || len(d.b) != 0 {
		return nil, errStanding
	}
	var err error
	s.cut, err = log.ParseFrontier(record)
	return s, err
}

// A decoder reads the fields of a code; after a failure it gives zeros.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.b, d.failed = nil, true
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) fixed() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.failed = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes() []byte { return d.take(d.uint()) }
