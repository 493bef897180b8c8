package workload

import (
	"slices"
	"sync"
)

// Kind says what a Change does.
type Kind byte

// The kinds of changes.
const (
	Created   Kind = 'c'
	Updated   Kind = 'u'
	Deleted   Kind = 'd'
	Moved     Kind = 'm' // to another key
	Truncated Kind = 't' // the whole table
	Filled    Kind = 'b' // Count rows of bulk, from key First on
)

// A Change is one change that a committed transaction made.
type Change struct {
	Table string
	Kind  Kind
	Key   string // the key's columns in order, joined by |
	To    string // where Moved went
	Ver   int    // the version written
	First int64  // of Filled
	Count int64
}

// A Tx is one committed transaction.
type Tx struct {
	ID      int64
	Session int
	Changes []Change // in order; the row of the ledger is the first
}

// A History is everything that was committed. Its methods may be called from
// any goroutine.
type History struct {
	mu       sync.Mutex
	sessions map[int][]Tx
	count    int
	rows     int64
}

func (h *History) add(tx Tx) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions == nil {
		h.sessions = map[int][]Tx{}
	}
	h.sessions[tx.Session] = append(h.sessions[tx.Session], tx)
	h.count++
	for _, c := range tx.Changes {
		h.rows += max(1, c.Count)
	}
}

// Count is the number of committed transactions, Rows that of their changes.
func (h *History) Count() (txs int, rows int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count, h.rows
}

// Sessions gives the transactions of each session in the order of commit. They
// are the caller's.
func (h *History) Sessions() map[int][]Tx {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[int][]Tx{}
	for n, txs := range h.sessions {
		out[n] = slices.Clone(txs)
	}
	return out
}
