//go:build unix

package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/workload"
	"github.com/evertdb/evert/pipeline/log"
)

// A Seen says how much a check looked at, so that one that saw nothing is not
// taken for one that found nothing.
type Seen struct {
	Transactions, Snapshotted int // of the history: in the stream, in the snapshot
	Records, Void, Owed       int
	Cuts, Truncations         int
}

// String prints s in one line.
func (s Seen) String() string {
	return fmt.Sprintf("%d transactions in the stream, %d in the snapshot; %d records, %d void, %d owed tombstones; %d cuts, %d truncations",
		s.Transactions, s.Snapshotted, s.Records, s.Void, s.Owed, s.Cuts, s.Truncations)
}

// history is one comparison.
type history struct {
	*Problems
	facts    *Facts
	last     *log.Frontier
	bySeq    map[uint64][]*Record
	snapshot map[string]map[string]*Record // by table, by key
	seqOf    map[int64]uint64              // of transactions in the stream
	seen     Seen
}

// History compares the topics with everything that was committed, and gives how
// much it looked at. Nothing may be under way, in the database or here.
func History(f *Facts, h *workload.History) Seen {
	c := &history{Problems: f.problems, facts: f, bySeq: map[uint64][]*Record{},
		snapshot: map[string]map[string]*Record{}, seqOf: map[int64]uint64{}}
	if len(f.Cuts) == 0 {
		c.Add("there is no frontier record")
		return c.seen
	}
	c.last = &f.Cuts[len(f.Cuts)-1]
	for tp, records := range f.Records {
		c.partition(tp, records)
	}
	c.cuts()
	c.nameTransactions()
	sessions := h.Sessions()
	model := c.sessions(sessions)
	c.compareSnapshot(model, truncated(sessions))
	c.generations(sessions)
	return c.seen
}

// partition looks at the order in one partition and shares out its records.
func (c *history) partition(tp log.TopicPartition, records []Record) {
	var before *Record
	for i := range records {
		r := &records[i]
		c.seen.Records++
		if before != nil && r.Offset <= before.Offset {
			c.Add("%s: offset %d after %d", tp, r.Offset, before.Offset)
		}
		if r.Incarnation != c.last.Incarnation {
			c.void(tp, r)
			continue
		}
		if before != nil && !follows(before, r) {
			c.Add("%s: (seq %d, row %d, %q %c) at offset %d after (seq %d, row %d, %q %c) at offset %d: repeated or out of order (I2, I4)",
				tp, r.Seq, r.Row, r.Key, r.Kind, r.Offset, before.Seq, before.Row, before.Key, before.Kind, before.Offset)
		}
		before = r
		c.share(tp, r)
	}
}

// follows reports whether b may lie behind a in a partition: at a later place,
// or as the next record of the same change.
func follows(a, b *Record) bool {
	if a.Row >= owed && b.Row >= owed {
		return a.Seq <= b.Seq
	}
	if n := cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Row, b.Row)); n != 0 {
		return n < 0
	}
	return a.Kind == 'd' && b.Kind == 0 && a.Key == b.Key ||
		a.Kind == 0 && b.Kind == 'c' && a.Key != b.Key
}

func (c *history) void(tp log.TopicPartition, r *Record) {
	c.seen.Void++
	from := c.last.Tables[tp.Topic].From
	if int(tp.Partition) >= len(from) || r.Offset >= from[tp.Partition] {
		c.Add("%s offset %d: of another incarnation, and not void", tp, r.Offset)
	}
}

func (c *history) share(tp log.TopicPartition, r *Record) {
	table := tp.Topic[len(harness.Topic("")):]
	switch {
	case r.Row >= owed:
		c.seen.Owed++
		if r.Kind != 0 {
			c.Add("%s offset %d: an owed tombstone with a value", tp, r.Offset)
		}
	case r.Seq == 0:
		c.snapshotRow(table, r)
	default:
		c.bySeq[r.Seq] = append(c.bySeq[r.Seq], r)
	}
}

