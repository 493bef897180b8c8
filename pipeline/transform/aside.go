package transform

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A value that is too large for memory (pipeline.Aside) passes the steps that do not
// look at it, and those that hide it read it piece by piece. A step that needs it to say
// what becomes of the row stops the table: not to know is not to guess (I8).

// A looker is a Bound that passes on most values as they are; any other looks at all.
type looker interface{ looksAt() []look }

// A look is what has to have the values of some columns in memory.
type look struct {
	columns []int
	where   string // it stands in the file
}

// A hider is a maker of which one column is enough, and that piece by piece.
type hider interface {
	// inPieces reports whether it can: what has no bytes of its own, as an array, cannot
	// be read so.
	inPieces() bool
	// hide is value for a value of which row has the first bytes, and a all. What it
	// makes is in memory, or has first bytes and an Aside as well.
	hide(o *Out, a pipeline.Aside, head schema.Value) (schema.Value, pipeline.Aside, error)
}

// asideOf gives a value of the new row of a change, or of its old one, that is not in
// memory; nil if it is.
func asideOf(c *pipeline.Change, old bool, column int) pipeline.Aside {
	switch {
	case c.Aside == nil:
	case old && column < len(c.Aside.Before):
		return c.Aside.Before[column]
	case !old && column < len(c.Aside.After):
		return c.Aside.After[column]
	}
	return nil
}

// refuse tells of a value that a step would have to look at and that is not in memory.
func (p *pass) refuse(c *pipeline.Change) error {
	if c.Aside == nil {
		return nil
	}
	for _, l := range p.looks(c) {
		for _, i := range l.columns {
			if asideOf(c, false, i) != nil || asideOf(c, true, i) != nil {
				return &rowFault{code: codeLimit, where: l.where,
					what: "it needs the value of column " + quote(c.Table.Columns[i].Name) + ", and a row has one above limits.value_bytes, which is not held in memory",
					mend: "mask or drop the column before this step, or leave it out of the expression; or raise limits: {value_bytes: …}"}
			}
		}
	}
	return nil
}

// looks are those of a step at the values of a change.
func (p *pass) looks(c *pipeline.Change) []look {
	if l, ok := p.is.(looker); ok {
		return l.looksAt()
	}
	all := make([]int, len(c.Table.Columns))
	for i := range all {
		all[i] = i
	}
	return []look{{columns: all}}
}

// textOf reads the text of a value of a type.
func textOf(t *schema.Type, a pipeline.Aside) (io.ReadCloser, error) {
	r, err := a.Open()
	if err != nil || t.Kind != schema.KindBytes {
		return r, err
	}
	return &digits{from: r, ready: []byte(`\x`)}, nil
}

// digits are bytes as hexadecimal digits.
type digits struct {
	from  io.ReadCloser
	bytes [16 << 10]byte
	text  [32 << 10]byte
	ready []byte
}

func (d *digits) Read(p []byte) (int, error) {
	if len(d.ready) == 0 {
		n, err := d.from.Read(d.bytes[:])
		if n == 0 {
			return 0, err
		}
		d.ready = d.text[:hex.Encode(d.text[:], d.bytes[:n])]
	}
	n := copy(p, d.ready)
	d.ready = d.ready[n:]
	return n, nil
}

func (d *digits) Close() error { return d.from.Close() }

func (h *hidden) inPieces() bool   { return h.typ.Kind != schema.KindArray }
func (m *constant) inPieces() bool { return true } // it reads nothing

// hide makes the same of every value.
func (m *constant) hide(*Out, pipeline.Aside, schema.Value) (schema.Value, pipeline.Aside, error) {
	return m.is, nil, nil
}

// hide hashes the text while it is read.
func (m *keyed) hide(o *Out, a pipeline.Aside, _ schema.Value) (schema.Value, pipeline.Aside, error) {
	r, err := textOf(m.typ, a)
	if err != nil {
		return schema.Value{}, nil, err
	}
	defer r.Close()
	m.mac.Reset()
	if _, err := io.Copy(m.mac, r); err != nil {
		return schema.Value{}, nil, fmt.Errorf("hash a large value: %w", err)
	}
	return m.digest(o), nil, nil
}

// hide counts the characters, and keeps the last ones.
func (m *partial) hide(o *Out, a pipeline.Aside, head schema.Value) (schema.Value, pipeline.Aside, error) {
	r, err := textOf(m.typ, a)
	if err != nil {
		return schema.Value{}, nil, err
	}
	defer r.Close()
	n, end, err := countRunes(r, m.keep)
	if err != nil {
		return schema.Value{}, nil, fmt.Errorf("hide a large value: %w", err)
	}
	s := &starred{stars: n, end: end}
	if n >= 2*int64(m.keep) {
		s.stars -= int64(m.keep)
	} else {
		s.end = nil
	}
	out := o.bytes(int(min(s.Size(), int64(len(head.Ref())))))
	if err := s.into(out); err != nil {
		return schema.Value{}, nil, err
	}
	if s.Size() < int64(len(head.Ref())) { // then it is within the bound
		return schema.Text(out), nil, nil
	}
	return schema.Text(out), s, nil
}

