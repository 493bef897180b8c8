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
	definition string       // of the sink
	cut        log.Frontier // the newest that the target has reached; in a fill the one that is read towards
	whole      bool         // cut was reached
	topics     []*reading   // as the sink names them
}

// A reading is how far one topic was read.
type reading struct {
	topic string
	read  map[int32]int64   // by partition: everything below was read
	last  map[int32]log.Pos // by partition: the newest streamed row
}

func newReading(topic string) *reading {
	return &reading{topic: topic, read: map[int32]int64{}, last: map[int32]log.Pos{}}
}

// newStanding is where nothing was read.
func newStanding(definition string, topics []string) *standing {
	s := &standing{definition: definition}
	for _, topic := range topics {
		s.topics = append(s.topics, newReading(topic))
	}
	return s
}

// of gives what was read of a topic.
func (s *standing) of(topic string) *reading {
	for _, r := range s.topics {
		if r.topic == topic {
			return r
		}
	}
	return newReading(topic)
}

// next gives where a partition was read to.
func (s *standing) next(tp log.TopicPartition) int64 { return s.of(tp.Topic).read[tp.Partition] }

// sum counts the offsets that were read.
func (s *standing) sum() (n int64) {
	for _, r := range s.topics {
		for _, next := range r.read {
			n += next
		}
	}
	return n
}

// begun reports whether anything was read.
func (s *standing) begun() bool {
	return s.whole || slices.ContainsFunc(s.topics, func(r *reading) bool { return len(r.read) > 0 })
}

// reached is the cut with what was read behind it.
func (s *standing) reached() *log.Frontier {
	f := s.cut
	f.Offsets = log.Offsets{}
	for _, r := range s.topics {
		for p, next := range r.read {
			f.Offsets[log.TopicPartition{Topic: r.topic, Partition: p}] = next
		}
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

// The versions of the code of a standing.
const (
	oneTopic   = 1
	manyTopics = 2
)

// The code of a standing, integers uvarint, strings and bytes with their length
// before them:
//
//	version:byte(1) whole:byte definition frontier    the frontier record in full
//	count { partition next }
//	count { partition incarnation:8 bytes seq row }
//
// That of several topics has version 2, and a count of topics behind the frontier:
// the name of each stands before what was read of it.
func (s *standing) append(dst []byte) []byte {
	dst = append(dst, oneTopic, 0)
	if s.whole {
		dst[len(dst)-1] = 1
	}
	dst = appendBytes(dst, []byte(s.definition))
	dst = appendBytes(dst, s.cut.AppendRecord(nil, nil))
	if len(s.topics) == 1 {
		return s.topics[0].append(dst)
	}
	dst[0] = manyTopics
	dst = appendUint(dst, uint64(len(s.topics)))
	for _, r := range s.topics {
		dst = r.append(appendBytes(dst, []byte(r.topic)))
	}
	return dst
}

func (r *reading) append(dst []byte) []byte {
	dst = appendUint(dst, uint64(len(r.read)))
	for _, p := range slices.Sorted(maps.Keys(r.read)) {
		dst = appendUint(dst, uint64(p))
		dst = appendUint(dst, uint64(r.read[p]))
	}
	dst = appendUint(dst, uint64(len(r.last)))
	for _, p := range slices.Sorted(maps.Keys(r.last)) {
		dst = appendUint(dst, uint64(p))
		dst = binary.BigEndian.AppendUint64(dst, r.last[p].Incarnation)
		dst = appendUint(dst, r.last[p].Seq)
		dst = appendUint(dst, r.last[p].Row)
	}
	return dst
}

func appendUint(dst []byte, n uint64) []byte { return binary.AppendUvarint(dst, n) }

func appendBytes(dst, b []byte) []byte { return append(appendUint(dst, uint64(len(b))), b...) }

var errStanding = errors.New("malformed place of a sink")

// parseStanding reads what append wrote, of a sink of these topics. A place of others
// knows nothing of them: it is one of another definition.
func parseStanding(b []byte, topics []string) (*standing, error) {
	d := decoder{b: b}
	s := &standing{}
	version := d.byte()
	s.whole = d.byte() == 1
	s.definition = string(d.bytes())
	record := d.bytes()
	known := map[string]*reading{}
	switch {
	case version == oneTopic && len(topics) > 0:
		known[topics[0]] = d.reading(topics[0])
	case version == manyTopics:
		for n := d.uint(); n > 0 && !d.failed; n-- {
			topic := string(d.bytes())
			known[topic] = d.reading(topic)
		}
	default:
		d.failed = true
	}
	if d.failed || len(d.b) != 0 {
		return nil, errStanding
	}
	for _, topic := range topics {
		if known[topic] == nil {
			known[topic] = newReading(topic)
		}
		s.topics = append(s.topics, known[topic])
	}
	var err error
	s.cut, err = log.ParseFrontier(record)
	return s, err
}

// reading reads how far a topic was read.
func (d *decoder) reading(topic string) *reading {
	r := newReading(topic)
	for n := d.uint(); n > 0 && !d.failed; n-- {
		p := int32(d.uint())
		r.read[p] = int64(d.uint())
	}
	for n := d.uint(); n > 0 && !d.failed; n-- {
		p := int32(d.uint())
		r.last[p] = log.Pos{Incarnation: d.fixed(), Seq: d.uint(), Row: d.uint()}
	}
	return r
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