func (c *history) snapshotRow(table string, r *Record) {
	rows := c.snapshot[table]
	if rows == nil {
		rows = map[string]*Record{}
		c.snapshot[table] = rows
	}
	if r.Kind != 'r' {
		c.Add("%s offset %d: op %c in the snapshot", r.Topic, r.Offset, r.Kind)
	}
	if rows[r.Key] != nil {
		c.Add("%s offset %d: key %s is twice in the snapshot", r.Topic, r.Offset, r.Key)
	}
	rows[r.Key] = r
}

// nameTransactions finds each Seq's transaction by its row in the ledger.
func (c *history) nameTransactions() {
	ledger := harness.Topic("ledger")
	for _, seq := range slices.Sorted(maps.Keys(c.bySeq)) {
		var id int64
		for _, r := range c.bySeq[seq] {
			if r.Topic == ledger && r.Kind == 'c' && id == 0 {
				id = r.Tx
			} else if r.Topic == ledger {
				c.Add("seq %d holds a second row of the ledger: %s", seq, r.Key)
			}
		}
		switch earlier, twice := c.seqOf[id]; {
		case id == 0:
			c.Add("seq %d has %d records and none in the ledger: not a whole transaction", seq, len(c.bySeq[seq]))
		case twice:
			c.Add("transaction %d is there twice, as seq %d and %d (I2)", id, earlier, seq)
		default:
			c.seqOf[id] = seq
		}
	}
}

// sessions goes through what was committed, and gives the state of the tables
// behind the part of it that the snapshot holds.
func (c *history) sessions(sessions map[int][]workload.Tx) model {
	m := model{}
	known := map[int64]bool{}
	for _, txs := range sessions {
		var newest uint64
		for i := range txs {
			tx := &txs[i]
			known[tx.ID] = true
			seq, streamed := c.seqOf[tx.ID]
			copied := c.snapshot["ledger"][fmt.Sprint(tx.ID)] != nil
			switch {
			case streamed && copied:
				c.Add("transaction %d is in the snapshot and in the stream (P09)", tx.ID)
			case streamed:
				if seq <= newest {
					c.Add("transaction %d has seq %d, its session's one before %d (I4)", tx.ID, seq, newest)
				}
				newest = seq
				c.transaction(tx, c.bySeq[seq])
			case !copied:
				c.Add("transaction %d (session %d, %d changes) is lost (I2)", tx.ID, tx.Session, len(tx.Changes))
			case newest > 0:
				c.Add("transaction %d is in the snapshot, an earlier one of its session is not (P09)", tx.ID)
			default:
				c.seen.Snapshotted++
				m.apply(tx)
			}
		}
	}
	for id, seq := range c.seqOf {
		if !known[id] {
			c.Add("transaction %d (seq %d) was never committed (P27)", id, seq)
		}
	}
	return m
}

// transaction compares the records of one Seq with the changes it stands for.
func (c *history) transaction(tx *workload.Tx, records []*Record) {
	c.seen.Transactions++
	slices.SortStableFunc(records, func(a, b *Record) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(rank(a.Kind), rank(b.Kind)))
	})
	n := 0
	for want := range expected(tx) {
		if n >= len(records) {
			c.Add("transaction %d: %d records, more expected: %v", tx.ID, len(records), want)
			return
		}
		if got := wantOf(records[n]); got != want {
			c.Add("transaction %d, record %d of %d: got %v, want %v", tx.ID, n, len(records), got, want)
			return
		}
		n++
	}
	if n < len(records) {
		c.Add("transaction %d: %d records beyond the %d expected, the first: %v", tx.ID, len(records)-n, n, wantOf(records[n]))
	}
}

// rank orders the records of one change: delete, tombstone, create.
func rank(kind byte) int {
	switch kind {
	case 'd':
		return 0
	case 0:
		return 1
	}
	return 2
}
