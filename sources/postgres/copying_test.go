package postgres

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/window"
)

// A fold is a topic folded by key: what somebody has who read every batch.
type fold struct {
	t     *testing.T
	r     *run
	rows  map[string]schema.Row // by key; of table t
	reads int                   // rows of copies
	begun int
	done  int
	ids   []string
	table *schema.Table // of the last change
}

func newFold(t *testing.T, r *run) *fold { return &fold{t: t, r: r, rows: map[string]schema.Row{}} }

func (f *fold) key(t *schema.Table, row schema.Row) string {
	return string(window.AppendKey(nil, t, row))
}

// take folds a batch. An unknown value is that of the row before, or of the table
// as it is now, as capture fills it (I5).
func (f *fold) take(b pipeline.Batch) {
	f.t.Helper()
	for _, c := range b.Copies {
		if f.ids = append(f.ids, c.ID); c.Done {
			f.done++
		} else {
			f.begun++
			clear(f.rows) // keys that do not come again are gone
		}
	}
	if len(b.Copies) > 0 && len(b.Changes) > 0 {
		f.t.Error("a batch with copies has changes")
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		if c.Op == pipeline.Read {
			f.reads++
			if b.End == nil || b.End.At != c.Tx.Position {
				f.t.Errorf("a row of a chunk is at %s, and its batch ends at %v", c.Tx.Position, b.End)
			}
		}
		f.change(c)
	}
}

// takeOf folds the changes of one table.
func (f *fold) takeOf(b pipeline.Batch, table string) {
	f.t.Helper()
	b.Changes = slices.DeleteFunc(slices.Clone(b.Changes), func(c pipeline.Change) bool { return c.Table.Name != table })
	f.take(b)
}

func (f *fold) change(c *pipeline.Change) {
	f.table = c.Table
	if c.Op == pipeline.Truncate {
		clear(f.rows)
		return
	}
	var before schema.Row
	if c.Before != nil {
		key := f.key(c.Table, c.Before)
		before = f.rows[key]
		delete(f.rows, key)
	}
	if c.After == nil {
		return
	}
	key := f.key(c.Table, c.After)
	if before == nil {
		before = f.rows[key]
	}
	row := make(schema.Row, len(c.After))
	var now schema.Row
	for i, v := range c.After {
		if row[i] = v.Clone(); v.IsKnown() {
			continue
		}
		if before != nil {
			row[i] = before[i]
			continue
		}
		if now == nil {
			var err error
			if now, err = f.r.source.Reread(f.t.Context(), c.Table, c.After); err != nil {
				f.t.Fatal(err)
			}
			if now == nil {
				now = make(schema.Row, len(row)) // gone by now, which comes
			}
		}
		row[i] = now[i]
	}
	f.rows[key] = row
}

// until folds until so many copies are done.
func (f *fold) until(done int) {
	f.t.Helper()
	for f.done < done {
		b, err := f.r.next()
		if err != nil {
			f.t.Fatal(err)
		}
		f.take(b)
	}
}

// sync folds everything that is committed now.
func (f *fold) sync(d *db) {
	f.t.Helper()
	d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
	f.r.each(d.get("SELECT pg_current_wal_lsn()"), f.take)
}

