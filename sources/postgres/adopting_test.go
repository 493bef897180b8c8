package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// quiet is a configuration whose watch looks at the start alone, and whose copy does
// not run far ahead of who reads it.
func quiet(d *db) Config {
	c := chunked(d, 20)
	c.QueueBatches = 1
	c.PollInterval = patience
	return c
}

// copyFrom opens a source, and reads until the copy "one" of t has given some rows.
func copyFrom(t *testing.T, c Config) *fold {
	t.Helper()
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	r.each("0/1", f.take)
	r.copyIt("one")
	f.reads = 0
	f.untilRead(60)
	return f
}

// untilRead folds until so many rows of copies came.
func (f *fold) untilRead(rows int) {
	f.t.Helper()
	for f.reads < rows {
		b, err := f.r.next()
		if err != nil {
			f.t.Fatal(err)
		}
		f.take(b)
	}
}

const partitionedT = `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE t0 (id int PRIMARY KEY, v text); INSERT INTO t0 SELECT g, 'a' FROM generate_series(10000, 10020) g;
	CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (31); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (31) TO (10000);
	INSERT INTO t SELECT g, 'a' FROM generate_series(1, 200) g`

// What happens to a table unseen while it is copied is not taken for what the copy
// began with.
func TestCopyOfTableThatChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"P21 rewritten, and a column came":                  "ALTER TABLE t ADD COLUMN n int, ALTER COLUMN v TYPE text USING upper(v)",
		"P22 a partition with rows came, and then a column": "ALTER TABLE t ATTACH PARTITION t0 FOR VALUES FROM (10000) TO (20000); ALTER TABLE t ADD COLUMN n int",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDB(t)
			if d.major() < 13 {
				return // partitions are published under their own names there
			}
			d.do(partitionedT)
			f := copyFrom(t, quiet(d))
			d.do("%s", change)
			f.until(1)
			table := f.table
			if len(table.Columns) != 3 {
				t.Fatalf("the last row has %d columns", len(table.Columns))
			}
			f.is(d, table, "SELECT id || '|' || v || '|' FROM t")
			if got := strings.Join(f.ids, " "); got != "one one one" {
				t.Errorf("copies %s, want one that begins, begins again and is done", got)
			}
		})
	}
	for _, it := range []struct {
		is, change string
		code       pipeline.Code
	}{
		{"renamed to what is captured", "ALTER TABLE t RENAME TO t_old", CodeTableRenamed},
		{"moved to where nothing is captured", "CREATE SCHEMA elsewhere; ALTER TABLE t SET SCHEMA elsewhere", CodeTableMissing},
		{"made a partition of another", "CREATE TABLE root (LIKE t INCLUDING ALL) PARTITION BY RANGE (id); ALTER TABLE root ATTACH PARTITION t DEFAULT; ALTER TABLE root ADD COLUMN n int", CodePartition},
		{"kept from the user", "REVOKE SELECT ON t FROM copy_reader; ALTER TABLE t ADD COLUMN n int", preflight.CodeRight},
	} {
		t.Run("P20 it is "+it.is, func(t *testing.T) {
			d := newDB(t)
			if d.major() < 13 {
				return // partitions are published under their own names there
			}
			d.do("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'a' FROM generate_series(1, 1000) g; CREATE TABLE u (id int PRIMARY KEY)")
			c := quiet(d)
			if it.code == preflight.CodeRight {
				c.URL = d.reader("copy_reader", "t, u")
			}
			f := copyFrom(t, c)
			d.do("%s; INSERT INTO u VALUES (0)", it.change)
			why := f.r.stops("public.t")
			if why.Code != it.code {
				t.Errorf("it stopped for %v", why)
			}
			d.do("INSERT INTO u VALUES (1)")
			lines := f.r.sync(d)
			if got := strings.Join(lines, "\n"); !strings.Contains(got, "c u 1") || strings.Contains(got, "t_old") || strings.Contains(got, "r t") {
				t.Errorf("after the stop came\n%s", got)
			}
		})
	}
}

// A row that stops a table while its copy waits for the stream: what was left out
// behind it does not come back, and so the copy does not go on.
func TestCopyOfTableThatStopsBeforeItGoesOn(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, v int, a int[]); INSERT INTO t SELECT g, 0, '{}' FROM generate_series(1, 300) g; CREATE TABLE u (id int PRIMARY KEY)")
	c := quiet(d)
	from := copyFrom(t, c).r.close()
	d.do("INSERT INTO t VALUES (1000, 0, '{{1},{2}}'); DELETE FROM t WHERE id = 1; DELETE FROM t WHERE id = 1000")
	r := open(t, c, from)
	if why := r.stops("public.t"); why.Code != CodeArrayShape {
		t.Fatalf("it stopped for %v", why)
	}
	eventually(t, "the copy to be dropped", func() bool { return !r.source.CopiesDue() })
	d.do("INSERT INTO u VALUES (1)")
	wantLines(t, r.sync(d), "c u 1")
	if st := r.source.a.seen.Load(); len(st.Stopped) != 1 {
		t.Errorf("the table is read on: %+v", st.Copies)
	}

	r.copyIt("two") // mends it
	r.until(done)
	if st := r.source.a.seen.Load(); len(st.Stopped) != 0 {
		t.Errorf("after a copy the table has stopped still: %+v", st.Stopped)
	}
}

