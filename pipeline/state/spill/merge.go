package spill

import (
	"bytes"
	"errors"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// memoryCursor goes over what is in memory, sorted.
type memoryCursor struct {
	m     *memory
	refs  []ref // that are to come
	key   []byte
	value []byte
}

func (s *Sorter) memoryCursor() *memoryCursor { return &memoryCursor{m: &s.mem, refs: s.mem.refs} }

// Next goes to the next entry.
func (c *memoryCursor) Next() bool {
	if len(c.refs) == 0 {
		return false
	}
	c.key, c.value = c.m.entry(c.refs[0])
	c.refs = c.refs[1:]
	return true
}

// Key is that of the entry.
func (c *memoryCursor) Key() []byte { return c.key }

// Value is that of the entry.
func (c *memoryCursor) Value() []byte { return c.value }

// Err is nil.
func (c *memoryCursor) Err() error { return nil }

// Close ends it.
func (c *memoryCursor) Close() error {
	c.refs = nil
	return nil
}

// A lane is one of the runs that are merged.
type lane struct {
	key    []byte // of the entry it stands at
	value  []byte
	head   uint64
	ended  bool
	onDisk blockReader
	inMem  *memoryCursor // instead
}

// advance goes to the lane's next entry.
func (l *lane) advance() error {
	if l.inMem != nil {
		l.ended = !l.inMem.Next()
		l.key, l.value = l.inMem.key, l.inMem.value
	} else {
		l.ended = !l.onDisk.next()
		l.key, l.value = l.onDisk.key, l.onDisk.value
	}
	l.head = head(l.key)
	return l.onDisk.err
}

// merge is a cursor over several runs. A tree of losers finds the least entry
// with one comparison for each of its levels: an inner node holds the lane that
// lost there, the root the one that won all.
//
//	      tree[0] winner
//	      tree[1]
//	 tree[2]    tree[3]
//	lane 0 1    lane 2 3      a lane i begins at node (i+k)/2
type merge struct {
	lanes []lane
	tree  []int
	begun bool
	err   error
}

// merged merges runs, and what is in memory behind them.
func (s *Sorter) merged(runs []run, last *memoryCursor) (dataflow.Cursor, error) {
	m := &merge{lanes: make([]lane, 0, len(runs)+1)}
	for _, r := range runs {
		m.lanes = append(m.lanes, lane{onDisk: blockReader{s: s, at: r.from, to: r.to}})
	}
	if last != nil {
		m.lanes = append(m.lanes, lane{inMem: last})
	}
	for i := range m.lanes {
		m.err = errors.Join(m.err, m.lanes[i].advance())
	}
	m.build()
	return m, m.err
}

// build plays all matches.
func (m *merge) build() {
	k := len(m.lanes)
	m.tree = make([]int, k)
	winner := make([]int, 2*k)
	for i := range k {
		winner[k+i] = i
	}
	for n := k - 1; n > 0; n-- {
		a, b := winner[2*n], winner[2*n+1]
		if m.less(b, a) {
			a, b = b, a
		}
		winner[n], m.tree[n] = a, b
	}
	m.tree[0] = winner[1]
	if k == 1 {
		m.tree[0] = 0
	}
}

// less orders lanes by their entries, equal ones by age; ended ones come last.
func (m *merge) less(a, b int) bool {
	x, y := &m.lanes[a], &m.lanes[b]
	if x.ended || y.ended {
		return !x.ended
	}
	if x.head != y.head {
		return x.head < y.head
	}
	if c := bytes.Compare(x.key, y.key); c != 0 {
		return c < 0
	}
	return a < b
}

// Next goes to the next entry.
func (m *merge) Next() bool {
	if m.err != nil || len(m.lanes) == 0 {
		return false
	}
	if m.begun && !m.replay() {
		return false
	}
	m.begun = true
	return !m.lanes[m.tree[0]].ended
}

// replay moves the winner on and plays its matches again.
func (m *merge) replay() bool {
	w := m.tree[0]
	if m.lanes[w].ended {
		return false
	}
	if m.err = m.lanes[w].advance(); m.err != nil {
		return false
	}
	for n := (w + len(m.lanes)) / 2; n > 0; n /= 2 {
		if m.less(m.tree[n], w) {
			w, m.tree[n] = m.tree[n], w
		}
	}
	m.tree[0] = w
	return true
}

// Key is that of the entry.
func (m *merge) Key() []byte { return m.lanes[m.tree[0]].key }

// Value is that of the entry.
func (m *merge) Value() []byte { return m.lanes[m.tree[0]].value }

// Err is what ended the merge early.
func (m *merge) Err() error { return m.err }

// Close ends it.
func (m *merge) Close() error {
	m.lanes = nil
	return nil
}
