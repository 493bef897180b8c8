package deliver

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
)

// An entry is a record as a sink keeps it: its key is lane:4 and the record's own, its
// value
//
//	there:byte offset value count { key value } count { column value }
//
// with the headers and, of values that lay in a side topic, the values themselves:
// they may be gone there when the row is an old one. there is 0 for a row that is
// gone. Integers are uvarint, bytes have their length before them. The lane is the
// partition in its lower laneBits, and above them the number of the topic.
type entry struct {
	topic  uint16 // its number
	record log.Record
	aside  map[string][]byte
}

const laneBits = 20

func entryKey(dst []byte, topic uint16, r *log.Record) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(topic)<<laneBits|uint32(r.Partition)), r.Key...)
}

func appendEntry(dst []byte, r *log.Record, gone bool, aside map[string][]byte) []byte {
	there := byte(1)
	if gone {
		there = 0
	}
	dst = appendUint(append(dst, there), uint64(r.Offset))
	dst = appendBytes(dst, r.Value)
	dst = appendUint(dst, uint64(len(r.Headers)))
	for _, h := range r.Headers {
		dst = appendBytes(appendBytes(dst, []byte(h.Key)), h.Value)
	}
	dst = appendUint(dst, uint64(len(aside)))
	for _, name := range slices.Sorted(maps.Keys(aside)) {
		dst = appendBytes(appendBytes(dst, []byte(name)), aside[name])
	}
	return dst
}

// isGone reports whether an entry's row is gone.
func isGone(value []byte) bool { return len(value) == 0 || value[0] == 0 }

// parseEntry reads an entry; it shares the memory of key and value.
func parseEntry(topics []string, key, value []byte) (e entry, err error) {
	d := decoder{b: value}
	r := &e.record
	d.byte()
	r.Offset, r.Value = int64(d.uint()), d.bytes()
	if len(r.Value) == 0 {
		r.Value = nil // a tombstone
	}
	for n := d.uint(); n > 0 && !d.failed; n-- {
		name := string(d.bytes())
		r.Headers = append(r.Headers, log.Header{Key: name, Value: d.bytes()})
	}
	for n := d.uint(); n > 0 && !d.failed; n-- {
		if e.aside == nil {
			e.aside = map[string][]byte{}
		}
		name := string(d.bytes())
		e.aside[name] = d.bytes()
	}
	if d.failed || len(d.b) != 0 || len(key) < 4 {
		return e, errStanding
	}
	lane := binary.BigEndian.Uint32(key)
	if e.topic = uint16(lane >> laneBits); int(e.topic) >= len(topics) {
		return e, errStanding
	}
	r.Topic, r.Partition, r.Key = topics[e.topic], int32(lane&(1<<laneBits-1)), key[4:]
	return e, nil
}

// newest gives the last entry of each key of a sorter.
type newest struct {
	dataflow.Cursor
	key, value []byte // of the entry that Next gave
	ahead      bool   // the cursor stands at the first entry of the next key
}

// Next goes to the last entry of the next key.
func (n *newest) Next() bool {
	if !n.ahead && !n.Cursor.Next() {
		return false
	}
	n.key, n.ahead = append(n.key[:0], n.Cursor.Key()...), false
	for {
		n.value = append(n.value[:0], n.Cursor.Value()...)
		if !n.Cursor.Next() {
			return n.Err() == nil
		}
		if !bytes.Equal(n.key, n.Cursor.Key()) {
			n.ahead = true
			return true
		}
	}
}

func (n *newest) Key() []byte   { return n.key }
func (n *newest) Value() []byte { return n.value }
