package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// What is not a plain row.
func TestBesideRows(t *testing.T) {
	t.Parallel()
	t.Run("P25 generated columns that the publication sends", func(t *testing.T) {
		d := newDB(t)
		if d.major() < 18 {
			return // no publication does
		}
		d.do(`CREATE TABLE t (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (n * 2) STORED, v int GENERATED ALWAYS AS (n * 3)); INSERT INTO t VALUES (1, 10);
			CREATE TABLE u (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) STORED); INSERT INTO u VALUES (1);
			CREATE PUBLICATION evert_pub FOR TABLE t, u (id) WITH (publish_generated_columns = stored, publish_via_partition_root)`)
		r := open(t, d.config(), pipeline.Resume{})
		got := r.snapshot()
		slices.Sort(got)
		wantLines(t, got, "r t 1|10|20", "r u 1")
		d.do("INSERT INTO t VALUES (2, 20); UPDATE t SET n = 11 WHERE id = 1; INSERT INTO u VALUES (2)")
		wantLines(t, r.sync(d), "c t 2|20|40", "u t 1|11|22", "c u 2")
		d.do("ALTER PUBLICATION evert_pub SET (publish_generated_columns = none)")
		r.stops("public.t")
	})
	t.Run("P23 a row moves to another partition", func(t *testing.T) {
		d := newDB(t)
		if d.major() < 13 {
			return // nothing arrives under the root's name
		}
		d.do(`CREATE TABLE p (id int NOT NULL, k int NOT NULL, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
			CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 (v text, k int NOT NULL, gone int, id int NOT NULL, PRIMARY KEY (id, k));
			ALTER TABLE p2 DROP COLUMN gone; ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1, 1, 'a'), (2, 11, 'b')`)
		r := open(t, d.config(), pipeline.Resume{})
		got := r.snapshot()
		slices.Sort(got)
		wantLines(t, got, "r p 1|1|a", "r p 2|11|b")
		d.do("UPDATE p SET k = 12 WHERE id = 1; UPDATE p SET v = 'c' WHERE id = 2")
		wantLines(t, r.sync(d), "d p 1|1|? →", "c p 1|12|a", "u p 2|11|c")
	})
	t.Run("P24 a column list and a row filter change under us", func(t *testing.T) {
		d := newDB(t)
		if d.major() < 15 {
			return // there are none
		}
		d.do(`CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE a (id int PRIMARY KEY, v text, w text); CREATE TABLE b (id int PRIMARY KEY, v text);
			INSERT INTO a VALUES (1, 'v', 'w'); INSERT INTO b VALUES (1, 'in'), (20, 'out');
			CREATE PUBLICATION evert_pub FOR TABLE t, a (id, v), b WHERE (id < 10)`)
		r := open(t, d.config(), pipeline.Resume{})
		got := r.snapshot()
		slices.Sort(got)
		wantLines(t, got, "r a 1|v", "r b 1|in")
		d.do("UPDATE b SET v = 'still out' WHERE id = 20; UPDATE a SET w = 'unseen'; UPDATE b SET v = 'still in' WHERE id = 1")
		wantLines(t, r.sync(d), "u a 1|v", "u b 1|still in")
		d.do("ALTER PUBLICATION evert_pub SET TABLE t, a (id, v, w), b WHERE (id < 30)")
		r.stops("public.a")
		d.do("INSERT INTO t VALUES (1); INSERT INTO b VALUES (25, 'not known to be whole')")
		wantLines(t, r.sync(d), "c t 1")
	})
	t.Run("P30 logical messages are passed over, whatever they hold", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		for _, transactional := range []bool{true, false} {
			for _, size := range []int{0, 1 << 10, 10 << 20} {
				d.do("BEGIN; SELECT pg_logical_emit_message(%v, 'somebody', repeat('x', %d)); INSERT INTO t VALUES (%d); COMMIT", transactional, size, size)
				wantLines(t, r.sync(d), fmt.Sprintf("c t %d", size))
			}
			d.do("DELETE FROM t")
			r.sync(d)
		}
	})
	t.Run("P53 what another origin wrote is captured like everything", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		origin := d.get("SELECT current_database()") + "_origin"
		t.Cleanup(func() { // it belongs to the whole server
			d.do("SELECT pg_replication_origin_session_reset(), pg_replication_origin_drop('%s')", origin)
		})
		d.do("SELECT pg_replication_origin_create('%s'), pg_replication_origin_session_setup('%[1]s')", origin)
		d.do("INSERT INTO t VALUES (1)")
		wantLines(t, r.sync(d), "c t 1")
	})
}