// countRunes counts the characters of a text, and gives the last of them, as many as
// keep.
func countRunes(r io.Reader, keep int) (n int64, end []byte, err error) {
	buf, most := make([]byte, 32<<10), utf8.UTFMax*keep
	for err == nil {
		var got int
		got, err = r.Read(buf)
		for _, b := range buf[:got] {
			if utf8.RuneStart(b) {
				n++
			}
		}
		end = append(end, buf[:got]...)
		end = append(end[:0], end[max(0, len(end)-most):]...)
	}
	for extra := len(end); extra > 0; extra = len(end) {
		whole := bytes.Count(end, nil) - 1
		if whole <= keep && utf8.RuneStart(end[0]) {
			break
		}
		end = end[1:]
	}
	if err == io.EOF {
		err = nil
	}
	return n, end, err
}

// A starred is a text of which the end is shown. It implements pipeline.Aside.
type starred struct {
	stars int64
	end   []byte
}

func (s *starred) Size() int64 { return s.stars + int64(len(s.end)) }

func (s *starred) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(io.LimitReader(stars{}, s.stars), bytes.NewReader(s.end))), nil
}

func (s *starred) Load() (schema.Value, error) {
	b := make([]byte, s.Size())
	return schema.Text(b), s.into(b)
}

// into writes the first bytes.
func (s *starred) into(b []byte) error {
	r, err := s.Open()
	if err != nil {
		return err
	}
	_, err = io.ReadFull(r, b)
	return err
}

// stars are * without an end.
type stars struct{}

func (stars) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '*'
	}
	return len(p), nil
}

// sameAside reports whether two values are equal of which one at least is not in memory.
// Arrays that may be are not taken for equal: they have no bytes to compare.
func sameAside(c *pipeline.Change, column int) (bool, error) {
	old, now := asideOf(c, true, column), asideOf(c, false, column)
	switch {
	case old == nil || now == nil:
		return false, nil // one is above the bound, and the other is not
	case old == now:
		return true, nil
	case old.Size() != now.Size() || c.Table.Columns[column].Type.Kind == schema.KindArray:
		return false, nil
	}
	a, err := old.Open()
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := now.Open()
	if err != nil {
		return false, err
	}
	defer b.Close()
	return sameBytes(a, b)
}

func sameBytes(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, err := io.ReadFull(a, x)
		m, other := io.ReadFull(b, y)
		switch {
		case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
			return false, err
		case other != nil && other != io.EOF && other != io.ErrUnexpectedEOF:
			return false, other
		case !bytes.Equal(x[:n], y[:m]):
			return false, nil
		case n < len(x):
			return true, nil
		}
	}
}

// looksAt are the columns of expressions; what hides a column reads it piece by piece
// where it can.
func (s *shape) looksAt() (all []look) {
	for i := range s.cells {
		m := s.cells[i].make
		if h, hides := m.(hider); m == nil || hides && h.inPieces() {
			continue
		}
		reads, _ := m.reads()
		all = append(all, look{reads, m.place()})
	}
	return all
}

func (f *filter) looksAt() []look    { return []look{{f.cond.columns, f.cond.where}} }
func (r *rekey) looksAt() []look     { return []look{{r.out.Key, r.where}} }
func (r *route) looksAt() []look     { return []look{{r.to.columns, r.where}} }
func (u *unchanged) looksAt() []look { return nil }
func (o *outbox) looksAt() []look    { return []look{{[]int{o.id, o.kind, o.aggregate}, o.where}} }

// passed gives the values of a change that are not in memory in the columns that they
// are passed on to, of which from says where they come from; nil if there are none.
func passed(c *pipeline.Change, from []int) *pipeline.Asides {
	if c.Aside == nil {
		return nil
	}
	out := &pipeline.Asides{}
	for i, f := range from {
		if f < 0 {
			continue
		}
		if a := asideOf(c, true, f); a != nil {
			out.Before = put(out.Before, i, a)
		}
		if a := asideOf(c, false, f); a != nil {
			out.After = put(out.After, i, a)
		}
	}
	return out
}

// put notes a value of a column.
func put(list []pipeline.Aside, column int, a pipeline.Aside) []pipeline.Aside {
	if len(list) <= column {
		list = slices.Grow(list, column+1-len(list))[:column+1]
	}
	list[column] = a
	return list
}
