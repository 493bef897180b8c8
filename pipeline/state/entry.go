package state

import (
	"encoding/binary"
	"errors"
)

// A kind says what an entry knows of its record.
type kind byte

const (
	tombstone kind = iota + 1
	value          // follows the offset
	elsewhere      // to be read from the log
)

// entryKey writes writer:4 partition:4 key.
func entryKey(dst []byte, space, partition uint32, key []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, space)
	dst = binary.BigEndian.AppendUint32(dst, partition)
	return append(dst, key...)
}

// prefixBytes come before the key.
const prefixBytes = 8

func appendEntry(dst []byte, k kind, offset int64, v []byte) []byte {
	dst = append(dst, byte(k))
	dst = binary.AppendUvarint(dst, uint64(offset))
	return append(dst, v...)
}

var errEntry = errors.New("malformed entry of the key index")

func parseEntry(b []byte) (k kind, offset int64, v []byte, err error) {
	if len(b) < 2 || b[0] < byte(tombstone) || b[0] > byte(elsewhere) {
		return 0, 0, nil, errEntry
	}
	at, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return 0, 0, nil, errEntry
	}
	return kind(b[0]), int64(at), b[1+n:], nil
}
