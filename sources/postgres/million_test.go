package postgres

import (
	"os"
	"runtime"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// P26, P27: one transaction of very many rows, a part of it rolled back, beside
// another that is open at the same time. Every row that was committed comes once, in
// order, before the end of its transaction, and memory does not grow with their
// number. EVERT_FULL=1 makes it ten million.
func TestOneTransactionOfVeryManyRows(t *testing.T) {
	rows, bound := 30_000, uint64(0)
	if os.Getenv("EVERT_FULL") == "1" {
		rows, bound = 10_000_000, 200<<20
	}
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
	d.decodeEarly()
	c := d.config()
	c.SpillBytes, c.SpillMost = 1<<20, 16<<30
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	other := dbAt(t, d.url)
	other.do("BEGIN; INSERT INTO t SELECT -g, repeat('b', 100) FROM generate_series(1, 5000) g")
	d.do("BEGIN; INSERT INTO t SELECT g, repeat('a', 60) FROM generate_series(1, %d) g", rows/2)
	d.do("SAVEPOINT gone; INSERT INTO t SELECT g, 'gone' FROM generate_series(%d, %d) g; ROLLBACK TO gone", rows/2+1, rows/2+5000)
	d.do("INSERT INTO t SELECT g, repeat('a', 60) FROM generate_series(%d, %d) g; COMMIT", rows/2+1, rows)
	other.do("COMMIT")
	d.do("SELECT pg_logical_emit_message(true, 'sync', '')")

	large, small, batches, most := 0, 0, 0, uint64(0)
	r.each(d.get("SELECT pg_current_wal_lsn()"), func(b pipeline.Batch) {
		for _, change := range b.Changes {
			id := change.After[0].Int()
			switch {
			case id < 0 && large == rows && id == int64(-small-1):
				small++
			case small == 0 && id == int64(large+1) && change.After[1].Ref()[0] == 'a':
				large++
			default:
				t.Fatalf("row %d comes after %d and %d others", id, large, small)
			}
		}
		if batches++; bound > 0 && batches%64 == 0 {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.Sys-now.HeapReleased)
		}
	})
	if large != rows || small != 5000 {
		t.Errorf("%d and %d rows came, want %d and 5000", large, small, rows)
	}
	t.Logf("%d rows; at most %d MiB of memory", rows, most>>20)
	if most > bound {
		t.Errorf("memory grew to %d bytes", most)
	}
}
