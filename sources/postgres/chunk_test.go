package postgres

import (
	"strconv"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
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

// A snapshot shows commits that nobody has flushed. After a crash the table never had
// them, and what comes in their place of the log is something else.
func TestChunkOfCommitsThatACrashUndoes(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	pgtest.Database(t, server, "undone")
	d := dbAt(t, server.URL("undone"))
	d.do("SET synchronous_commit = on; CREATE TABLE t (id int PRIMARY KEY, ver int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 10) g; CREATE TABLE u (id int)")
	d.do("ALTER SYSTEM SET wal_writer_delay = '10s'")
	d.do("ALTER SYSTEM SET synchronous_commit = off")
	d.do("SELECT pg_reload_conf()")
	eventually(t, "the settings", func() bool {
		return d.get("SHOW wal_writer_delay") == "10s" && dbAt(t, d.url).get("SHOW synchronous_commit") == "off"
	})
	// Nobody flushes the log but who is told to. ours reports whether a connection of
	// the source is in such a state.
	ours := func(state string) func() bool {
		return func() bool {
			return d.get("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evert shop' AND "+state) != "0"
		}
	}
	c := d.config()
	c.Match = func(_, table string) bool { return table == "t" }
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	r.each("0/1", f.take)
	other := dbAt(t, d.url)
	other.do("INSERT INTO u VALUES (1)") // not flushed: the copy waits for that before its first chunk
	r.copyIt("one")
	eventually(t, "the table to be described", ours("query LIKE '%txid_current()%'"))
	other.do("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; UPDATE t SET ver = 77")
	d.do("INSERT INTO u VALUES (2)") // flushed
	eventually(t, "a chunk", ours("wait_event_type = 'Lock' AND query LIKE '%ACCESS SHARE%'"))
	other.do("COMMIT")
	eventually(t, "the chunk to be read", ours("state = 'idle' AND query LIKE 'ROLLBACK; SELECT%'"))
	d.do("ALTER SYSTEM RESET ALL")
	if err := server.Restart(t.Context(), pgserver.Immediate); err != nil {
		t.Fatal(err)
	}
	d.reconnect()
	d.do("INSERT INTO u SELECT g FROM generate_series(1, 100) g") // over the place of the chunk
	f.until(1)
	f.sync(d)
	f.is(d, r.tables[0], "SELECT id || '|' || ver FROM t")
	if d.get("SELECT min(ver) FROM t") == "77" {
		t.Log("the log was flushed before the crash")
	}
}