// is compares with what a query says.
func (f *fold) is(d *db, table *schema.Table, sql string) {
	f.t.Helper()
	var got []string
	for _, row := range f.rows {
		got = append(got, whole(table, row))
	}
	slices.Sort(got)
	rs, err := pgsql.SimpleQuery(context.Background(), d.conn, sql)
	if err != nil {
		f.t.Fatal(err)
	}
	var want []string
	for i := range rs {
		want = append(want, rs.Text(i, 0))
	}
	slices.Sort(want)
	for _, line := range got {
		if !slices.Contains(want, line) {
			f.t.Errorf("the topic has %.80q, the table has not", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			f.t.Errorf("the table has %.80q, the topic has not", line)
		}
	}
	if len(got) != len(want) {
		f.t.Errorf("%d rows, the table has %d", len(got), len(want))
	}
}

func whole(t *schema.Table, row schema.Row) string {
	var words []string
	for i, v := range row {
		if v.IsNull() {
			words = append(words, "")
			continue
		}
		words = append(words, showLong(t.Columns[i].Type, v))
	}
	return strings.Join(words, "|")
}

// chunked is a configuration with small chunks and batches.
func chunked(d *db, rows int) Config {
	c := d.config()
	c.ChunkRows, c.BatchRows = rows, 20
	return c
}

// slowlyCopied begins a copy of public.t that goes no further than it is read.
func slowlyCopied(t *testing.T) (*db, *run, *fold) {
	t.Helper()
	d := newDB(t)
	d.do(tableOfT)
	c := chunked(d, 5)
	c.QueueBatches = 1
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	r.each("0/1", f.take)
	r.copyIt("a")
	return d, r, f
}

// copyIt asks for a copy of public.t.
func (r *run) copyIt(id string) {
	r.t.Helper()
	if err := r.source.Copy(r.t.Context(), pipeline.CopyRequest{ID: id, Table: "public.t"}); err != nil {
		r.t.Fatal(err)
	}
}

func seed(t *testing.T) *rand.Rand {
	n := rand.Uint64()
	t.Logf("seed %d", n)
	return rand.New(rand.NewPCG(n, 1))
}

const tableOfT = `CREATE TABLE t (id int PRIMARY KEY, ver int NOT NULL, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
	INSERT INTO t SELECT g, 0, CASE WHEN g % 3 = 0 THEN repeat('x', 2500) || g END FROM generate_series(1, 300) g`

const rowsOfT = "SELECT id || '|' || ver || '|' || coalesce(big, '') FROM t"

// A worker changes rows of t at random, one transaction for each word that it is
// given.
func worker(conn *db, r *rand.Rand, words <-chan struct{}) {
	for range words {
		sql := "BEGIN;"
		for range 1 + r.IntN(3) {
			sql += change(r) + ";"
		}
		end := "COMMIT"
		if r.IntN(8) == 0 {
			end = "ROLLBACK"
		}
		// One that meets another's lock or key is rolled back.
		_, _ = conn.conn.Exec(context.Background(), sql+end).ReadAll()
		_, _ = conn.conn.Exec(context.Background(), "ROLLBACK").ReadAll()
	}
}

// hotRows are few, so that many changes meet the rows of a chunk.
const hotRows = 50

func change(r *rand.Rand) string {
	id, other := r.IntN(hotRows)+1, r.IntN(hotRows)+1
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("INSERT INTO t VALUES (%d, 1, repeat('y', %d)) ON CONFLICT DO NOTHING", id, 2100+r.IntN(100))
	case 1:
		return fmt.Sprintf("DELETE FROM t WHERE id = %d", id)
	case 2:
		return fmt.Sprintf("UPDATE t SET id = %d WHERE id = %d AND NOT EXISTS (SELECT FROM t WHERE id = %d)", other, id, other)
	case 3:
		return fmt.Sprintf("DELETE FROM t WHERE id = %d; INSERT INTO t VALUES (%d, 2, 'again')", id, id)
	case 4:
		return fmt.Sprintf("SAVEPOINT s; UPDATE t SET ver = ver + 1 WHERE id = %d; ROLLBACK TO s; UPDATE t SET ver = ver + 2 WHERE id = %d", id, other)
	}
	return fmt.Sprintf("UPDATE t SET ver = ver + 1 WHERE id = %d", id)
}

