package postgres

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// What happens to a table without a word in the log is noticed at the next look
// at the catalog, and at the next start; the table stops, and the others go on.
func TestWhatTheLogDoesNotTell(t *testing.T) {
	t.Parallel()
	const noLeaves = `CREATE TABLE p (id int NOT NULL, k int NOT NULL, v text, PRIMARY KEY (k, id)) PARTITION BY RANGE (k);`
	const leaves = noLeaves + `
		CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
		INSERT INTO p VALUES (1, 1, 'a'), (2, 11, 'b');`
	const plain = "CREATE TABLE p (id int PRIMARY KEY, v text, n int); INSERT INTO p VALUES (1, 'a', 1);"
	for what, c := range map[string]struct{ made, ddl, says string }{
		"P22 a partition is detached":                       {leaves, "ALTER TABLE p DETACH PARTITION p1", "a partition was detached"},
		"P22 a partition is dropped":                        {leaves, "DROP TABLE p1", "a partition was detached"},
		"P22 a partition is truncated by itself":            {leaves, "TRUNCATE ONLY p1", "truncated by itself"},
		"P22 a filled table is attached":                    {leaves, "CREATE TABLE p3 (LIKE p INCLUDING ALL); INSERT INTO p3 VALUES (3, 21, 'c'); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)", "partition public.p3 was attached with rows"},
		"P22 a filled table is attached to an empty one":    {noLeaves, "CREATE TABLE p3 (LIKE p INCLUDING ALL); INSERT INTO p3 VALUES (3, 21, 'c'); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)", "partition public.p3 was attached with rows"},
		"P22 an empty table is attached to an empty one":    {noLeaves, "CREATE TABLE p3 (LIKE p INCLUDING ALL); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)", ""},
		"P22 detached and attached again":                   {leaves, "ALTER TABLE p DETACH PARTITION p1; DELETE FROM p1; ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10)", "a partition was detached"},
		"P22 a partition of a partition is dropped":         {leaves + "CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (30) TO (50) PARTITION BY RANGE (k); CREATE TABLE p41 PARTITION OF p4 FOR VALUES FROM (30) TO (40);", "DROP TABLE p41", "a partition was detached"},
		"P22 an empty partition is made":                    {leaves, "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30)", ""},
		"P22 an empty partition is made and filled at once": {leaves, "BEGIN; CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30); INSERT INTO p VALUES (3, 21, 'c'); COMMIT", ""},
		"P22 an empty table is attached, and filled":        {leaves, "CREATE TABLE p3 (LIKE p INCLUDING ALL); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30); INSERT INTO p VALUES (3, 21, 'c')", ""},
		"P21 added with a default":                          {plain, "ALTER TABLE p ADD COLUMN d int DEFAULT 42", "column d was added with a default"},
		"P21 added with a default that went again":          {plain, "ALTER TABLE p ADD COLUMN d int DEFAULT 42; ALTER TABLE p ALTER COLUMN d DROP DEFAULT", "column d was added with a default"},
		"P21 added with a volatile default":                 {plain, "ALTER TABLE p ADD COLUMN d float DEFAULT random()", "column d was added"},
		"P21 other values of the same type":                 {plain, "ALTER TABLE p ALTER COLUMN n TYPE int USING n + 1", "it was rewritten with other values"},
		"P21 values change on the way to a wider type":      {plain, "ALTER TABLE p ALTER COLUMN v TYPE varchar(20) USING upper(v)", "column v became character varying(20)"},
		"P20 a column is renamed":                           {plain, "ALTER TABLE p RENAME COLUMN n TO m", "column n was renamed to m"},
		"P20 the key gets one more column":                  {plain, "ALTER TABLE p ALTER COLUMN n SET NOT NULL, DROP CONSTRAINT p_pkey, ADD PRIMARY KEY (id, n)", "its key became (id, n)"},
		"P15 no old row carries the key":                    {plain, "ALTER TABLE p REPLICA IDENTITY NOTHING", "REPLICA IDENTITY NOTHING"},
		"P20 the table is dropped":                          {plain, "DROP TABLE p", "the table was dropped"},
		"P20 the table is made anew":                        {plain, "DROP TABLE p; CREATE TABLE p (id int PRIMARY KEY, v text, n int)", "the table was dropped"},
		"P20 the table becomes a partition":                 {plain, "CREATE TABLE pp (id int PRIMARY KEY, v text, n int) PARTITION BY RANGE (id); ALTER TABLE pp ATTACH PARTITION p FOR VALUES FROM (0) TO (10)", "it is a partition"},
		"P35 out of the publication, and in again":          {plain, "ALTER PUBLICATION evert_pub DROP TABLE p; INSERT INTO p VALUES (7, 'b', 1); ALTER PUBLICATION evert_pub ADD TABLE p", "publication"}, // whichever of its two states is seen first
		"the same rows in another file":                     {plain, "VACUUM FULL p", ""},
		"P20 a column comes and one goes":                   {plain, "ALTER TABLE p ADD COLUMN d int; ALTER TABLE p DROP COLUMN v", ""},
		"P20 every column in old rows":                      {plain, "ALTER TABLE p REPLICA IDENTITY FULL; ALTER TABLE p ADD COLUMN d int", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := newDB(t)
			if (strings.HasPrefix(c.made, leaves) || strings.Contains(c.ddl, "ATTACH PARTITION")) && d.major() < 13 {
				return // what a partitioned table has is not in the log under its name
			}
			d.do("CREATE TABLE t (id int PRIMARY KEY);" + c.made)
			conf := d.config()
			conf.Match = func(schema, table string) bool { return schema == "public" && (table == "t" || table == "p") } // others would be copied
			r := open(t, conf, pipeline.Resume{})
			r.snapshot()
			d.do("INSERT INTO t VALUES (1)")
			r.sync(d)
			seen := r.source.a.seen.Load()
			for _, ddl := range strings.SplitAfter(c.ddl, ";") {
				d.do("%s", ddl)
			}
			if c.says != "" {
				if why := r.stops("public.p"); !strings.Contains(why.What, c.says) {
					t.Errorf("says %s, want %s", why.What, c.says)
				}
			} else {
				eventually(t, "the look at the table", func() bool {
					d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
					r.sync(d)
					return r.source.a.seen.Load() != seen
				})
			}
			d.do("INSERT INTO t VALUES (2)")
			if got := strings.Join(r.sync(d), "\n"); !strings.HasSuffix(got, "c t 2") {
				t.Errorf("the other table does not go on: %s", got)
			}
			if stopped := r.source.a.seen.Load().Stopped; (c.says != "") != (len(stopped) == 1) {
				t.Errorf("stopped: %v", stopped)
			}
			r = open(t, conf, r.close())
			if c.says != "" {
				r.stops("public.p")
			}
			d.do("INSERT INTO t VALUES (3)")
			wantLines(t, r.sync(d), "c t 3")
		})
	}
}

