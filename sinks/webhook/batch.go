package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// A batch is the events that go together, one behind the other.
type batch struct {
	events []byte
	ends   []int // where each event ends
	places []deliver.Place
	lives  []uint64 // the incarnation of each event's topic
	ranked bool     // events have ranks: their places do not name them
}

func (b *batch) len() int { return len(b.ends) }

// full reports whether the event that was appended last, and is not ended yet,
// belongs to another request.
func (b *batch) full(c *Config) bool {
	return b.len() > 0 && (b.len() >= c.MaxRows || len(b.events)+b.len()+2 > c.MaxBytes)
}

// end ends the event that was appended last.
func (b *batch) end(p deliver.Place, c *pipeline.Change) {
	life := uint64(0)
	if c.Tx != nil {
		life = c.Tx.Incarnation
	}
	b.lives = append(b.lives, life)
	b.ranked = b.ranked || c.Rank != 0
	b.ends = append(b.ends, len(b.events))
	b.places = append(b.places, p)
}

// cut takes off what was appended and not ended. It is valid until the next use.
func (b *batch) cut() []byte {
	start := b.ends[len(b.ends)-1]
	tail := b.events[start:]
	b.events = b.events[:start]
	return tail
}

func (b *batch) clear() {
	b.events, b.ends, b.places, b.lives, b.ranked = b.events[:0], b.ends[:0], b.places[:0], b.lives[:0], false
}

func (b *batch) part() part { return part{b, 0, b.len()} }

// A part is a run of a batch's events: what one request sends.
type part struct {
	of       *batch
	from, to int
}

func (p part) len() int                { return p.to - p.from }
func (p part) places() []deliver.Place { return p.of.places[p.from:p.to] }
func (p part) halves() (first, second part) {
	middle := p.from + p.len()/2
	return part{p.of, p.from, middle}, part{p.of, middle, p.to}
}

// start is where the first event begins.
func (p part) start() int {
	if p.from == 0 {
		return 0
	}
	return p.of.ends[p.from-1]
}

// body gives the events as an array, or as lines.
func (p part) body(f Format) []byte {
	open, between, shut := "[", byte(','), "]"
	if f == NDJSON {
		open, between, shut = "", '\n', "\n"
	}
	start := p.start()
	out := make([]byte, 0, p.of.ends[p.to-1]-start+p.len()+2)
	out = append(out, open...)
	for i := p.from; i < p.to; i++ {
		if i > p.from {
			out = append(out, between)
		}
		out = append(out, p.of.events[start:p.of.ends[i]]...)
		start = p.of.ends[i]
	}
	return append(out, shut...)
}

// id names the part by the places of its events, for ever; where these do not name them,
// by the events too.
func (p part) id(sink string) string {
	sum := sha256.New()
	sum.Write(append([]byte(sink), 0))
	var b []byte
	topic := ""
	for i, place := range p.places() {
		if place.Topic != topic {
			topic = place.Topic
			sum.Write(append([]byte(topic), 0))
		}
		b = binary.BigEndian.AppendUint64(b[:0], p.of.lives[p.from+i])
		b = binary.AppendUvarint(b, uint64(place.Partition))
		sum.Write(binary.AppendUvarint(b, uint64(place.Offset)))
	}
	if p.of.ranked {
		sum.Write(p.of.events[p.start():p.of.ends[p.to-1]])
	}
	return "evt_" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:18])
}
