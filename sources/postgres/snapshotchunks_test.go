package postgres

import (
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// A large table is not copied under one snapshot: a crash costs a chunk and not the
// copy, and no transaction lasts longer than a chunk is read.
func TestSnapshotInChunks(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(tableOfT + "; CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1), (2)")
	c := chunked(d, 10)
	c.QueueBatches, c.ChunkAbove = 1, 64<<10
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	small := 0
	for !r.resume.Whole() {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range b.Changes {
			if ch.Table.Name == "small" {
				small++
			}
		}
		f.takeOf(b, "t")
	}
	if small != 2 || f.reads != 0 || f.begun != 1 || r.resume.At.Seq != 1 {
		t.Fatalf("P11 the snapshot ends at %s with %d rows of the small table and %d of the large one, whose copy began %d times", r.resume.At, small, f.reads, f.begun)
	}
	restarts := 0
	for f.done == 0 {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if f.takeOf(b, "t"); f.reads < 60*(restarts+1) || f.done > 0 {
			continue
		}
		from := r.close()                                              // what it has read and not handed over is lost
		d.do("UPDATE t SET ver = ver + 1 WHERE id = %d", 299-restarts) // it moves, and may be copied twice
		r = open(t, c, from)
		f.r = r
		restarts++
	}
	f.sync(d)
	f.is(d, f.table, rowsOfT)
	if restarts < 3 || f.begun != 1 || f.reads > 300+restarts*(c.ChunkRows+1) {
		t.Errorf("P10 %d restarts; the copy began %d times, and %d rows were copied of 300", restarts, f.begun, f.reads)
	}
}
