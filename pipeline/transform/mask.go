package transform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A Way is how a value is hidden.
type Way uint8

// The ways. What is hidden becomes a column of text; NULL stays NULL.
const (
	HMAC    Way = iota // 64 hexadecimal digits: equal values stay equal, and nothing else can be told without the key
	Redact             // the word [redacted]
	Nullify            // NULL
	Partial            // all but the last characters become *
	Drop               // the column is left out
)

// redacted stands for every value that is hidden wholly.
const redacted = "[redacted]"

// A Mask hides values, in new rows and old ones.
type Mask struct{ Columns []Masked }

// A Masked is a column and how it is hidden.
type Masked struct {
	Named
	Way  Way
	Key  []byte // of HMAC
	Keep int    // of Partial: characters at the end that are shown, if there are twice as many

	Lenient bool // a table without the column is passed on: the mask is for the tables of a pattern
}

// Bind implements Step.
func (m Mask) Bind(t *schema.Table) (Bound, error) {
	cells, dropped := all(t), map[int]bool{}
	for _, c := range m.Columns {
		i := t.Column(c.Name)
		switch {
		case i < 0 && c.Lenient:
		case i < 0:
			return nil, c.wrong(codeColumn, "table "+t.String()+" has no column "+quote(c.Name)+" to be hidden", mendColumns(t))
		case t.IsKey(i) && c.Way != HMAC:
			return nil, c.wrong(codeColumn, "column "+quote(c.Name)+" is part of the key of table "+t.String()+": rows would have one key, or none",
				"write mask: hmac-sha256, which keeps different values different; or choose another key")
		case c.Way == Drop:
			dropped[i] = true
		default:
			cells[i] = c.cell(t, i)
		}
	}
	kept := cells[:0]
	for i := range cells {
		if !dropped[i] {
			kept = append(kept, cells[i])
		}
	}
	return newShape(t, kept, m.place())
}

func (m Mask) place() Text {
	if len(m.Columns) == 0 {
		return Text{}
	}
	return m.Columns[0].Text
}

// cell makes the hidden column. A way that is given a value of any type makes
// text of it.
func (c *Masked) cell(t *schema.Table, i int) cell {
	h := hidden{typ: &t.Columns[i].Type, from: []int{i}, where: c.Where}
	out := cell{column: textColumn(t.Columns[i].Name, t.Columns[i].Nullable), from: -1, keys: -1}
	switch c.Way {
	case HMAC:
		out.make, out.keys = &keyed{hidden: h, mac: hmac.New(sha256.New, c.Key)}, i
	case Redact:
		out.make = &constant{hidden: h, is: schema.Text([]byte(redacted))}
	case Nullify:
		out.column = t.Columns[i]
		out.column.Nullable = true
		out.make = &constant{hidden: h, is: schema.Null()}
	case Partial:
		out.make = &partial{hidden: h, keep: c.Keep}
	}
	return out
}

// hidden is what every way has.
type hidden struct {
	typ   *schema.Type
	from  []int // the one column
	where string
}

func (h *hidden) reads() ([]int, bool) { return h.from, true }
func (h *hidden) place() string        { return h.where }

type constant struct {
	hidden
	is schema.Value
}

func (m *constant) value(_ *Out, _ *pipeline.Change, row schema.Row) (schema.Value, error) {
	if row[m.from[0]].IsNull() {
		return schema.Null(), nil
	}
	return m.is, nil
}

// keyed is a keyed hash of the value's text.
type keyed struct {
	hidden
	mac  hash.Hash
	text []byte
	sum  [sha256.Size]byte
}

func (m *keyed) value(o *Out, _ *pipeline.Change, row schema.Row) (schema.Value, error) {
	v := row[m.from[0]]
	if v.IsNull() {
		return v, nil
	}
	m.text = m.typ.AppendText(m.text[:0], v)
	m.mac.Reset()
	m.mac.Write(m.text)
	return m.digest(o), nil
}

// digest is the hash of what was written.
func (m *keyed) digest(o *Out) schema.Value {
	digits := o.bytes(2 * sha256.Size)
	hex.Encode(digits, m.mac.Sum(m.sum[:0]))
	return schema.Text(digits)
}

type partial struct {
	hidden
	keep int
	text []byte
}

// value shows the end of a text that is at least twice as long as what is shown.
func (m *partial) value(o *Out, _ *pipeline.Change, row schema.Row) (schema.Value, error) {
	v := row[m.from[0]]
	if v.IsNull() {
		return v, nil
	}
	m.text = m.typ.AppendText(m.text[:0], v)
	n := utf8.RuneCount(m.text)
	stars := n
	if n >= 2*m.keep {
		stars = n - m.keep
	}
	rest := m.text
	for range stars {
		_, size := utf8.DecodeRune(rest)
		rest = rest[size:]
	}
	out := o.bytes(stars + len(rest))
	for i := range stars {
		out[i] = '*'
	}
	copy(out[stars:], rest)
	return schema.Text(out), nil
}
