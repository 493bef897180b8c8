package mysql

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
)

// A condition that the server does not take, or that may choose other rows the next time,
// is refused with its place, and no other.
func TestConditionsAreChecked(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, v varchar(20), d datetime, `now` int, j json)")
	for _, w := range []struct{ sql, where, says string }{
		{sql: "id > 10"},
		{sql: "d >= '2026-01-01' -- since then"},
		{sql: "d >= timestamp '2026-01-01 00:00:00' # since then"},
		{sql: "v LIKE 'a%' OR\n (`now` IN (1, 2) AND NOT (id BETWEEN 3 AND 4))"},
		{sql: "json_unquote(json_extract(j, '$.k')) = 'x' AND lower(v) <> 'now()' AND unix_timestamp(d) > 5"},
		{sql: `cast(v AS decimal(10, 2)) > 1.5 AND v <> '\' AND v <> "rand("`},
		{sql: "CASE WHEN id THEN (id) ELSE 0 END AND d > date '2026-01-01' + INTERVAL (1) DAY /* now() */"},
		{"id > ", "f:3:1", "You have an error in your SQL syntax"},
		{"id >\n  nope", "f:4:3", "Unknown column 'nope'"},
		{"true) OR (true", "f:3:5", "You have an error in your SQL syntax"},
		{"true ORDER BY id", "f:3:6", "You have an error in your SQL syntax"},
		{"true; DROP TABLE t", "f:3:", "You have an error in your SQL syntax"},
		{"true UNION SELECT 1", "f:3:12", "it reads other rows"},
		{"id > ?", "f:3:6", "nobody gives"},
		{"count(id) > 1", "f:3:1", "it calls function count,"},
		{"v COLLATE utf8mb4_bin = v COLLATE utf8mb4_general_ci", "f:3:", "ollation"},
		{"d > now()", "f:3:5", "it calls function now,"},
		{"d > /*!50000 now() */", "f:3:14", "it calls function now,"},
		{"rand() < 0.5", "f:3:1", "it calls function rand,"},
		{"d > current_date", "f:3:5", "it depends on who asks"},
		{"d > CURRENT_TIMESTAMP - INTERVAL 1 DAY", "f:3:5", "it depends on who asks"},
		{"unix_timestamp() > id", "f:3:1", "it depends on who asks"},
		{"id > @@server_id", "f:3:6", "it reads a variable"},
		{"id IN (SELECT 1)", "f:3:8", "it reads other rows"},
		{"id IN (TABLE t)", "f:3:8", "it reads other rows"},
	} {
		c := d.config("t")
		c.Where = func(database, table string) handover.Where {
			return handover.Where{SQL: w.sql, At: func(line, column int) string { return fmt.Sprintf("f:%d:%d", 2+line, column) }}
		}
		checked, err := Check(t.Context(), c, nil)
		if err != nil {
			t.Fatalf("%s: %v", w.sql, err)
		}
		r := pipeline.Failing(checked.Findings)
		if w.says == "" && r == nil {
			continue
		}
		if r == nil || w.says == "" || r.Code != CodeWhere || !strings.HasPrefix(r.Where, w.where) || !strings.HasSuffix(r.Where, ": the condition of "+d.name+".t") || !strings.Contains(r.What, w.says) {
			t.Errorf("%s: got %v, want %s, %q", w.sql, r, w.where, w.says)
		}
	}
}

// A function of the user's own is refused, whether it says that it is deterministic or not.
func TestConditionCallsAFunctionOfOnesOwn(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY)", "CREATE FUNCTION lower1(i int) RETURNS int DETERMINISTIC NO SQL RETURN i")
	for _, sql := range []string{"lower1(id)", "`lower1`(id)", d.name + ".lower1(id)"} {
		c := d.config("t")
		c.Where = chooses(sql)
		if r := d.refused(c, pipeline.Resume{}); r.Code != CodeWhere || !strings.Contains(r.What, "lower1") {
			t.Errorf("%s: %v", sql, r)
		}
	}
}

// chooses has the rows of every table chosen by one condition.
func chooses(sql string) func(database, table string) handover.Where {
	return func(database, table string) handover.Where {
		return handover.Where{SQL: sql, At: func(line, column int) string { return fmt.Sprintf("f:%d:%d", line, column) }}
	}
}

