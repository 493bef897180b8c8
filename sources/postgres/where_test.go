package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A condition that the server does not take, or that is not immutable, is refused with
// its place, and no other.
func TestConditionsAreChecked(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(`CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz, d date, n numeric, j jsonb)`)
	for _, w := range []struct{ sql, where, says string }{
		{sql: "id > 10"},
		{sql: "at >= '2026-01-01' -- since then"},
		{sql: "v LIKE 'a%' OR\n n > 1.5"},
		{sql: "j->>'k' = 'x' AND lower(v) <> 'b'"},
		{sql: "n::text = '5' AND at > '2026-01-01'"},
		{sql: "v = ANY ('{a,b}') AND (id, v) > (1, 'a') AND v IS DISTINCT FROM 'x'"},
		{sql: `v = '{COERCEVIAIO {SUBLINK } ((('`},
		{"id > ", "f:3:6", "syntax error"},
		{"id >\n  nope", "f:4:3", `column "nope" does not exist`},
		{"id", "f:3:1", "must be type boolean"},
		{"d > 'tomorrowish'", "f:3:5", "invalid input syntax"},
		{"true) OR (true", "f:3:5", "syntax error"},
		{"true ORDER BY id", "f:3:6", "syntax error"},
		{"true; DROP TABLE t", "f:3:1", "multiple commands"},
		{"at > now()", "f:3:1", "function now() is stable"},
		{"random() < 0.5", "f:3:1", "function random() is volatile"},
		{"d > current_date", "f:3:1", "depends on who asks"},
		{"at::date > '2026-01-01'", "f:3:1", "is stable"},
		{"v::date > '2026-01-01'", "f:3:1", "function date_in(cstring) is stable"},
		{"at::text > '2026'", "f:3:1", "function timestamptz_out("},
		{"at + '1 day' > '2026-01-01'", "f:3:1", "is stable"},
		{"v = ANY (SELECT 'a')", "f:3:1", "it reads other rows"},
	} {
		c := d.config()
		c.Where = func(schema, table string) handover.Where {
			return handover.Where{SQL: w.sql, At: func(line, column int) string { return fmt.Sprintf("f:%d:%d", 2+line, column) }}
		}
		got := found(t, c, nil, CodeWhere)
		if w.says == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || w.says == "" || got[0].Where != w.where+": the condition of public.t" || !strings.Contains(got[0].What, w.says) {
			t.Errorf("%s: got %v, want %s, %q", w.sql, got, w.where, w.says)
		}
	}
}

// chooses has the rows of every table chosen by one condition.
func chooses(sql string) func(schema, table string) handover.Where {
	return func(schema, table string) handover.Where { return handover.Where{SQL: sql} }
}

// The copy has the rows that were chosen, the stream those of all changes, also of rows
// that were left out, whose values it did not send (P13).
func TestCopyOfChosenRows(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"under one snapshot", "in chunks"} {
		t.Run(how, func(t *testing.T) {
			d := newDB(t)
			d.do(tableOfT)
			c := chunked(d, 10)
			c.Where = chooses("id % 2 = 0 -- even")
			if how == "in chunks" {
				c.ChunkAbove = 1
			}
			r := open(t, c, pipeline.Resume{})
			f := newFold(t, r)
			r.each("0/1", f.take)
			f.until(map[string]int{"in chunks": 1}[how])
			f.is(d, r.tables[0], rowsOfT+" WHERE id % 2 = 0")
			d.do("UPDATE t SET ver = 1 WHERE id IN (1, 2, 3); DELETE FROM t WHERE id IN (4, 5); UPDATE t SET id = 1001 WHERE id = 9")
			f.sync(d)
			f.is(d, r.tables[0], rowsOfT+" WHERE id % 2 = 0 OR id IN (1, 3, 1001)")
			r.copyIt("again")
			f.until(f.done + 1)
			f.is(d, r.tables[0], rowsOfT+" WHERE id % 2 = 0")
		})
	}
}

// A copy goes on under the condition that it began with; under another one it begins
// again, and has rows of that alone.
func TestCopyUnderAnotherCondition(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(tableOfT)
	c := chunked(d, 10)
	c.QueueBatches, c.ChunkAbove, c.Where = 1, 1, chooses("id % 2 = 0")
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	upTo := func(reads int) {
		t.Helper()
		for f.reads < reads {
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			f.take(b)
		}
	}
	reopen := func() {
		r = open(t, c, r.close())
		f.r = r
	}
	upTo(40)
	reopen()
	upTo(80)
	if f.begun != 1 {
		t.Errorf("the copy began %d times", f.begun)
	}
	c.Where = chooses("id % 3 = 0")
	reopen()
	f.until(1)
	if f.begun != 2 {
		t.Errorf("under another condition the copy began %d times", f.begun)
	}
	f.sync(d)
	f.is(d, f.table, rowsOfT+" WHERE id % 3 = 0")
}

// A condition of a column that is gone stops that table, and no other, also when the source
// starts again.
func TestConditionThatNoLongerFits(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(tableOfT + "; CREATE TABLE other (id int PRIMARY KEY)")
	c := chunked(d, 10)
	c.QueueBatches, c.ChunkAbove = 1, 1
	c.Where = func(schema, table string) handover.Where {
		return handover.Where{SQL: map[string]string{"t": "big IS NULL"}[table], At: func(line, column int) string { return "f:1:1" }}
	}
	r := open(t, c, pipeline.Resume{})
	f := newFold(t, r)
	for f.reads < 20 {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		f.takeOf(b, "t")
	}
	d.do("ALTER TABLE t DROP COLUMN big; INSERT INTO other VALUES (1)")
	var stopped []pipeline.TableStop
	other := false
	for len(stopped) == 0 || !other {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		stopped = append(stopped, b.Stopped...)
		other = other || slices.ContainsFunc(b.Changes, func(ch pipeline.Change) bool { return ch.Table.Name == "other" })
	}
	if stopped[0].Table.Name != "t" || pipeline.CodeOf(stopped[0].Why) != CodeWhere {
		t.Errorf("stopped: %s, %v", stopped[0].Table, stopped[0].Why)
	}
	r = open(t, c, r.close())
	d.do("INSERT INTO other VALUES (2)")
	wantLines(t, r.sync(d), "c other 2")
}

