package avro

import (
	"encoding/binary"
	"errors"
)

// The Confluent wire format puts a header before every Avro body:
//
//	record = 0x00 id:4 bytes, big-endian  body

// WireHeader is the length of the header of the Confluent wire format.
const WireHeader = 5

// ErrNotWire says that bytes do not begin with the header of the Confluent wire
// format.
var ErrNotWire = errors.New("record is not in the Confluent wire format: it does not begin with a zero byte and a schema id")

// AppendWire appends the header for the schema with this id.
func AppendWire(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(id))
}

// ParseWire splits a record into the id of its schema and its body, which
// shares b's bytes.
func ParseWire(b []byte) (id int, body []byte, err error) {
	if len(b) < WireHeader || b[0] != 0 || b[1] > 0x7f {
		return 0, nil, ErrNotWire
	}
	return int(binary.BigEndian.Uint32(b[1:])), b[WireHeader:], nil
}