// The copy has the rows that were chosen, the stream those of all changes, also of rows
// that were left out; a copy that is asked for begins with the chosen ones again.
func TestCopyOfChosenRows(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"under one snapshot", "in pieces", "in chunks"} {
		t.Run(how, func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES "+numbered(500, "(%[1]d, 'v')"), "ANALYZE TABLE a")
			c := d.config("a")
			c.ChunkRows, c.Where = 7, chooses("id % 2 = 0 OR id = 1 -- even")
			switch how {
			case "in pieces":
				c.PieceRows = 100
			case "in chunks":
				c.ChunkAbove = 1
			}
			r := d.open(c, pipeline.Resume{}).copied()
			if how == "in chunks" {
				r.until("a is done ")
			}
			r.chosen("id % 2 = 0 OR id = 1")
			d.do("UPDATE a SET v = 'w' WHERE id IN (2, 3)", "DELETE FROM a WHERE id IN (4, 5)", "UPDATE a SET id = 1001 WHERE id = 9")
			r.caught().chosen("id % 2 = 0 OR id IN (1, 3, 1001)")
			r.copy("again", "a")
			r.until("a is done again").chosen("id % 2 = 0 OR id = 1")
			if read := r.reads["a"]; read > 2*251 {
				t.Errorf("%d rows were read, twice about 250 are chosen", read)
			}
		})
	}
}

// chosen compares what was folded of a with the rows of a condition.
func (r *reader) chosen(sql string) {
	r.Helper()
	want := r.get("SELECT count(*) FROM a WHERE " + sql)
	rows, err := r.session().query(r.Context(), "SELECT id, v FROM "+quoteName(r.name)+".a WHERE "+sql)
	if err != nil {
		r.Fatal(err)
	}
	for _, row := range rows {
		if got := r.rows["a"][row[0]]; got != row[0]+"|"+row[1] {
			r.Errorf("row %s was captured as %q, the table has %q", row[0], got, row[1])
		}
	}
	if got := fmt.Sprint(len(r.rows["a"])); got != want {
		r.Errorf("%s rows, want %s: %s", got, want, sql)
	}
}

// A copy goes on under the condition that it began with; under another one it begins
// again, and has rows of that alone.
func TestCopyUnderAnotherCondition(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES "+numbered(500, "(%[1]d, 'v')"))
	c := d.config("a")
	c.ChunkAbove, c.ChunkRows, c.QueueBatches, c.Where = 1, 10, 1, chooses("id % 2 = 0")
	r := d.open(c, pipeline.Resume{}).copied()
	upTo := func(rows int) {
		t.Helper()
		for read := 0; read < rows; {
			before := r.reads["a"]
			if err := r.next(); err != nil {
				t.Fatal(err)
			}
			read += r.reads["a"] - before
		}
	}
	upTo(50)
	r = r.reopen(c)
	upTo(50)
	sameText(t, strings.Join(r.copies, ", "), "a begins ")
	c.Where = chooses("id % 3 = 0")
	r = r.reopen(c).until("a is done ")
	sameText(t, strings.Join(r.copies, ", "), "a begins , a begins , a is done ")
	r.caught().chosen("id % 3 = 0")
}

// A condition of a column that is gone stops that table when a copy of it is to begin, and
// nothing else: neither before that nor afterwards does it keep the source from starting.
func TestConditionThatNoLongerFits(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(20), w int)", "CREATE TABLE b (id int primary key)", "INSERT INTO a VALUES "+numbered(500, "(%[1]d, 'v', 1)"))
	c := d.config("a", "b")
	c.ChunkRows = 10
	c.Where = func(database, table string) handover.Where {
		return handover.Where{SQL: map[string]string{"a": "w = 1"}[table], At: func(line, column int) string { return fmt.Sprintf("f:%d:%d", line, column) }}
	}
	r := d.open(c, pipeline.Resume{}).copied()
	d.do("ALTER TABLE a DROP COLUMN w", "INSERT INTO a VALUES (1000, 'new')", "INSERT INTO b VALUES (1)")
	r = r.caught().reopen(c)
	d.do("INSERT INTO a VALUES (1001, 'newer')")
	if r.caught(); r.rows["a"]["1001"] == "" {
		t.Error("the table that needs no copy is not read on")
	}
	r.copy("again", "a")
	for r.stops["a"] == nil {
		if err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if why := r.stops["a"]; why.Code != CodeWhere || !strings.Contains(why.What, "Unknown column") || !strings.HasPrefix(why.Where, "f:1:1: ") {
		t.Errorf("stopped: %v", why)
	}
	r = r.reopen(c)
	d.do("INSERT INTO b VALUES (2)")
	if r.caught(); len(r.rows["b"]) != 2 {
		t.Errorf("the other table has %d rows", len(r.rows["b"]))
	}
}