// P52: whatever tables and columns are called, and however many there are.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	hostile := []string{`Upper`, `upper`, `with space`, `dot.ted`, `quo"ted`, `per%cent`, `back\slash`, `semi;colon`, `dol$lar`, `--comment`, `Ünïcödé`, `表`,
		`select`, `'single'`, `$1`, strings.Repeat("x", 63), `new` + "\n" + `line`, `{brace}`, `trailing `}
	t.Run("P52 hostile names", func(t *testing.T) {
		d := newDB(t)
		var want []string
		for i, name := range hostile {
			q := pgsql.QuoteIdent(name)
			d.do("%s", fmt.Sprintf(`CREATE TABLE %s (id int PRIMARY KEY, %[1]s text, "%d" text); INSERT INTO %[1]s VALUES (%d, 'a', 'b')`, q, i, i))
			want = append(want, fmt.Sprintf("r %s %d|a|b", name, i))
		}
		d.do("CREATE TABLE parts (%s int, v text, PRIMARY KEY (%[1]s)) PARTITION BY RANGE (%[1]s); CREATE TABLE %[2]s PARTITION OF parts FOR VALUES FROM (0) TO (10); INSERT INTO parts VALUES (1, 'p')",
			pgsql.QuoteIdent(`the "key"`), pgsql.QuoteIdent(`a "part".`))
		if d.major() >= 13 {
			want = append(want, "r parts 1|p")
		} else { // nothing arrives under the root's name
			want = append(want, `r a "part". 1|p`)
		}
		r := open(t, d.config(), pipeline.Resume{})
		got := r.snapshot()
		slices.Sort(got)
		slices.Sort(want)
		wantLines(t, got, want...)
		want = nil
		for i, name := range hostile {
			d.do("%s", fmt.Sprintf(`ALTER TABLE %s ADD COLUMN "new %%" int; UPDATE %[1]s SET %[1]s = 'c'; ALTER TABLE %[1]s DROP COLUMN %[1]s; DELETE FROM %[1]s`, pgsql.QuoteIdent(name)))
			want = append(want, fmt.Sprintf("u %s %d|c|b|NULL", name, i), fmt.Sprintf("d %s %d|?|? →", name, i))
		}
		wantLines(t, r.sync(d), want...)
		wantLines(t, open(t, d.config(), r.close()).sync(d))
	})
	t.Run("P52 as many columns as there can be, after some that were dropped", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE wide (id int PRIMARY KEY, gone text)")
		d.do("DO $$ BEGIN FOR i IN 2..1599 LOOP EXECUTE format('ALTER TABLE wide ADD COLUMN c%s %s', i, (ARRAY['int', 'boolean', 'text'])[1 + (i - 1) % 3]); END LOOP; END $$")
		d.do("ALTER TABLE wide DROP COLUMN gone; INSERT INTO wide (id, c1599) VALUES (1, 'last'), (2, 'x')")
		if n := d.get("SELECT max(attnum) FROM pg_attribute WHERE attrelid = 'wide'::regclass"); n != "1600" {
			t.Fatalf("attnums end at %s", n)
		}
		r := open(t, d.config(), pipeline.Resume{})
		row := func(line string) string {
			return fmt.Sprint(strings.Count(line, "|"), line[strings.LastIndex(line, "|"):])
		}
		wantLines(t, apply(r.snapshot(), row), "1598|last", "1598|x")
		d.do("UPDATE wide SET c1599 = 'again' WHERE id = 1")
		wantLines(t, apply(r.sync(d), row), "1598|again")
	})
}

func apply(lines []string, f func(string) string) (out []string) {
	for _, line := range lines {
		out = append(out, f(line))
	}
	return out
}

// Somebody who alters a table for long holds up that table, and no other.
func TestLockedTableHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(`CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
		CREATE TABLE locked (id int PRIMARY KEY)`)
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	other, err := pgconn.Connect(t.Context(), d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	if _, err := other.Exec(t.Context(), "BEGIN; LOCK TABLE locked, p, p1 IN ACCESS EXCLUSIVE MODE; ALTER TABLE locked ADD COLUMN n int").ReadAll(); err != nil {
		t.Fatal(err)
	}
	d.do("INSERT INTO t VALUES (1)")
	d.do("ALTER TABLE t ADD COLUMN v text")
	d.do("INSERT INTO t VALUES (2, 'b')")
	wantLines(t, r.sync(d), "c t 1", "c t 2|b")
}

// P28: what a prepared transaction wrote comes when it is committed, wherever it lies then, and
// never if it is rolled back.
func TestPreparedTransactions(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text)")
	d.decodeEarly()
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	prefix := d.get("SELECT current_database()") + "_"
	prepare := func(gid, sql string) {
		d.do("BEGIN; %s; PREPARE TRANSACTION '%s%s'", sql, prefix, gid)
		t.Cleanup(func() { // the server's slots wait for it
			_, _ = d.conn.Exec(context.Background(), "ROLLBACK PREPARED '"+prefix+gid+"'").ReadAll()
		})
	}
	prepare("small", "INSERT INTO t VALUES (1, 'prepared')")
	prepare("large", "INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(100, 2099) g")
	prepare("never", "INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(3000, 4999) g")
	d.do("INSERT INTO t VALUES (2, 'between')")
	wantLines(t, r.sync(d), "c t 2|between")
	r = open(t, d.config(), r.close())
	d.do("COMMIT PREPARED '%ssmall'", prefix)
	d.do("ROLLBACK PREPARED '%snever'", prefix)
	wantLines(t, r.sync(d), "c t 1|prepared")
	d.do("COMMIT PREPARED '%slarge'", prefix)
	if n := len(r.sync(d)); n != 2000 {
		t.Errorf("%d rows of 2000 came", n)
	}
	r = open(t, d.config(), r.close())
	wantLines(t, r.sync(d))
}
