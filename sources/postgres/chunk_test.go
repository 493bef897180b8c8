package postgres

import (
	"strconv"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// Where a row filter fits an index, the server would read a chunk in the order of
// that: what it gives last may lie before what it gave first.
func TestCopyThatAnIndexFits(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	if d.major() < 15 {
		return // publications have no row filters there
	}
	d.do(`CREATE TABLE t (id int, region int, place int, PRIMARY KEY (id, region));
		INSERT INTO t SELECT g, g % 2, -g FROM generate_series(1, 100) g;
		CREATE INDEX ON t (region, place);
		CREATE PUBLICATION evert_pub FOR TABLE t WHERE (region = 1) WITH (publish_via_partition_root)`)
	for _, way := range []string{"tidscan", "seqscan", "bitmapscan"} {
		d.do("ALTER DATABASE %s SET enable_%s = off", d.get("SELECT current_database()"), way)
	}
	r := open(t, chunked(d, 7), pipeline.Resume{})
	f := newFold(t, r)
	r.each("0/1", f.take)
	r.copyIt("one")
	f.until(1)
	f.is(d, f.table, "SELECT concat_ws('|', id, region, place) FROM t WHERE region = 1")
}

func TestRowsOfAChunkRise(t *testing.T) {
	at := progress{Block: 3, Offset: 5}
	for _, c := range []struct {
		block  uint32
		offset uint16
		rises  bool
	}{{2, 9, false}, {3, 4, false}, {3, 5, false}, {3, 6, true}, {4, 1, true}} {
		if at.before(c.block, c.offset) != c.rises {
			t.Errorf("(%d,%d) behind (3,5): %v", c.block, c.offset, !c.rises)
		}
	}
	j := &chunkJob{shape: &shape{}, to: at}
	if err := j.row([][]byte{{0, 0, 0, 3, 0, 4}}); err == nil {
		t.Error("a row that was passed is read")
	}
}

// Small rows say nothing of the size of those behind them (I9).
func TestChunkEndsAtItsBytes(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	const large = 5000
	d.do(`CREATE TABLE t (id int PRIMARY KEY, big text); INSERT INTO t SELECT g, repeat('x', CASE WHEN g > 100 THEN %d ELSE 1 END) FROM generate_series(1, 300) g`, large)
	c := d.config()
	c.ChunkBytes = 64 << 10
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	r.each("0/1", f.take)
	r.copyIt("one")
	chunks := map[*pipeline.Tx]int{}
	for f.done == 0 {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range b.Changes {
			if f.begun == 1 {
				chunks[ch.Tx] += len(ch.After[1].Ref())
			}
		}
		f.take(b)
	}
	for _, bytes := range chunks {
		if bytes > c.ChunkBytes+large {
			t.Errorf("a chunk has %d bytes, and %d are its bound", bytes, c.ChunkBytes)
		}
	}
	f.is(d, f.table, "SELECT id || '|' || big FROM t")
}

// A chunk is found by OID and read by name. Of what has taken the name in between,
// nothing is read.
func TestChunkOfATableThatIsRenamed(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(`CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (7);
		CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id);
		CREATE TABLE part PARTITION OF parts FOR VALUES IN (1); CREATE TABLE part2 PARTITION OF parts FOR VALUES IN (2)`)
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	exchange := func(a, b string) { d.do("ALTER TABLE %s RENAME TO was; ALTER TABLE %s RENAME TO %s", a, b, a) }
	for root, renamed := range map[string][2]string{"t": {"t", "other"}, "parts": {"part", "part2"}} {
		oid, err := strconv.ParseUint(d.get("SELECT '%s'::regclass::oid", root), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		_, sh, err := r.source.catalog.shapeNow(t.Context(), r.source.side, uint32(oid))
		if err != nil {
			t.Fatal(err)
		}
		j := &chunkJob{source: r.source, shape: sh}
		if err := j.find(t.Context(), d.conn); err != nil {
			t.Fatal(err)
		}
		if err := j.begin(t.Context(), d.conn); err != nil || j.changed {
			t.Fatalf("%s has changed: %v, %v", root, j.changed, err)
		}
		d.do("ROLLBACK")
		exchange(renamed[0], renamed[1])
		if err := j.begin(t.Context(), d.conn); err != nil || !j.changed {
			t.Errorf("%s is read from another table (%v)", root, err)
		}
		d.do("ROLLBACK; ALTER TABLE was RENAME TO spare_%s", root)
	}
}