func TestCopy(t *testing.T) {
	t.Parallel()
	t.Run("P12 while rows come, go, change and move", func(t *testing.T) {
		d := newDB(t)
		d.do(tableOfT)
		d.do("DELETE FROM t WHERE id > %d", hotRows)
		rnd := seed(t)
		d.decodeEarly()
		c := chunked(d, 1+rnd.IntN(7))
		r := open(t, c, pipeline.Resume{})
		f := newFold(t, r)
		r.each("0/1", f.take)
		const rounds = 6
		words := make(chan struct{}, 6) // writers do not run ahead of the copy
		var workers sync.WaitGroup
		over := sync.OnceFunc(func() { close(words); workers.Wait() })
		defer over()
		for range 3 {
			conn := dbAt(t, d.url)
			conn.do("SET lock_timeout = '100ms'")
			own := rand.New(rand.NewPCG(rnd.Uint64(), 2))
			workers.Go(func() { worker(conn, own, words) })
		}
		for round := range rounds {
			r.copyIt(fmt.Sprint("round ", round))
			for f.done <= round {
				b, err := r.next()
				if err != nil {
					t.Fatal(err)
				}
				f.take(b)
				select {
				case words <- struct{}{}:
				default:
				}
				if b.End != nil && b.End.Whole() && rnd.IntN(40) == 0 { // made anew: nothing but Resume is left
					from := r.close()
					r = open(t, c, from)
					f.r = r
					r.copyIt(fmt.Sprint("round ", round)) // as who asked does, who does not know whether it was begun
				}
			}
		}
		over()
		f.sync(d)
		f.is(d, r.tables[0], rowsOfT)
		if f.begun != rounds {
			t.Errorf("%d copies began, with %d rows", f.begun, f.reads)
		}
	})
	t.Run("P12 P11 an idle server, and no transaction of ours lasts", func(t *testing.T) {
		d := newDB(t)
		d.do(tableOfT)
		r := open(t, chunked(d, 10), pipeline.Resume{})
		f := newFold(t, r)
		r.each("0/1", f.take)
		other := dbAt(t, d.url)
		r.copyIt("one")
		for f.done == 0 {
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			f.take(b)
			if len(b.Changes) == 0 {
				continue
			}
			// Every transaction of ours that is open now was begun behind the chunk
			// before this one: its snapshot holds back less than what happened since.
			before := other.get("SELECT txid_current()")
			oldest := other.get("SELECT coalesce(max(age(backend_xmin)), 0) FROM pg_stat_activity WHERE application_name = 'evert shop' AND datname = current_database() AND backend_type = 'client backend'")
			if age, err := strconv.Atoi(oldest); err != nil || age > 200 {
				t.Fatalf("a transaction holds back %s others (at %s): %v", oldest, before, err)
			}
		}
		f.is(d, r.tables[0], rowsOfT)
		if f.reads != 600 || strings.Join(f.ids, " ") != "one one" {
			t.Errorf("%d rows, of copies %v", f.reads, f.ids)
		}
		r.copyIt("one") // done before
		d.do("INSERT INTO t VALUES (1000, 1)")
		f.sync(d)
		if f.begun != 1 {
			t.Error("a request that was done is done again")
		}
		from := r.close()
		r = open(t, chunked(d, 10), from)
		f.r = r
		r.copyIt("one")
		d.do("INSERT INTO t VALUES (1001, 1)")
		f.sync(d)
		if f.begun != 1 {
			t.Error("a request that was done is done again after a restart")
		}
	})
	t.Run("another request begins it again", func(t *testing.T) {
		d, r, f := slowlyCopied(t)
		for f.reads < 340 {
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			f.take(b)
		}
		r.copyIt("b")
		f.until(1)
		if got := strings.Join(f.ids, " "); got != "a b b" {
			t.Errorf("copies %s", got)
		}
		f.is(d, r.tables[0], rowsOfT)
	})
	t.Run("partitions, TRUNCATE, and a file that is made anew", func(t *testing.T) {
		d := newDB(t)
		if d.major() < 13 {
			return // partitions are published under their own names there
		}
		c := chunked(d, 20)
		c.QueueBatches = 1
		d.do(`CREATE TABLE t (id int, ver int, big text, PRIMARY KEY (id)) PARTITION BY HASH (id);
			CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (modulus 2, remainder 0);
			CREATE TABLE t1 (big text, gone int, id int NOT NULL, ver int); ALTER TABLE t1 DROP gone;
			ALTER TABLE t ATTACH PARTITION t1 FOR VALUES WITH (modulus 2, remainder 1);
			INSERT INTO t SELECT g, 0, 'b' || g FROM generate_series(1, 300) g`)
		during(t, d, c, "DELETE FROM t WHERE id < 20", "UPDATE t SET ver = 2", "INSERT INTO t VALUES (1000, 3)")
	})
	t.Run("P19 TRUNCATE, and a file that is made anew", func(t *testing.T) {
		d := newDB(t)
		c := chunked(d, 20)
		c.QueueBatches = 1
		d.do(tableOfT)
		during(t, d, c, "DELETE FROM t WHERE id < 200", "VACUUM FULL t", "UPDATE t SET ver = 2", "TRUNCATE t", "INSERT INTO t SELECT g, 9, 'n' FROM generate_series(1, 50) g", "CLUSTER t USING t_pkey")
	})
	t.Run("a table that gets a column meanwhile", func(t *testing.T) {
		d, r, f := slowlyCopied(t)
		for n := 0; f.done == 0; n++ {
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			if f.take(b); n == 20 {
				d.do("ALTER TABLE t ADD extra int")
			}
		}
		d.do("UPDATE t SET extra = id WHERE id > 250")
		f.sync(d)
		table := r.tables[len(r.tables)-1]
		if len(table.Columns) != 4 {
			t.Fatalf("the newest version has %d columns", len(table.Columns))
		}
		for key, row := range f.rows { // of the older version: the column is NULL
			f.rows[key] = append(row, make(schema.Row, 4-len(row))...)
		}
		f.is(d, table, "SELECT id || '|' || ver || '|' || coalesce(big, '') || '|' || coalesce(extra::text, '') FROM t")
	})
	t.Run("what cannot be copied is refused when it is asked for", func(t *testing.T) {
		d := newDB(t)
		d.do(tableOfT + "; CREATE TABLE keyless (a int)")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		for table, code := range map[string]pipeline.Code{"public.nothing": CodeTableMissing, "pg_temp.t": CodeTableMissing, "public.keyless": CodeNoKey} {
			wantCode(t, r.source.Copy(t.Context(), pipeline.CopyRequest{ID: "x", Table: table}), code)
		}
	})
}