// P20: rows that came under columns which the catalog has no more, while nobody
// read, and after which none came, are compared with what their table has become.
func TestAlteredBehindItsLastRow(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ ddl, says string }{
		"P20 a column that came is renamed":         {"ALTER TABLE p RENAME COLUMN d TO e", "column d was renamed to e"},
		"P20 a column that came is gone":            {"ALTER TABLE p DROP COLUMN d", ""},
		"P20 a column that came, and another comes": {"ALTER TABLE p ADD COLUMN e int", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := newDB(t)
			d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY, v text)")
			r := open(t, d.config(), pipeline.Resume{})
			r.snapshot()
			at := r.close()
			d.do("ALTER TABLE p ADD COLUMN d int; INSERT INTO p VALUES (1, 'a', 5)")
			d.do("%s", c.ddl)
			r = open(t, d.config(), at)
			d.do("INSERT INTO t VALUES (1)")
			wantLines(t, r.sync(d), "c p 1|a|5", "c t 1")
			if c.says != "" {
				if why := r.stops("public.p"); !strings.Contains(why.What, c.says) {
					t.Errorf("says %s, want %s", why.What, c.says)
				}
				return
			}
			r.standsLookedAt(d)
		})
	}
}

// standsLookedAt waits until the catalog was asked for the columns of every table, after
// which none may have stopped.
func (r *run) standsLookedAt(d *db) {
	r.t.Helper()
	eventually(r.t, "a look at the tables", func() bool {
		d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
		r.sync(d)
		for _, m := range r.source.a.seen.Load().marks {
			if m.columns == unknownColumns {
				return false
			}
		}
		return true
	})
	if stopped := r.source.a.seen.Load().Stopped; len(stopped) > 0 {
		r.t.Errorf("stopped: %v", stopped)
	}
}