// A condition of every table keeps no source from starting that it does not fit any more: a
// table that was copied is read on, and one that was made later is left out. A check warns
// of both; one that was named since is refused.
func TestConditionThatDoesNotFitLater(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, even bool); INSERT INTO t VALUES (1, false), (2, true)")
	c := d.config()
	c.Where = func(schema, table string) handover.Where {
		return handover.Where{SQL: "even", At: func(line, column int) string { return fmt.Sprintf("f:%d:%d", line, column) }}
	}
	r := open(t, c, pipeline.Resume{})
	wantLines(t, r.snapshot(), "r t 2|t")
	from := r.close()
	d.do("ALTER TABLE t DROP COLUMN even; CREATE TABLE n (k int PRIMARY KEY); INSERT INTO n VALUES (1)")
	all := found(t, c, &from, CodeWhere)
	if len(all) != 2 || slices.ContainsFunc(all, func(f pipeline.Finding) bool {
		return f.Severity != pipeline.Warns || !strings.HasPrefix(f.Where, "f:1:1: the condition of public.")
	}) {
		t.Errorf("the check finds %v", all)
	}
	named := c
	named.Named = []pgsql.TableName{{Schema: "public", Name: "n"}}
	if why := refusedWith(t, named, from, CodeWhere); why.Where != "f:1:1: the condition of public.n" {
		t.Errorf("named: %v", why)
	}
	r = open(t, c, from)
	d.do("INSERT INTO t VALUES (3)")
	wantLines(t, r.sync(d), "c t 3")
	r.until(func(pipeline.Batch) bool { return len(r.source.Stats().NotCaptured) > 0 })
	if left := r.source.Stats().NotCaptured; len(left) != 1 || !strings.HasPrefix(left[0], "f:1:1: the condition of public.n: ") {
		t.Errorf("left out: %v", left)
	}
	d.do("INSERT INTO t VALUES (4)")
	wantLines(t, r.sync(d), "c t 4")
	r.copyIt("again") // and this is where it counts
	if why := r.stops("public.t"); why.Code != CodeWhere {
		t.Error(why)
	}
	r = open(t, c, r.close())
	d.do("INSERT INTO t VALUES (5)")
	wantLines(t, r.sync(d))
}

// A condition that some row makes fail is refused, under one snapshot, and in chunks stops
// its table and no other: it was tried again for ever, without a name.
func TestConditionThatFailsForARow(t *testing.T) {
	t.Parallel()
	for _, chunkAbove := range []int64{0, 1} {
		t.Run(fmt.Sprintf("in chunks above %d", chunkAbove), func(t *testing.T) {
			d := newDB(t)
			d.do(tableOfT + "; CREATE TABLE other (id int PRIMARY KEY)")
			c := chunked(d, 10)
			c.ChunkAbove = chunkAbove
			c.Where = func(schema, table string) handover.Where {
				return handover.Where{SQL: map[string]string{"t": "1 / (id - 7) > -5"}[table], At: func(line, column int) string { return "f:1:1" }}
			}
			r := open(t, c, pipeline.Resume{})
			if chunkAbove == 0 {
				err := r.fails()
				wantCode(t, err, CodeWhere)
				if !strings.Contains(err.Error(), "f:1:1: the condition of public.t: the server cannot evaluate it for a row (SQLSTATE 22012)") {
					t.Error(err)
				}
				return
			}
			d.do("INSERT INTO other VALUES (1)")
			stopped, other := false, false
			r.until(func(b pipeline.Batch) bool {
				for _, s := range b.Stopped {
					wantCode(t, s.Why, CodeWhere)
					stopped = s.Table.Name == "t"
				}
				other = other || slices.ContainsFunc(b.Changes, func(ch pipeline.Change) bool { return ch.Table.Name == "other" })
				return stopped && other
			})
		})
	}
}

// Tables are copied in the order of their ranks, under one snapshot and in chunks.
func TestCopiesGoInOrder(t *testing.T) {
	t.Parallel()
	for _, chunks := range []int64{0, 1} {
		d := newDB(t)
		for i, table := range []string{"a", "b", "c", "d"} {
			d.do("CREATE TABLE %s (id int PRIMARY KEY); INSERT INTO %[1]s SELECT generate_series(1, %d)", table, 1000*(4-i))
		}
		c := d.config()
		c.SnapshotWorkers, c.ChunkAbove = 1, chunks
		c.Rank = func(schema, table string) int { return strings.Index("cadb", table) }
		r := open(t, c, pipeline.Resume{})
		var order []string
		for done := 0; !r.resume.Whole() || done < 4*int(chunks); {
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			for _, ch := range b.Changes {
				if n := len(order); n == 0 || order[n-1] != ch.Table.Name {
					order = append(order, ch.Table.Name)
				}
			}
			for _, copied := range b.Copies {
				if copied.Done {
					done++
				}
			}
		}
		if got := strings.Join(order, ""); got != "cadb" {
			t.Errorf("chunks above %d: the order is %s", chunks, got)
		}
	}
}