// during copies t and lets statements come meanwhile, one behind each chunk.
func during(t *testing.T, d *db, c Config, steps ...string) {
	t.Helper()
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	r.each("0/1", f.take)
	r.copyIt("a")
	for copied := f.reads; f.done == 0; {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if f.take(b); f.reads > copied && len(steps) > 0 {
			copied = f.reads
			d.do("%s", steps[0])
			steps = steps[1:]
		}
	}
	f.sync(d)
	f.is(d, r.tables[0], rowsOfT)
}

// A commit that waits for a synchronous standby is in the stream before a snapshot
// shows it: neither may its row lose to the older one of a chunk, nor may a chunk be
// merged whose snapshot lacks what was streamed before the window.
func TestCopyWhileACommitWaitsForAStandby(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	pgtest.Database(t, server, "held")
	d := dbAt(t, server.URL("held"))
	d.do(tableOfT)
	c := chunked(d, 10)
	c.QueueBatches = 1 // the source does not run far ahead
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	r.each("0/1", f.take)
	d.do("SET synchronous_commit = local")
	standby := func(name string) {
		d.do("ALTER SYSTEM SET synchronous_standby_names = '%s'", name)
		d.do("SELECT pg_reload_conf()")
		eventually(t, "the setting", func() bool { return d.get("SHOW synchronous_standby_names") == name })
	}
	held := func(sql string) (done chan struct{}, pid uint32) {
		conn, done := dbAt(t, d.url).conn, make(chan struct{})
		go func() {
			defer close(done)
			if _, err := conn.Exec(context.Background(), sql).ReadAll(); err != nil && t.Context().Err() == nil {
				t.Errorf("%s: %v", sql, err)
			}
		}()
		return done, conn.PID()
	}
	// The setting takes effect a little later: the first commit that waits tells.
	holdBack := func() {
		standby("nobody_there")
		eventually(t, "a commit that waits", func() bool {
			done, pid := held("UPDATE t SET ver = ver WHERE id = 1")
			for {
				select {
				case <-done:
					return false
				case <-time.After(time.Millisecond):
				}
				if d.get("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = %d", pid) != "0" {
					return true
				}
			}
		})
	}

	holdBack()
	before, _ := held("UPDATE t SET ver = 77 WHERE id = 150")
	streamed := func(ver int64) func(b pipeline.Batch) bool {
		return func(b pipeline.Batch) bool {
			f.take(b)
			return slices.ContainsFunc(b.Changes, func(c pipeline.Change) bool { return c.Op == pipeline.Update && c.After[1].Int() == ver })
		}
	}
	r.until(streamed(77))
	if d.get("SELECT ver FROM t WHERE id = 150") != "0" {
		t.Fatal("the commit does not wait")
	}
	r.copyIt("a")
	eventually(t, "the chunk to be read again", func() bool { return strings.Contains(r.source.Stats().WaitingFor, "may be in the log already") })

	// In the middle of the copy, streamed in a window or between two.
	standby("")
	<-before
	for f.reads < 300+50 {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		f.take(b)
	}
	holdBack()
	middle, _ := held("UPDATE t SET ver = 88 WHERE id IN (250, 251)")
	for !slices.ContainsFunc(slices.Collect(maps.Values(f.rows)), func(row schema.Row) bool { return row[1].Int() == 88 }) {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		f.take(b)
	}
	d.do("UPDATE t SET ver = 99 WHERE id = 290") // does not wait, and moves the stream on
	if d.get("SELECT count(*) FROM t WHERE ver = 88") != "0" {
		t.Fatal("the commit does not wait")
	}
	standby("")
	<-middle
	f.until(1)
	f.sync(d)
	f.is(d, r.tables[0], rowsOfT)
}
