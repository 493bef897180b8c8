package postgres

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
)

// A mark tells whether something happened to a table that the log says nothing of.
// It is made of the catalog's rows, and lies in Resume.State.
type mark struct {
	columns uint32   // of the descriptions of its columns, each with the transaction that wrote it
	key     uint32   // of its replica identity, and of the indexes that could be its key
	sent    uint32   // of the rows and columns that the publication sends
	most    int      // the highest number that a column had at its place, or before; 0: unknown
	files   []uint32 // of each relation with rows of its own: the relation, its file, how it became a partition; ascending
}

// unknownColumns is in the mark of a table whose rows came under columns that the
// catalog had no more by then: no later row may tell of the change, and the next look
// compares them whatever an earlier one has seen.
const unknownColumns = 0

// sum hashes words of the catalog.
func sum(words ...string) uint32 {
	h := fnv.New32a()
	for _, w := range words {
		_, _ = h.Write(append([]byte(w), 0))
	}
	return h.Sum32()
}

func (m mark) equal(o mark) bool {
	return m.columns == o.columns && m.key == o.key && m.sent == o.sent && m.most == o.most && slices.Equal(m.files, o.files)
}

// missing gives the files of m that o does not have.
func (m mark) missing(o mark) (all []uint32) {
	for _, f := range m.files {
		if _, found := slices.BinarySearch(o.files, f); !found {
			all = append(all, f)
		}
	}
	return all
}

// marks are those of the captured tables, by OID. It is immutable.
type marks map[uint32]mark

func (ms marks) with(oid uint32, m mark) marks {
	out := maps.Clone(ms)
	if out == nil {
		out = marks{}
	}
	out[oid] = m
	return out
}

// pack writes ms, tables by OID:
//
//	{ oid uvarint · columns 4 · key 4 · sent 4 · n uvarint · n × 4 }
func (ms marks) pack() []byte {
	var b []byte
	for _, oid := range slices.Sorted(maps.Keys(ms)) {
		m := ms[oid]
		b = binary.AppendUvarint(b, uint64(oid))
		b = binary.BigEndian.AppendUint32(b, m.columns)
		b = binary.BigEndian.AppendUint32(b, m.key)
		b = binary.BigEndian.AppendUint32(b, m.sent)
		b = binary.AppendUvarint(b, uint64(len(m.files)))
		for _, f := range m.files {
			b = binary.BigEndian.AppendUint32(b, f)
		}
	}
	return b
}

// packMost writes the highest numbers of columns, tables by OID: states of earlier
// releases have none.
//
//	{ oid uvarint · number uvarint }
func (ms marks) packMost() []byte {
	var b []byte
	for _, oid := range slices.Sorted(maps.Keys(ms)) {
		b = binary.AppendUvarint(b, uint64(oid))
		b = binary.AppendUvarint(b, uint64(ms[oid].most))
	}
	return b
}

// takeMost reads what packMost wrote into the marks that it is of.
func (ms marks) takeMost(packed []byte) error {
	r := keptReader{b: packed}
	for len(r.b) > 0 {
		oid, most := uint32(r.uint()), int(r.uint())
		if m, known := ms[oid]; known {
			m.most = most
			ms[oid] = m
		}
	}
	if r.bad {
		return errMarks
	}
	return nil
}

var errMarks = errors.New("the marks of its tables are damaged")

// unpackMarks reads what pack wrote.
func unpackMarks(packed []byte) (marks, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	r := keptReader{b: packed}
	out := marks{}
	for len(r.b) > 0 {
		oid := uint32(r.uint())
		m := mark{columns: r.word(), key: r.word(), sent: r.word()}
		for n := r.uint(); n > 0 && !r.bad; n-- {
			m.files = append(m.files, r.word())
		}
		out[oid] = m
	}
	if r.bad {
		return nil, errMarks
	}
	return out, nil
}

func (r *keptReader) word() uint32 {
	if len(r.b) < 4 {
		r.skip(0)
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}
