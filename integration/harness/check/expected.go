//go:build unix

package check

import (
	"fmt"
	"iter"
	"strconv"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/workload"
)

// A want is a record as it has to be.
type want struct {
	topic string
	key   string
	kind  byte
	ver   int
	tx    int64 // that the row names; 0 where there is no row
}

// String prints w for people.
func (w want) String() string {
	kind := string(rune(w.kind))
	if w.kind == 0 {
		kind = "tombstone"
	}
	return fmt.Sprintf("%s %s %s ver %d tx %d", w.topic, w.key, kind, w.ver, w.tx)
}

func wantOf(r *Record) want {
	return want{topic: r.Topic, key: r.Key, kind: r.Kind, ver: r.Ver, tx: r.Tx}
}

// expected gives the records that a transaction stands for, in order.
func expected(tx *workload.Tx) iter.Seq[want] {
	return func(yield func(want) bool) {
		for _, c := range tx.Changes {
			for w := range recordsOf(tx.ID, c) {
				if !yield(w) {
					return
				}
			}
		}
	}
}

func recordsOf(id int64, c workload.Change) iter.Seq[want] {
	topic := harness.Topic(c.Table)
	return func(yield func(want) bool) {
		row := func(key string, kind byte, ver int) bool { return yield(want{topic, key, kind, ver, id}) }
		gone := func(key string) bool {
			return yield(want{topic: topic, key: key, kind: 'd'}) && yield(want{topic: topic, key: key})
		}
		switch c.Kind {
		case workload.Created, workload.Updated:
			row(c.Key, byte(c.Kind), c.Ver)
		case workload.Deleted:
			gone(c.Key)
		case workload.Moved:
			_ = gone(c.Key) && row(c.To, 'c', c.Ver)
		case workload.Filled:
			for n := range c.Count {
				if !row(strconv.FormatInt(c.First+n, 10), 'c', 1) {
					return
				}
			}
		}
	}
}

// A model is the state of the tables: by table, by key.
type model map[string]map[string]want

func (m model) apply(tx *workload.Tx) {
	for w := range expected(tx) {
		rows := m[w.topic]
		if rows == nil {
			rows = map[string]want{}
			m[w.topic] = rows
		}
		if w.tx == 0 {
			delete(rows, w.key)
			continue
		}
		w.kind = 'r'
		rows[w.key] = w
	}
	for _, c := range tx.Changes {
		if c.Kind == workload.Truncated {
			m.truncate(tx, c)
		}
	}
}

// truncate drops what the table held before this transaction's own later rows.
func (m model) truncate(tx *workload.Tx, c workload.Change) {
	for key, w := range m[harness.Topic(c.Table)] {
		if w.tx != tx.ID {
			delete(m[harness.Topic(c.Table)], key)
		}
	}
}

// truncated gives the tables that were truncated at any time.
func truncated(sessions map[int][]workload.Tx) map[string]int {
	tables := map[string]int{}
	for _, txs := range sessions {
		for i := range txs {
			for _, c := range txs[i].Changes {
				if c.Kind == workload.Truncated {
					tables[harness.Topic(c.Table)]++
				}
			}
		}
	}
	return tables
}

// compareSnapshot compares the snapshot's rows with the state behind the
// transactions that it holds. A table that was truncated while the snapshot was
// read may be empty in it: TRUNCATE is not transactional for older snapshots.
func (c *history) compareSnapshot(m model, truncated map[string]int) {
	for _, t := range workload.Tables() {
		topic := harness.Topic(t.Name)
		got := c.snapshot[t.Name]
		if len(got) == 0 && truncated[topic] > 0 {
			continue
		}
		for key, w := range m[topic] {
			r := got[key]
			if r == nil {
				c.Add("snapshot of %s: key %s is missing (P09)", topic, key)
			} else if wantOf(r) != w {
				c.Add("snapshot of %s: got %v, want %v (P09)", topic, wantOf(r), w)
			}
		}
		for key := range got {
			if _, ok := m[topic][key]; !ok {
				c.Add("snapshot of %s: key %s was not there (P09)", topic, key)
			}
		}
	}
}