// A table that is dropped and made anew while it is copied: the copy of the new one is
// not waited for by the rest of the old one's, and others are copied behind it.
func TestCopyOfTableThatIsMadeAnew(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 1000) g; CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)")
	c := quiet(d)
	c.PollInterval = d.config().PollInterval
	f := copyFrom(t, c)
	d.do("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)")
	if why := f.r.stops("public.t"); why.Code != CodeTableDropped {
		t.Fatalf("it stopped for %v", why)
	}
	f.r.copyIt("two")
	wantLines(t, f.r.until(done), "r t 1|1")
	if err := f.r.source.Copy(t.Context(), pipeline.CopyRequest{ID: "three", Table: "public.u"}); err != nil {
		t.Fatal(err)
	}
	wantLines(t, f.r.until(done), "r u 1")
	if copies := f.r.source.a.seen.Load().Copies; f.r.source.CopiesDue() || len(copies) != 2 {
		t.Errorf("copies are due still: %+v", copies)
	}
}

// A copy that was asked for and cannot begin is not waited for: its table stops, and
// the request is named by that.
func TestCopyThatIsRefusedBeforeItBegins(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE u (id int PRIMARY KEY)")
	r := open(t, quiet(d), pipeline.Resume{})
	r.snapshot()
	refused := func(id string) *pipeline.Refusal {
		t.Helper()
		var why *pipeline.Refusal
		d.do("SELECT pg_logical_emit_message(true, 'move', '')")
		r.until(func(b pipeline.Batch) bool {
			for _, s := range b.Stopped {
				if s.Copy == id && s.Table.Name == "t" {
					why = s.Why
				}
			}
			return why != nil
		})
		return why
	}
	oid, name, err := r.source.find(t.Context(), "public.t")
	if err != nil {
		t.Fatal(err)
	}
	d.do("ALTER TABLE t RENAME TO t_old") // behind the request, before it is looked at
	r.source.copying.request(copyRequest{oid: oid, name: name, id: "one"})
	if why := refused("one"); why.Code != CodeTableRenamed {
		t.Errorf("it is refused for %v", why)
	}
	d.do("INSERT INTO t_old VALUES (2); INSERT INTO u VALUES (1)")
	wantLines(t, r.sync(d), "c u 1")

	d.do("ALTER TABLE t_old RENAME TO t; ALTER TABLE t DROP CONSTRAINT t_pkey")
	r.source.copying.request(copyRequest{oid: oid, name: name, id: "two"}) // it had stopped for another reason
	if why := refused("two"); why.Code != CodeNoKey {
		t.Errorf("it is refused for %v", why)
	}
	if r.source.CopiesDue() {
		t.Error("a copy that was refused is due")
	}
	if st := r.source.a.seen.Load(); len(st.Stopped) != 1 || st.Stopped[0].Code != CodeTableRenamed {
		t.Errorf("the state has %+v", st.Stopped)
	}
}

// reader makes a user who may replicate and read tables, and gives its url.
func (d *db) reader(name, tables string) func(context.Context) (string, error) {
	d.t.Helper()
	d.do(`DROP ROLE IF EXISTS %[1]s; CREATE ROLE %[1]s LOGIN REPLICATION PASSWORD 'reader'; GRANT SELECT ON %[2]s TO %[1]s; CREATE PUBLICATION evert_pub FOR TABLE %[2]s`, name, tables)
	d.t.Cleanup(func() { d.do("DROP OWNED BY %[1]s; DROP ROLE %[1]s", name) })
	as := strings.Replace(d.url, "postgres://"+userInfo(d.url), "postgres://"+name+":reader", 1)
	return func(context.Context) (string, error) { return as, nil }
}

// Whoever finds a table that came later does not undo what somebody asked for.
func TestCopyThatIsAskedForBeforeItsTableIsFound(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 300)")
	f := copyFrom(t, quiet(d))
	oid, name, err := f.r.source.find(t.Context(), "public.t")
	if err != nil {
		t.Fatal(err)
	}
	f.r.source.copying.request(copyRequest{oid: oid, name: name}) // as if it had just come
	f.until(1)
	f.is(d, f.table, "SELECT id FROM t")
	f.r.copyIt("two")
	f.r.source.copying.request(copyRequest{oid: oid, name: name})
	f.until(2)
}
