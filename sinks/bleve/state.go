package bleve

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"

	"github.com/evertdb/evert/pipeline"
)

// stateKey is where an index keeps its own record.
var stateKey = []byte("evert")

// state is an index's own record. It lies in the batch with the effects (I1).
//
//	crc32c:4 count:uvarint sum:8 seq rows:uvarint native state shape
//
// where the last three have their length before them.
type state struct {
	count  uint64 // living documents
	sum    uint64 // of the hashes of their ids
	resume pipeline.Resume
	shape  *shape // nil: no row has come yet
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *state) encode() ([]byte, error) {
	shape, err := json.Marshal(s.shape)
	if err != nil {
		return nil, err
	}
	b := binary.AppendUvarint(make([]byte, 4, 64+len(s.resume.State)+len(shape)), s.count)
	b = binary.BigEndian.AppendUint64(b, s.sum)
	b = binary.AppendUvarint(b, s.resume.At.Seq)
	b = binary.AppendUvarint(b, s.resume.Rows)
	for _, part := range [][]byte{[]byte(s.resume.At.Native), s.resume.State, shape} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b, nil
}

var errState = errors.New("its own record is damaged")

// decodeState reads a record; an index that has none yet gives the zero state.
func decodeState(b []byte) (s state, err error) {
	if len(b) == 0 {
		return s, nil
	}
	if len(b) < 12 || binary.BigEndian.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return s, errState
	}
	d := reader{b: b[4:]}
	s.count, s.sum = d.uvarint(), d.fixed()
	s.resume.At.Seq, s.resume.Rows = d.uvarint(), d.uvarint()
	s.resume.At.Native = string(d.bytes())
	if state := d.bytes(); len(state) > 0 {
		s.resume.State = append([]byte(nil), state...)
	}
	if err := json.Unmarshal(d.bytes(), &s.shape); err != nil || d.short {
		return s, errState
	}
	return s, nil
}

// reader takes a record apart; short says that it ended too early.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.short, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) fixed() uint64 {
	b := r.take(8)
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func (r *reader) bytes() []byte { return r.take(int(min(r.uvarint(), 1<<40))) }

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.short, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// idHash is what an id adds to the sum of an index: FNV-1a, with its bits mixed
// once more so that sums of neighbours differ.
func idHash(id []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range id {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
