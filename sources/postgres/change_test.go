package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

const toasted = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i)" // 6400 bytes

func TestWhatChangesCarry(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(`CREATE TABLE def (id int PRIMARY KEY, big text, n int); ALTER TABLE def ALTER big SET STORAGE EXTERNAL;
	      CREATE TABLE ful (id int PRIMARY KEY, big text, n int); ALTER TABLE ful ALTER big SET STORAGE EXTERNAL; ALTER TABLE ful REPLICA IDENTITY FULL;
	      CREATE TABLE idx (id int PRIMARY KEY, code text NOT NULL, n int); CREATE UNIQUE INDEX idx_code ON idx (code); ALTER TABLE idx REPLICA IDENTITY USING INDEX idx_code;
	      CREATE TABLE par (id int PRIMARY KEY); CREATE TABLE chi (id int PRIMARY KEY REFERENCES par)`)
	d.do("INSERT INTO def VALUES (1, %s, 0); INSERT INTO ful VALUES (1, %s, 0); INSERT INTO idx VALUES (1, 'a', 0)", toasted, toasted)
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()

	t.Run("P13 unchanged toast", func(t *testing.T) {
		d.do("UPDATE def SET n = 1")
		d.do("UPDATE ful SET n = 1")
		wantLines(t, r.sync(d), "u def 1|?|1", "u ful 1|c4ca4238…(6400)|0 → 1|c4ca4238…(6400)|1")
	})
	t.Run("P14 unchanged toast with a key change", func(t *testing.T) {
		d.do("UPDATE def SET id = 2")
		wantLines(t, r.sync(d), "u def 1|?|? → 2|?|1")
	})
	t.Run("P14 an unchanged toasted key is no change of the key", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id text PRIMARY KEY, n int); ALTER TABLE t ALTER id SET STORAGE EXTERNAL; INSERT INTO t VALUES (repeat('k', 2500), 1)")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		d.do("UPDATE t SET n = 2")
		d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
		var lines []string
		r.each(d.get("SELECT pg_current_wal_lsn()"), func(b pipeline.Batch) {
			for i := range b.Changes {
				lines = append(lines, fmt.Sprint(show(&b.Changes[i]), " key changed: ", b.Changes[i].KeyChanged()))
			}
		})
		wantLines(t, lines, "u t kkkkkkkk…(2500)|? → kkkkkkkk…(2500)|2 key changed: false")
	})
	t.Run("P15 replica identity decides what old rows carry", func(t *testing.T) {
		d.do("UPDATE idx SET n = 1; UPDATE idx SET code = 'b'; DELETE FROM idx; DELETE FROM ful; DELETE FROM def")
		wantLines(t, r.sync(d), "u idx 1|a|1", "u idx ?|a|? → 1|b|1", "d idx ?|b|? →", "d ful 1|c4ca4238…(6400)|1 →", "d def 2|?|? →")
		if key := r.table("idx").Key; fmt.Sprint(key) != "[1]" {
			t.Errorf("key of idx is %v, want the identity index's column", key)
		}
	})
	t.Run("P18 two keys swapped in one transaction", func(t *testing.T) {
		d.do("INSERT INTO def VALUES (1, 'x', 1), (2, 'y', 2)")
		d.do("BEGIN; UPDATE def SET id = -1 WHERE id = 1; UPDATE def SET id = 1 WHERE id = 2; UPDATE def SET id = 2 WHERE id = -1; COMMIT")
		wantLines(t, r.sync(d), "c def 1|x|1", "c def 2|y|2",
			"u def 1|?|? → -1|x|1", "u def 2|?|? → 1|y|2", "u def -1|?|? → 2|x|1")
	})
	t.Run("P19 truncate of several tables", func(t *testing.T) {
		d.do("BEGIN; TRUNCATE par CASCADE; INSERT INTO par VALUES (7); COMMIT")
		got := r.sync(d)
		slices.Sort(got[:2])
		wantLines(t, got, "t chi", "t par", "c par 7")
	})
	t.Run("reread one row", func(t *testing.T) {
		table := r.table("def")
		row, err := r.source.Reread(context.Background(), table, schema.Row{schema.Int(2), schema.Unknown(), schema.Unknown()})
		if err != nil || showRow(table, row) != "2|x|1" {
			t.Errorf("got %s, %v", showRow(table, row), err)
		}
		if row, err := r.source.Reread(context.Background(), table, schema.Row{schema.Int(99), schema.Unknown(), schema.Unknown()}); row != nil || err != nil {
			t.Errorf("a row that is not there: %v, %v", row, err)
		}
	})
}

