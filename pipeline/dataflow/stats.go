package dataflow

// Stats say what an epoch did.
type Stats struct {
	Rows    int64      // that Upsert and Delete were given
	Changes int64      // of the result
	Nodes   []NodeStat // by the engine's Nodes
	Reads   int64      // of the state: gets, scans, and the entries that these went over
	Read    int64      // bytes of keys and values
	Writes  int64      // puts and deletes
	Written int64      // bytes of keys and values
}

// Add adds what another epoch of the same engine did.
func (s *Stats) Add(o *Stats) {
	s.Rows, s.Changes = s.Rows+o.Rows, s.Changes+o.Changes
	s.Reads, s.Read = s.Reads+o.Reads, s.Read+o.Read
	s.Writes, s.Written = s.Writes+o.Writes, s.Written+o.Written
	if s.Nodes == nil {
		s.Nodes = make([]NodeStat, len(o.Nodes))
	}
	for i, n := range o.Nodes {
		s.Nodes[i].In, s.Nodes[i].Out = s.Nodes[i].In+n.In, s.Nodes[i].Out+n.Out
	}
}

// A NodeStat says how many deltas a node took and gave; Out over In is its
// fan-out.
type NodeStat struct{ In, Out int64 }

func (t *Epoch) stats() Stats {
	s := Stats{Rows: t.rows, Changes: t.changes, Writes: t.meter.count, Written: t.meter.bytes}
	if t.r != nil {
		s.Reads, s.Read = t.r.count, t.r.bytes
	}
	for _, v := range t.e.nodes {
		s.Nodes = append(s.Nodes, NodeStat{In: v.in, Out: v.out})
	}
	return s
}

// A meteredReader counts what is read.
type meteredReader struct {
	r            Reader
	count, bytes int64
}

func (m *meteredReader) Get(key []byte) ([]byte, bool, error) {
	v, ok, err := m.r.Get(key)
	m.count++
	m.bytes += int64(len(key) + len(v))
	return v, ok, err
}

// Scan counts, and its entries when they are reached.
func (m *meteredReader) Scan(low, high []byte) (Cursor, error) {
	c, err := m.r.Scan(low, high)
	if err != nil {
		return nil, err
	}
	m.count++
	return &meteredCursor{Cursor: c, m: m}, nil
}

type meteredCursor struct {
	Cursor
	m *meteredReader
}

func (c *meteredCursor) Next() bool {
	ok := c.Cursor.Next()
	if ok {
		c.m.count++
		c.m.bytes += int64(len(c.Key()) + len(c.Value()))
	}
	return ok
}

// A meteredWriter counts what is written.
type meteredWriter struct {
	w            Writer
	count, bytes int64
}

func (m *meteredWriter) Put(key, value []byte) error {
	m.count++
	m.bytes += int64(len(key) + len(value))
	return m.w.Put(key, value)
}

func (m *meteredWriter) Delete(key []byte) error {
	m.count++
	m.bytes += int64(len(key))
	return m.w.Delete(key)
}