// A condition of a pattern does not fit a table that was made later. The source starts all
// the same: one that it knows is read on, another is left out until the condition fits. A
// check warns, and one that was named since is refused.
func TestConditionThatDoesNotFitALaterTable(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key)", "INSERT INTO a VALUES (1), (2)")
	c := d.config()
	c.Match, c.Where = func(database, table string) bool { return database == d.name }, chooses("id % 2 = 0")
	r := d.open(c, pipeline.Resume{}).copied()
	d.do("CREATE TABLE streamed (k int primary key)", "INSERT INTO streamed VALUES (1)")
	r.caught().close()
	d.do("CREATE TABLE missed (k int primary key)", "INSERT INTO missed VALUES (1)")
	for _, table := range []string{"streamed", "missed"} {
		checked, err := Check(t.Context(), c, &r.place)
		if err != nil || pipeline.Failing(checked.Findings) != nil || !slices.ContainsFunc(checked.Findings, func(f pipeline.Finding) bool {
			return f.Code == CodeWhere && f.Severity == pipeline.Warns && f.Where == "f:1:1: the condition of "+d.name+"."+table
		}) {
			t.Errorf("%s: the check finds %v, %v", table, checked.Findings, err)
		}
	}
	named := c
	named.Named = []TableName{{d.name, "missed"}}
	if why := d.refused(named, r.place); why.Code != CodeWhere || why.Where != "f:1:1: the condition of "+d.name+".missed" {
		t.Errorf("named: %v", why)
	}
	r = r.reopen(c)
	d.do("INSERT INTO a VALUES (3)", "INSERT INTO streamed VALUES (2)")
	if r.caught(); len(r.rows["a"]) != 2 || len(r.rows["streamed"]) != 2 {
		t.Errorf("rows %v", r.rows)
	}
	for len(r.source.Stats().LeftOut) == 0 {
		if err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	d.do("ALTER TABLE missed ADD COLUMN id int DEFAULT 2")
	r.until("missed is done ")
	if got := fmt.Sprint(r.rows["missed"], r.stops, len(r.source.Stats().LeftOut)); got != "map[1:1|2] map[] 1" {
		t.Error(got)
	}
}

// A server that prepares no more statements says nothing of a condition: a start and a copy
// are tried again.
func TestConditionThatIsNotLookedAt(t *testing.T) { // not beside others: it is a limit of the server
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES (1, 'v'), (2, 'v')")
	c := d.config("a")
	c.Where, c.CopyTries, c.BackoffMax = chooses("id > 1"), 1, 10*time.Millisecond
	var tries atomic.Int64
	c.Log = slog.New(slog.NewTextHandler(writerFunc(func(line []byte) {
		if bytes.Contains(line, []byte("a chunk could not be read; trying again")) {
			tries.Add(1)
		}
	}), nil))
	usual := d.get("SELECT @@GLOBAL.max_prepared_stmt_count")
	limit := func(n string) { d.do("SET GLOBAL max_prepared_stmt_count = " + n) }
	defer limit(usual)

	limit("0")
	s := New(c)
	defer s.Close()
	if err := s.Open(t.Context(), pipeline.Resume{}); err == nil || pipeline.CodeOf(err) != "" || !strings.Contains(err.Error(), "max_prepared_stmt_count") {
		t.Errorf("a start: %v", err)
	}
	limit(usual)
	r := d.open(c, pipeline.Resume{}).copied()
	limit("0")
	r.copy("again", "a")
	d.comesTo("a third try", func() bool { return tries.Load() > 2 })
	limit(usual)
	r.until("a is done again").chosen("id > 1")
}

// A condition that some row makes fail is refused under one snapshot, and in chunks stops
// its table and no other. The row's value is not told.
func TestConditionThatFailsForARow(t *testing.T) {
	t.Parallel()
	for _, chunkAbove := range []int64{0, 1} {
		t.Run(fmt.Sprintf("in chunks above %d", chunkAbove), func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE a (id int primary key, n bigint)", "INSERT INTO a VALUES (1, 5), (2, 9223372036854775807)", "CREATE TABLE b (id int primary key)")
			c := d.config("a", "b")
			c.ChunkAbove = chunkAbove
			c.Where = func(database, table string) handover.Where {
				return handover.Where{SQL: map[string]string{"a": "n + 7 > 0"}[table], At: func(line, column int) string { return fmt.Sprintf("f:%d:%d", line, column) }}
			}
			if chunkAbove == 0 {
				s := New(c.withDefaults())
				defer s.Close()
				err := errors.Join(s.Open(t.Context(), pipeline.Resume{}))
				for err == nil {
					_, err = s.Next(t.Context())
				}
				if pipeline.CodeOf(err) != CodeWhere || !strings.Contains(err.Error(), "cannot evaluate it for a row (error 1690)") || strings.Contains(err.Error(), "775807") {
					t.Error(err)
				}
				return
			}
			r := d.open(c, pipeline.Resume{}).copied()
			for r.stops["a"] == nil {
				if err := r.next(); err != nil {
					t.Fatal(err)
				}
			}
			if why := r.stops["a"]; why.Code != CodeWhere || !strings.Contains(why.What, "cannot evaluate it for a row (error 1690)") {
				t.Error(why)
			}
			d.do("INSERT INTO b VALUES (2)")
			if r.caught(); len(r.rows["b"]) != 1 {
				t.Errorf("the other table has %d rows", len(r.rows["b"]))
			}
		})
	}
}