func TestLargeTransactions(t *testing.T) {
	t.Parallel()
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("P26 bounded batches and memory, streaming=%v", streaming), func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
			d.decodeEarly()
			c := d.config()
			c.NoStreaming = !streaming
			c.SpillBytes, c.BatchRows, c.QueueBytes = 200_000, 100, 300_000
			r := open(t, c, pipeline.Resume{})
			r.snapshot()
			other := dbAt(t, d.url)
			// Two large transactions interleaved, and a small one between that ends first.
			d.do("BEGIN; INSERT INTO t SELECT g, repeat('a', 100) FROM generate_series(1, 4000) g")
			other.do("BEGIN; INSERT INTO t SELECT g, repeat('b', 100) FROM generate_series(10001, 14000) g")
			d.do("INSERT INTO t SELECT g, repeat('a', 100) FROM generate_series(4001, 8000) g")
			third := dbAt(t, d.url)
			third.do("INSERT INTO t VALUES (0, 'small')")
			other.do("INSERT INTO t SELECT g, repeat('b', 100) FROM generate_series(14001, 18000) g; COMMIT")
			d.do("COMMIT")
			checkLarge(t, r, d)
		})
	}
}

// checkLarge expects: the small row, then 8000 b rows, then 8000 a rows, each
// transaction numbered through, in batches of at most 100 rows.
func checkLarge(t *testing.T, r *run, d *db) {
	t.Helper()
	d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
	var seen []string
	var inTx uint32
	var last uint64
	r.each(d.get("SELECT pg_current_wal_lsn()"), func(b pipeline.Batch) {
		if len(b.Changes) > 101 {
			t.Fatalf("a batch of %d rows", len(b.Changes))
		}
		if b.End == nil && len(b.Changes) > 0 {
			t.Fatal("a batch inside a transaction has no end")
		}
		for _, c := range b.Changes {
			if c.Tx.Position.Seq != last {
				last, inTx = c.Tx.Position.Seq, 0
				seen = append(seen, "")
			}
			if c.Row != inTx {
				t.Fatalf("row %d of transaction %d is numbered %d", inTx, last, c.Row)
			}
			inTx++
			seen[len(seen)-1] = fmt.Sprintf("%d rows to %d", inTx, c.After[0].Int())
		}
		if b.End != nil && b.End.Rows > 0 && b.End.Rows != uint64(inTx) {
			t.Fatalf("the end says %d rows, %d were handed over", b.End.Rows, inTx)
		}
		if _, bytes := r.source.queue.Fill(); bytes > 500_000 {
			t.Fatalf("the queue holds %d bytes", bytes)
		}
		if m := r.source.Stats().QueueBatches; m > 8 {
			t.Fatalf("the queue holds %d batches", m)
		}
	})
	wantLines(t, seen, "1 rows to 0", "8000 rows to 18000", "8000 rows to 8000")
}