// P20: a table that was dropped and made anew, or renamed and another one made under
// its name, is copied by its name, and goes on as the new one after a restart.
func TestTableMadeAnewIsCopied(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY, v text); INSERT INTO p VALUES (1, 'old')")
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	d.do("DROP TABLE p; CREATE TABLE p (id int PRIMARY KEY, n int, w text); INSERT INTO p VALUES (2, 22, 'new')")
	r.stops("public.p")
	wantLines(t, r.sync(d))
	r = open(t, d.config(), r.close())
	r.stops("public.p")
	if last := r.tables[len(r.tables)-1]; last.Name != "p" || len(last.Columns) != 3 {
		t.Errorf("the table that can be copied is not announced: %v", r.tables)
	}
	if err := r.source.Copy(t.Context(), pipeline.CopyRequest{ID: "again", Table: "public.p"}); err != nil {
		t.Fatal(err)
	}
	lines := r.until(func(b pipeline.Batch) bool { return len(b.Copies) > 0 && b.Copies[0].Done })
	wantLines(t, lines, "r p 2|22|new")
	d.do("INSERT INTO p VALUES (3, 33, 'later')")
	wantLines(t, r.sync(d), "c p 3|33|later")
	r = open(t, d.config(), r.close())
	d.do("INSERT INTO p VALUES (4, 44, 'last'); INSERT INTO t VALUES (1)")
	wantLines(t, r.sync(d), "c p 4|44|last", "c t 1")
	if stopped := r.source.a.seen.Load().Stopped; len(stopped) > 0 {
		t.Errorf("stopped: %v", stopped)
	}
}

// P20: a table that is altered again, and has no row since, is copied as it is now.
func TestTableAlteredTwiceIsCopied(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE p (id int PRIMARY KEY, v text); INSERT INTO p VALUES (1, 'a')")
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	d.do("ALTER TABLE p ADD COLUMN x int NOT NULL DEFAULT 1; INSERT INTO p VALUES (2, 'b', 2)")
	r.stops("public.p")
	d.do("ALTER TABLE p DROP COLUMN v")
	if err := r.source.Copy(t.Context(), pipeline.CopyRequest{ID: "again", Table: "public.p"}); err != nil {
		t.Fatal(err)
	}
	wantLines(t, r.until(func(b pipeline.Batch) bool { return len(b.Copies) > 0 && b.Copies[0].Done }), "r p 1|1", "r p 2|2")
	d.do("INSERT INTO p VALUES (3, 3)")
	wantLines(t, r.sync(d), "c p 3|3")
}

// I8: a table that came later and cannot be captured keeps no other from going on.
func TestTableThatCameLaterIsLeftOut(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY)")
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	from := r.close()
	d.do("CREATE TABLE late (id int PRIMARY KEY); ALTER TABLE late REPLICA IDENTITY NOTHING; INSERT INTO t VALUES (1)")
	r = open(t, d.config(), from)
	wantLines(t, r.sync(d), "c t 1")
	if left := strings.Join(r.source.Stats().NotCaptured, "\n"); !strings.Contains(left, "public.late: REPLICA IDENTITY NOTHING") {
		t.Errorf("left out: %s", left)
	}
}
