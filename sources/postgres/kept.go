package postgres

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
)

// kept is what the rows handed over so far were written under: the columns of
// each captured table, by OID. It lies in Resume.State, so that a change of a
// table that was refused, or that came while nobody watched, is seen by the next
// start as well (P21). It is immutable.
type kept map[uint32][]shapeColumn

// with gives k with other columns of one table.
func (k kept) with(oid uint32, columns []shapeColumn) kept {
	out := maps.Clone(k)
	if out == nil {
		out = kept{}
	}
	out[oid] = columns
	return out
}

// pack writes k, tables by OID, compressed because names repeat:
//
//	{ oid uvarint · n uvarint · n × (num uvarint · type uvarint · typmod varint · length uvarint · name) }
func (k kept) pack() []byte {
	if len(k) == 0 {
		return nil
	}
	var b []byte
	for _, oid := range slices.Sorted(maps.Keys(k)) {
		b = binary.AppendUvarint(b, uint64(oid))
		b = binary.AppendUvarint(b, uint64(len(k[oid])))
		for _, c := range k[oid] {
			b = binary.AppendUvarint(b, uint64(c.num))
			b = binary.AppendUvarint(b, uint64(c.typ))
			b = binary.AppendVarint(b, int64(c.typmod))
			b = append(binary.AppendUvarint(b, uint64(len(c.name))), c.name...)
		}
	}
	return deflated(b)
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err := cmp.Or(err, w.Close()); err != nil {
		panic("postgres: state: " + err.Error()) // memory cannot fail
	}
	return out.Bytes()
}

const maxKeptBytes = 1 << 28

var errKept = errors.New("the columns of its tables are damaged")

// unpackKept reads what pack wrote.
func unpackKept(packed []byte) (kept, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	r, err := openKept(packed)
	if err != nil {
		return nil, errKept
	}
	out := kept{}
	for len(r.b) > 0 {
		oid := uint32(r.uint())
		columns := []shapeColumn{}
		for n := r.uint(); n > 0 && !r.bad; n-- {
			columns = append(columns, r.column())
		}
		out[oid] = columns
	}
	if r.bad {
		return nil, errKept
	}
	return out, nil
}

// openKept reads what deflated wrote.
func openKept(packed []byte) (keptReader, error) {
	b, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxKeptBytes))
	return keptReader{b: b}, err
}

// A keptReader takes fields off the front; what does not fit sets bad.
type keptReader struct {
	b   []byte
	bad bool
}

func (r *keptReader) column() shapeColumn {
	return shapeColumn{num: int(r.uint()), typ: uint32(r.uint()), typmod: int32(r.int()), name: r.text()}
}

func (r *keptReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *keptReader) int() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *keptReader) text() string {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.skip(0)
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *keptReader) skip(n int) {
	if n <= 0 {
		r.b, r.bad = nil, true
		return
	}
	r.b = r.b[n:]
}