// P26 the disk of transactions in progress is bounded (I9): one that needs more
// stops the source, and with more room it is read again from its beginning.
func TestSpillIsBounded(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	if d.major() < 14 { // older servers send no transaction before its commit
		return
	}
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
	d.decodeEarly()
	c := d.config()
	c.SpillBytes, c.SpillMost = 200_000, 1<<20
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	d.do("INSERT INTO t VALUES (0, 'small')")
	d.do("INSERT INTO t SELECT g, repeat('a', 1000) FROM generate_series(1, 3000) g")
	refusal := wantCode(t, r.fails(), CodeSpillFull)
	if refusal.Mend != "limits: {spill_bytes: 4MiB}" {
		t.Errorf("mend: %s", refusal.Mend)
	}
	c.SpillMost = 4 << 20
	r = open(t, c, r.close())
	if n := len(r.sync(d)); n != 3000 && n != 3001 { // the small one may have been handed over before
		t.Errorf("%d rows came with more room", n)
	}
}

// P26, P27: transactions in progress are sent by servers that can, and from version 16 on with
// what lets several be read at the same time; those that are aborted say more then.
func TestTransactionsAreStreamed(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
	d.decodeEarly()
	c := d.config()
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	fill := func(low int) string {
		return fmt.Sprintf("INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(%d, %d) g;", low, low+999)
	}
	d.do("BEGIN;" + fill(0) + "SAVEPOINT a;" + fill(1000) + "ROLLBACK TO a;" + fill(2000) + "COMMIT")
	d.do("BEGIN;" + fill(3000) + "ROLLBACK")
	if n := len(r.sync(d)); n != 2000 {
		t.Errorf("%d rows came", n)
	}
	want, streamed := "proto_version '1'", false
	switch major := d.major(); {
	case major >= 16:
		want, streamed = "proto_version '4', streaming 'parallel'", true
	case major >= 14:
		want, streamed = "proto_version '2', streaming 'on'", true
	}
	asked := d.get("SELECT query FROM pg_stat_activity WHERE pid = (SELECT active_pid FROM pg_replication_slots WHERE slot_name = '%s')", c.Slot)
	if !strings.Contains(asked, want) {
		t.Errorf("asked for by %s, want %s", asked, want)
	}
	if streamed {
		eventually(t, "the server's count of what it has streamed", func() bool {
			return d.get("SELECT stream_txns > 0 AND stream_count > 1 FROM pg_stat_replication_slots WHERE slot_name = '%s'", c.Slot) == "t"
		})
	}
}

func TestSavepoints(t *testing.T) {
	t.Parallel()
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("P27 rolled back savepoints, streaming=%v", streaming), func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
			d.decodeEarly()
			c := d.config()
			c.NoStreaming = !streaming
			c.SpillBytes = 100_000
			r := open(t, c, pipeline.Resume{})
			r.snapshot()
			fill := func(low int) string {
				return fmt.Sprintf("INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(%d, %d) g;", low, low+999)
			}
			d.do("BEGIN; SAVEPOINT a;" + fill(0) + "SAVEPOINT b;" + fill(1000) + "SAVEPOINT c;" + fill(2000) + "SAVEPOINT d;" + fill(3000) +
				"RELEASE d; ROLLBACK TO c;" + fill(4000) + "ROLLBACK TO b;" + fill(5000) + "SAVEPOINT e;" + fill(6000) + "COMMIT")
			d.do("BEGIN;" + fill(10000) + "ROLLBACK")
			var ids []int64
			d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
			r.each(d.get("SELECT pg_current_wal_lsn()"), func(b pipeline.Batch) {
				for _, c := range b.Changes {
					ids = append(ids, c.After[0].Int())
				}
			})
			slices.Sort(ids)
			want := d.get("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t")
			if got := strings.Trim(fmt.Sprint(ids), "[]"); got != want {
				t.Errorf("captured %d rows, the table has %s", len(ids), d.get("SELECT count(*) FROM t"))
			}
		})
	}
}

