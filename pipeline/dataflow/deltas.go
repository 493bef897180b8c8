package dataflow

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// A run gathers the deltas of one step and gives them back by key. An entry of
// its sorter is
//
//	group id row  →  len(group):uvarint len(id):uvarint weight:varint
//
// where group and id are tuples and row is the row as tuple.AppendRow writes it.
// Equal rows lie next to each other: consolidating them is adding weights.
type run struct {
	make   func() (Sorter, error)
	sorter Sorter // nil: nothing was added
	key    []byte // scratch
	head   []byte
	group  int // length of the group in key
	id     int // length of the id in key
}

// begin starts an entry; the group, then the id, then the row are appended to
// r.key.
func (r *run) begin()      { r.key = r.key[:0] }
func (r *run) endOfGroup() { r.group = len(r.key) }
func (r *run) endOfID()    { r.id = len(r.key) - r.group }

// add ends the entry.
func (r *run) add(weight int64) error {
	if r.sorter == nil {
		s, err := r.make()
		if err != nil {
			return err
		}
		r.sorter = s
	}
	r.head = binary.AppendUvarint(r.head[:0], uint64(r.group))
	r.head = binary.AppendUvarint(r.head, uint64(r.id))
	r.head = binary.AppendVarint(r.head, weight)
	return r.sorter.Add(r.key, r.head)
}

// reset drops what was added.
func (r *run) reset() error {
	if r.sorter == nil {
		return nil
	}
	s := r.sorter
	r.sorter = nil
	return s.Close()
}

// read goes to the first delta.
func (r *run) read() (*deltas, error) {
	d := &deltas{}
	if r.sorter == nil {
		return d, nil
	}
	c, err := r.sorter.Sort()
	if err != nil {
		return nil, err
	}
	d.c = c
	d.ahead = c.Next()
	if err := d.next(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return d, nil
}

// deltas goes over a run, consolidated: equal rows are one delta, and none has
// weight 0. While ok, the fields are the delta at hand; they are valid until the
// next call of next.
type deltas struct {
	c      Cursor
	ok     bool
	ahead  bool // the cursor stands at an entry that is not part of this delta
	key    []byte
	group  []byte
	id     []byte
	row    []byte
	weight int64
}

var errRun = errors.New("dataflow: a sorter gave back an entry that was not added")

// next goes to the next delta, if there is one.
func (d *deltas) next() error {
	for d.ahead {
		if err := d.load(); err != nil {
			return err
		}
		if d.weight != 0 {
			d.ok = true
			return nil
		}
	}
	d.ok = false
	if d.c == nil {
		return nil
	}
	return d.c.Err()
}

// load reads all entries of one row.
func (d *deltas) load() error {
	d.key = append(d.key[:0], d.c.Key()...)
	h := d.c.Value()
	group, n := binary.Uvarint(h)
	id, m := binary.Uvarint(h[max(n, 0):])
	if n <= 0 || m <= 0 || group > uint64(len(d.key)) || id > uint64(len(d.key))-group {
		return errRun
	}
	d.group, d.id, d.row = d.key[:group], d.key[group:group+id], d.key[group+id:]
	d.weight = 0
	for same := true; same; same = d.ahead && bytes.Equal(d.c.Key(), d.key) {
		w, k := binary.Varint(d.c.Value()[n+m:])
		if k <= 0 {
			return errRun
		}
		d.weight += w
		d.ahead = d.c.Next()
	}
	return nil
}

// in reports whether the delta at hand belongs to group.
func (d *deltas) in(group []byte) bool { return d.ok && bytes.Equal(d.group, group) }

// close frees the cursor.
func (d *deltas) close() error {
	if d == nil || d.c == nil {
		return nil
	}
	return d.c.Close()
}

// A keyer appends tuples of some columns of a row.
type keyer struct {
	key *tuple.Key
	at  []int // never nil
}

func newKeyer(cols []schema.Column, at []int, orders []tuple.Order) (keyer, error) {
	picked := make([]schema.Column, len(at))
	for i, c := range at {
		picked[i] = cols[c]
	}
	k, err := tuple.NewKey(picked, orders)
	return keyer{key: k, at: append([]int{}, at...)}, err
}

func (k keyer) append(dst []byte, row schema.Row) []byte { return k.key.Append(dst, row, k.at) }

// hasNull reports whether one of the columns is NULL.
func (k keyer) hasNull(row schema.Row) bool {
	for _, c := range k.at {
		if row[c].IsNull() {
			return true
		}
	}
	return false
}

// A form is the kinds of a row's values, which a row of the state has to have:
// NULL is of every kind.
type form []schema.Kind

func formOf(cols []schema.Column) form {
	f := make(form, len(cols))
	for i := range cols {
		f[i] = cols[i].Type.Kind
	}
	return f
}

// read reads a row of the state into dst.
func (f form) read(b []byte, dst *schema.Row) error {
	if err := readRow(b, dst); err != nil {
		return err
	}
	return f.check(*dst)
}

func (f form) check(row schema.Row) error {
	fits := len(row) == len(f)
	for i := 0; fits && i < len(f); i++ {
		fits = row[i].Kind() == f[i] || row[i].IsNull()
	}
	if !fits {
		return stateError("a row", errState)
	}
	return nil
}

// readRow reads a row into dst.
func readRow(b []byte, dst *schema.Row) (err error) {
	if *dst, err = tuple.ReadRow(b, *dst); err != nil {
		return stateError("a row", err)
	}
	return nil
}
