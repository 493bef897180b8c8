package log

import (
	"encoding/binary"
	"errors"
)

// PosHeader is the header in which every row's record carries its Pos.
const PosHeader = "evert-pos"

// PartHeader marks the records of a transaction that went in several commits,
// from the second part on (the first does not know that it is one) to the last:
// its value is the number of the part as a uvarint. After a crash inside such a
// transaction the count begins again at 2.
const PartHeader = "evert-part"

// A Pos is a row's place: which history of the topic, which transaction of the
// source, which row in it. Anyone can drop duplicates by it, and sinks have a
// version in it. Rows of a snapshot have Seq 0 and are numbered through.
//
//	pos = version:byte(1) incarnation:8 bytes big-endian seq:uvarint row:uvarint
type Pos struct {
	Incarnation uint64
	Seq         uint64
	Row         uint64
}

// Append writes p behind dst.
func (p Pos) Append(dst []byte) []byte {
	dst = append(dst, 1)
	dst = binary.BigEndian.AppendUint64(dst, p.Incarnation)
	dst = binary.AppendUvarint(dst, p.Seq)
	return binary.AppendUvarint(dst, p.Row)
}

var errPos = errors.New("malformed " + PosHeader + " header")

// ParsePos reads what Append wrote.
func ParsePos(b []byte) (Pos, error) {
	if len(b) < 11 || b[0] != 1 {
		return Pos{}, errPos
	}
	p := Pos{Incarnation: binary.BigEndian.Uint64(b[1:])}
	seq, n := binary.Uvarint(b[9:])
	if n <= 0 {
		return Pos{}, errPos
	}
	row, m := binary.Uvarint(b[9+n:])
	if m <= 0 || 9+n+m != len(b) {
		return Pos{}, errPos
	}
	p.Seq, p.Row = seq, row
	return p, nil
}