func TestResumeInsideATransaction(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY)")
	c := d.config()
	c.BatchRows = 10
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	d.do("INSERT INTO t SELECT generate_series(1, 1000)")
	r.ack = false
	r.until(func(b pipeline.Batch) bool { return b.End != nil && b.End.Rows >= 500 })
	from := r.close()

	r = open(t, c, from)
	var first, last, count int64
	d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
	r.each(d.get("SELECT pg_current_wal_lsn()"), func(b pipeline.Batch) {
		for _, c := range b.Changes {
			if count == 0 {
				first = c.After[0].Int()
				if uint64(c.Row) != from.Rows || c.Tx.Position.Seq != from.At.Seq+1 {
					t.Errorf("goes on with row %d of %s, want row %d of %d", c.Row, c.Tx.Position, from.Rows, from.At.Seq+1)
				}
			}
			count, last = count+1, c.After[0].Int()
		}
	})
	if first != int64(from.Rows)+1 || last != 1000 || count != 1000-int64(from.Rows) {
		t.Errorf("after %d rows: %d more, from %d to %d", from.Rows, count, first, last)
	}
}

func TestTableDroppedInsideAPart(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
	c := d.config()
	c.BatchRows = 50
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	d.do("BEGIN; INSERT INTO a SELECT generate_series(1, 100); INSERT INTO b SELECT generate_series(1, 300); COMMIT")
	lines := r.until(func(b pipeline.Batch) bool { return b.End != nil && b.End.Rows >= 150 })
	from := r.close()
	d.do("DROP TABLE a")
	lines = append(lines, open(t, c, from).sync(d)...)
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("c b %d", i+1))
	}
	wantLines(t, lines[100:], want...)
}

func TestTableChanges(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	d.do("INSERT INTO t VALUES (1, 'a', 'b')")
	d.do("ALTER TABLE t ADD COLUMN c int")
	d.do("INSERT INTO t VALUES (2, 'a', 'b', 3)")
	d.do("ALTER TABLE t DROP COLUMN a")
	d.do("INSERT INTO t VALUES (3, 'b', 3)")
	wantLines(t, r.sync(d), "c t 1|a|b", "c t 2|a|b|3", "c t 3|b|3")
	if len(r.tables) != 3 || r.tables[2].Version != 3 {
		t.Errorf("%d versions announced", len(r.tables))
	}
	for _, ddl := range []string{
		"ALTER TABLE t ADD COLUMN d int DEFAULT 42", "ALTER TABLE t RENAME COLUMN b TO bb", "ALTER TABLE t ALTER COLUMN c TYPE bigint",
	} {
		t.Run(ddl, func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE t (id int PRIMARY KEY, b text, c int)")
			r := open(t, d.config(), pipeline.Resume{})
			r.snapshot()
			d.do("INSERT INTO t VALUES (1)")
			wantLines(t, r.sync(d), "c t 1|NULL|NULL")
			d.do(ddl)
			d.do("INSERT INTO t VALUES (2)")
			wantCode(t, r.stops("public.t"), CodeTableChanged)
		})
	}
}

func TestTableChangesWhileDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ddl, row string
		code     pipeline.Code
	}{
		{"ALTER TABLE t ADD COLUMN d int", "(2, 'b', 3, 4)", ""},
		{"ALTER TABLE t DROP COLUMN b", "(2, 3)", ""},
		{"ALTER TABLE t RENAME COLUMN b TO bb", "(2, 'b', 3)", CodeTableChanged},
		{"ALTER TABLE t ALTER COLUMN c TYPE bigint", "(2, 'b', 3)", CodeTableChanged},
		{"ALTER TABLE t RENAME TO tt; ALTER TABLE tt RENAME TO t", "(2, 'b', 3)", ""},
	} {
		t.Run(c.ddl, func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE t (id int PRIMARY KEY, b text, c int)")
			r := open(t, d.config(), pipeline.Resume{})
			r.snapshot()
			from := r.close()
			d.do("INSERT INTO t VALUES (1, 'a', 2)")
			d.do("%s", c.ddl)
			d.do("INSERT INTO t VALUES %s", c.row)
			if c.code != "" {
				wantCode(t, open(t, d.config(), from).stops("public.t"), c.code)
				return
			}
			got := open(t, d.config(), from).sync(d)
			if len(got) != 2 || got[0] != "c t 1|a|2" {
				t.Errorf("got %v", got)
			}
		})
	}
}
