package compare

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// A Report is what a comparison found.
type Report struct {
	Rows      int64        `json:"rows"`      // in the database
	Equal     int64        `json:"equal"`     // on both sides
	Missing   int64        `json:"missing"`   // only in the database
	Surplus   int64        `json:"surplus"`   // only here
	Differing int64        `json:"differing"` // on both sides, with other values
	Twice     int64        `json:"twice"`     // keys that the database's answer has more than once
	Keys      []Difference `json:"keys"`      // of the first differences
}

// A Difference names a row in which the sides differ.
type Difference struct {
	Kind string          `json:"kind"` // missing, surplus, differing or twice
	Key  json.RawMessage `json:"key"`  // an object by column name
}

// Same reports whether both sides have the same rows.
func (r *Report) Same() bool { return r.Missing+r.Surplus+r.Differing+r.Twice == 0 }

// Columns say what the rows are that are compared.
type Columns struct {
	Columns []schema.Column
	Key     []int
	Most    int  // keys that a report names
	Brief   bool // rows have a hash of each long text: they are compared by SameTexts

	names []schema.Column // of the key
	key   *tuple.Key
}

// NewColumns compiles them; keys whose type has no order are an error.
func NewColumns(columns []schema.Column, key []int, most int) (*Columns, error) {
	c := &Columns{Columns: columns, Key: key, Most: most}
	for _, i := range key {
		c.names = append(c.names, columns[i])
	}
	var err error
	c.key, err = tuple.NewKey(c.names, nil)
	return c, err
}

// AppendKey appends the bytes that a key, in key order, is sorted by.
func (c *Columns) AppendKey(dst []byte, key schema.Row) []byte { return c.key.Append(dst, key, nil) }

// Merge compares what is here with what the database has. Values are rows of
// AppendCells; equal says whether two are the same.
func (c *Columns) Merge(here, database dataflow.Cursor, equal func(a, b []byte) bool) (Report, error) {
	m := merge{Columns: c, here: side{Cursor: here}, there: side{Cursor: database, count: true}}
	m.Keys = []Difference{}
	m.here.step()
	m.there.step()
	for m.here.ok || m.there.ok {
		if err := m.compare(equal); err != nil {
			return m.Report, err
		}
	}
	if err := here.Err(); err != nil {
		return m.Report, err
	}
	return m.Report, database.Err()
}

// merge is a comparison that goes on.
type merge struct {
	*Columns
	Report
	here, there side
}

// compare takes the next key of either side.
func (m *merge) compare(equal func(a, b []byte) bool) error {
	order := bytes.Compare(m.here.key, m.there.key)
	switch {
	case !m.there.ok || m.here.ok && order < 0:
		return m.note("surplus", &m.Surplus, &m.here)
	case !m.here.ok || order > 0:
		m.Rows++
		return m.note("missing", &m.Missing, &m.there)
	}
	m.Rows++
	twice, differ := m.there.times > 1, !equal(m.here.value, m.there.value)
	m.here.step()
	switch {
	case twice:
		return m.note("twice", &m.Twice, &m.there)
	case differ:
		return m.note("differing", &m.Differing, &m.there)
	}
	m.Equal++
	m.there.step()
	return nil
}

// note counts a difference, names its key, and goes on behind it.
func (m *merge) note(kind string, count *int64, s *side) error {
	*count++
	if len(m.Keys) < m.Most {
		key, err := m.keyOf(s.key)
		if err != nil {
			return err
		}
		m.Keys = append(m.Keys, Difference{kind, key})
	}
	s.step()
	return nil
}

func (m *merge) keyOf(b []byte) (json.RawMessage, error) {
	row, _, err := m.key.Decode(b, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("a key that was sorted: %w", err)
	}
	return (&schema.Table{Columns: m.names}).AppendJSON(nil, row), nil
}

// side gives the newest row of each key that has one.
type side struct {
	dataflow.Cursor
	count      bool // rows of one key, instead of the newest alone
	ok         bool
	key, value []byte
	times      int
	ahead      bool // the cursor stands on the next key already
	done       bool
}

// step goes to the next key with a row; an empty value says that the row went.
func (s *side) step() {
	for {
		s.ok = s.load()
		if !s.ok || len(s.value) > 0 {
			return
		}
	}
}

func (s *side) load() bool {
	if s.done || !s.ahead && !s.Next() {
		s.done = true
		s.key = nil
		return false
	}
	s.key, s.times, s.ahead = append(s.key[:0], s.Key()...), 0, false
	for {
		s.value = append(s.value[:0], s.Value()...)
		s.times++
		if !s.Next() {
			s.done = true
			return true
		}
		if !bytes.Equal(s.Key(), s.key) {
			s.ahead = true
			return true
		}
	}
}
