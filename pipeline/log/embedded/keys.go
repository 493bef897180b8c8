package embedded

import (
	"encoding/binary"

	"github.com/evertdb/evert/pipeline/log"
)

// The keys of the one Pebble. Integers are big-endian, id is a partition's
// number, which is never used again.
//
//	t name                      → topic (JSON)
//	n                           → the next partition id, uint32
//	s id:4                      → stable end, int64          written with commits
//	h id:4                      → horizons                   written by the sweep
//	d id:4 last:8               → block that ends at offset last
//	i id:4 key' 00 01 ^offset:8 → flags of the record        compacted topics only
//	g group 00 topic 00 part:4  → committed offset, int64
//
// key' is the record's key with 00 written as 00 FF, so that entries lie in the
// order of keys and, within a key, newest first.
const (
	kindTopic   = 't'
	kindNextID  = 'n'
	kindStable  = 's'
	kindHorizon = 'h'
	kindBlock   = 'd'
	kindIndex   = 'i'
	kindGroup   = 'g'
)

// flagTombstone marks the index entry of a tombstone.
const flagTombstone = 1

func topicKey(name string) []byte { return append([]byte{kindTopic}, name...) }

func idKey(kind byte, id uint32) []byte { return binary.BigEndian.AppendUint32([]byte{kind}, id) }

func blockKey(dst []byte, id uint32, last int64) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, kindBlock), id)
	return binary.BigEndian.AppendUint64(dst, uint64(last))
}

// lastOf gives the offset in a block's key.
func lastOf(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[5:])) }

// appendIndexGroup writes what all index entries of a key begin with.
func appendIndexGroup(dst []byte, id uint32, key []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, kindIndex), id)
	for _, c := range key {
		dst = append(dst, c)
		if c == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

// appendIndexKey writes the key of the index entry of a record.
func appendIndexKey(dst []byte, id uint32, key []byte, offset int64) []byte {
	return binary.BigEndian.AppendUint64(appendIndexGroup(dst, id, key), ^uint64(offset))
}

// splitIndexKey gives the group and the offset of an index entry.
func splitIndexKey(entry []byte) (group []byte, offset int64) {
	n := len(entry) - 8
	return entry[:n], int64(^binary.BigEndian.Uint64(entry[n:]))
}

// appendGroupKey writes the record's key of an index group behind dst.
func appendGroupKey(dst, group []byte) []byte {
	escaped := group[5 : len(group)-2]
	for i := 0; i < len(escaped); i++ {
		dst = append(dst, escaped[i])
		if escaped[i] == 0 {
			i++
		}
	}
	return dst
}

// afterGroup turns a copy of an index group into a key behind all its entries.
func afterGroup(group []byte) []byte {
	group[len(group)-1] = 2
	return group
}

func groupKey(group string, tp log.TopicPartition) []byte {
	dst := append(groupPrefix(group), tp.Topic...)
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(tp.Partition))
}

func groupPrefix(group string) []byte {
	return append(append([]byte{kindGroup}, group...), 0)
}

// parseGroupKey reads what groupKey wrote behind the prefix.
func parseGroupKey(key, prefix []byte) log.TopicPartition {
	rest := key[len(prefix):]
	n := len(rest) - 5
	return log.TopicPartition{Topic: string(rest[:n]), Partition: int32(binary.BigEndian.Uint32(rest[n+1:]))}
}

func int64Value(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

func parseInt64(b []byte) int64 {
	if len(b) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// upper gives the first key behind all that begin with prefix.
func upper(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
