package mysql

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// meeting is a place where readers wait until n of them are there, once.
func (d *db) meeting(n int32) (come func(), held *atomic.Bool) {
	var here atomic.Int32
	all := make(chan struct{})
	held = &atomic.Bool{}
	return func() {
		if here.Add(1) == n {
			held.Store(true)
			close(all)
		}
		select {
		case <-all:
		case <-time.After(patience): // the test fails, and ends
		}
	}, held
}

// Four readers are in the middle of chunks of one table at one time, and their chunks are
// merged as each of them comes: none waits for the one before it.
func TestReadersOfOneTable(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.fill()
	c := d.config("a")
	c.ChunkAbove, c.ChunkRows, c.SnapshotWorkers = 1, 50, 4
	come, held := d.meeting(4)
	c.reads = come
	r := d.open(c, pipeline.Resume{}).copied().until("a is done ")
	if r.equal("a"); !held.Load() {
		t.Error("there were never four readers of the table at one time")
	}
	if r.reads["a"] != last {
		t.Errorf("%d rows were read of %d", r.reads["a"], last)
	}
}

// A table under writes is copied by four readers, and the source is made anew in the middle
// of it, where what its state says is all that counts: the first reader is held then, while
// the others have gone on. Where the copy is done the rows are those of a place of the log;
// no more is read again than what was on its way.
func TestCopyByFourReaders(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		name string
		make func(*testing.T) *db
	}{{"GTIDs", newDB}, {"file and position", newUnnumberedDB}} {
		t.Run(of.name, func(t *testing.T) {
			const seed = 21
			d := of.make(t)
			money := d.fill()
			end := d.traffic(seed, 3, turmoil)
			defer end()
			c := d.config("a")
			c.ChunkAbove, c.ChunkRows, c.BatchRows, c.SnapshotWorkers = 1, 50, 30, 4
			r, restarts := d.reader(c, pipeline.Resume{}), 3
			read := 0 // by chunks
			r.also = func(b pipeline.Batch) {
				for i := range b.Changes {
					if b.Changes[i].Op == pipeline.Read && !b.Changes[i].Tx.Position.IsZero() {
						read++
					}
				}
			}
			for n := range restarts {
				held, again := c, r
				var letGo func()
				held.reads, letGo = d.heldOnce()
				r = d.open(held, again.place)
				r.rows, r.fresh, r.copies, r.also = again.rows, again.fresh, again.copies, again.also
				for r.copied(); read < 300*(n+1) || len(r.ahead("a")) < 2; {
					if err := r.next(); err != nil {
						t.Fatal(err)
					}
				}
				letGo()
				r.close()
			}
			r = r.reopen(c)
			r.until("a is done ")
			if got := r.money(); got != money {
				t.Errorf("seed %d: where the copy is done the money is %d, not %d: that is no prefix of the log", seed, got, money)
			}
			end()
			r.caught().equal("a")
			if read > last+500 {
				t.Errorf("seed %d: %d rows were read of about %d, with %d restarts: a copy has begun again", seed, read, last, restarts)
			}
		})
	}
}

// heldOnce holds the first reader that comes, until it is let go.
func (d *db) heldOnce() (come, letGo func()) {
	var first atomic.Bool
	gone, cancel := context.WithCancel(d.Context())
	return func() {
		if !first.Swap(true) {
			<-gone.Done()
		}
	}, cancel
}

// ahead gives what the state says of the copy of a table.
func (r *reader) ahead(table string) []keyRange {
	r.Helper()
	s, err := decodeState(r.place.State)
	if err != nil {
		r.Fatal(err)
	}
	for _, k := range s.Copies {
		if k.Table == table && !k.Done {
			return k.Ahead
		}
	}
	return nil
}

// What is left of a chunk that had too many bytes is read too, whatever its key is.
func TestSpansThatAreLeft(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("SET sql_mode = ''", "CREATE TABLE a (l enum('z','','a'), d date, s varchar(20) CHARACTER SET latin1, n int, v varchar(200), PRIMARY KEY (l, d, s, n))",
		"INSERT INTO a VALUES "+numbered(500, "(elt(1 + %[1]d %% 4, 'none', '', 'z', 'a'), if(%[1]d %% 3 = 0, '0000-00-00', '1960-05-05'), elt(1 + %[1]d %% 3, 'é', 'E', 'a''b'), %[1]d, repeat('x', %[1]d %% 200))"))
	c := d.config("a")
	c.ChunkAbove, c.ChunkRows, c.ChunkBytes, c.SnapshotWorkers, c.ZeroDates = 1, 40, 2000, 3, binlogvalue.ZeroEpoch
	r := d.open(c, pipeline.Resume{})
	most := 0
	for r.copied(); !slices.Contains(r.copies, "a is done "); most = max(most, len(r.ahead("a"))) {
		if err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.rows["a"]); n != 500 || r.reads["a"] != 500 {
		t.Errorf("%d rows, read %d times", n, r.reads["a"])
	}
	if bound := 2*c.SnapshotWorkers + 1; most < 2 || most > bound {
		t.Errorf("a state has up to %d spans, want 2 to %d", most, bound)
	}
}

// The condition of a range, in the order of a key of several columns.
func TestRangeConditions(t *testing.T) {
	r := keyRange{After: []string{"1", "2"}, Until: []string{"3", "4"}}
	got := fmt.Sprint(r.conditions([]string{"a", "b"}))
	sameText(t, got, "[a >= 1 AND (a > 1 OR a = 1 AND (b > 2)) a <= 3 AND (a < 3 OR a = 3 AND (b <= 4))]")
	sameText(t, fmt.Sprint((&keyRange{Until: []string{"3"}}).conditions([]string{"a"})), "[a <= 3]")
	sameText(t, fmt.Sprint((&keyRange{}).conditions([]string{"a"})), "[]")
}
