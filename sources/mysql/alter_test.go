package mysql

import (
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// A rewrite is statements that change rows without a word in the log, though it looks as
// if earlier rows followed.
type rewrite struct {
	name  string
	sql   []string
	stops string // tables
	check string // tables that are compared in the end
}

const logStatements = "SET binlog_format = 'STATEMENT'"

func rewrites() []rewrite {
	return []rewrite{
		{"M06 a function that changes rows", []string{"CREATE FUNCTION f() RETURNS int DETERMINISTIC MODIFIES SQL DATA BEGIN UPDATE a SET w = 7; RETURN 1; END", logStatements, "SELECT f()"}, "a b p", "a"},
		{"M09 a column goes and comes at once", []string{"ALTER TABLE a DROP COLUMN v, ADD COLUMN v varchar(20)"}, "a", "a"},
		{"M09 a column goes and comes", []string{"ALTER TABLE a DROP COLUMN v", "ALTER TABLE a ADD COLUMN (v varchar(20), u int)"}, "a", "a"},
		{"M09 a column goes, a row comes, the column comes", []string{"ALTER TABLE a DROP COLUMN v", "INSERT INTO a (id) VALUES (90)", "ALTER TABLE a ADD COLUMN v varchar(20)", "INSERT INTO a (id) VALUES (91)"}, "a", "a"},
		{"M09 a column is renamed and another has its name", []string{"ALTER TABLE a CHANGE v old varchar(20), ADD COLUMN v varchar(20)"}, "a", "a"},
		{"M09 columns change their names", []string{"ALTER TABLE a CHANGE w x int, CHANGE x w int"}, "a", "a"},
		{"M09 a column is renamed and back", []string{"ALTER TABLE a RENAME COLUMN w TO z", "ALTER TABLE a DROP COLUMN z, ADD w int"}, "a", "a"},
		{"M09 a column becomes a generated one", []string{"ALTER TABLE a MODIFY w int AS (id*3) STORED"}, "a", "a"},
		{"M09 a default comes and goes", []string{"ALTER TABLE a ADD n int NULL DEFAULT 5", "ALTER TABLE a ALTER n DROP DEFAULT"}, "a", "a"},
		{"M09 a type changes and changes back", []string{"ALTER TABLE a MODIFY w tinyint NULL", "ALTER TABLE a MODIFY w int NULL"}, "a", "a"},
		{"M08 a partition is exchanged", []string{"ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE b"}, "b p", "b p"},
		{"M08 a new table gets a partition's rows", []string{"CREATE TABLE late (id int primary key)", "ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE late", "INSERT INTO late VALUES (8)"}, "p", "p late"},
		{"M09 a key comes later than the rows", []string{"CREATE TABLE late (id int not null)", "INSERT INTO late SELECT id FROM a", "ALTER TABLE late ADD PRIMARY KEY (id)", "INSERT INTO late VALUES (900)"}, "", "late"},
		{"M06 a new table is filled with a statement", []string{"CREATE TABLE late (id int primary key)", logStatements, "INSERT INTO late VALUES (1), (2)", "SET binlog_format = 'ROW'", "INSERT INTO late VALUES (900)"}, "", "late"},
		{"M06 a table is made of a query that is logged as one", []string{logStatements, "CREATE TABLE late (id int primary key) SELECT id FROM a WHERE id < 20", "SET binlog_format = 'ROW'", "INSERT INTO late VALUES (900)"}, "", "late"},
	}
}

// rewritesOfMariaDB are in words that MySQL has not.
func rewritesOfMariaDB() []rewrite {
	return []rewrite{
		{"M08 SET STATEMENT … FOR TRUNCATE", []string{"SET STATEMENT lock_wait_timeout=5 FOR TRUNCATE TABLE a"}, "", "a"},
		{"M08 SET STATEMENT … FOR ALTER TABLE", []string{"SET STATEMENT lock_wait_timeout=5 FOR ALTER TABLE p DROP PARTITION p0"}, "p", "p"},
		{"M10 SET STATEMENT … FOR RENAME TABLE", []string{"SET STATEMENT lock_wait_timeout=5 FOR RENAME TABLE a TO a2"}, "a", ""},
		{"M06 SET STATEMENT … FOR UPDATE", []string{logStatements, "SET STATEMENT lock_wait_timeout=5 FOR UPDATE a SET w = 7"}, "a", "a"},
		{"M06 ANALYZE UPDATE", []string{logStatements, "ANALYZE UPDATE a SET w = 7"}, "a", "a"},
		{"M08 ALTER IGNORE", []string{"ALTER IGNORE TABLE a ADD UNIQUE (v)"}, "a", "a"},
		{"M08 a table becomes a partition", []string{"UPDATE b SET id = id * 20", "ALTER TABLE p DROP PARTITION p1", "ALTER TABLE p CONVERT TABLE b TO PARTITION p1 VALUES LESS THAN (900)"}, "b p", "p"},
		{"M08 a partition becomes a table", []string{"ALTER TABLE p CONVERT PARTITION p0 TO TABLE late", "INSERT INTO late VALUES (8)"}, "p", "p late"},
	}
}

// The tables stop, or are copied by themselves, and then what was captured is every
// table.
func TestRewrites(t *testing.T) {
	t.Parallel()
	all := rewrites()
	if maria.Server(t).Binaries().MariaDB() {
		all = append(all, rewritesOfMariaDB()...)
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDB(t)
			d.do("CREATE TABLE a (id int primary key, v varchar(20), w int, x int)", "INSERT INTO a WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 49) SELECT 1 + n, concat('v', n div 2), n, 2 * n FROM s",
				"CREATE TABLE b (id int primary key)", "INSERT INTO b VALUES (3), (4)",
				"CREATE TABLE p (id int primary key) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (1000))", "INSERT INTO p VALUES (1), (2)")
			cfg := d.config("a", "b", "p")
			cfg.Match = func(database, table string) bool { return database == d.name && table == "late" }
			r := d.open(cfg, pipeline.Resume{}).copied()
			d.do(c.sql...)
			r.settled()
			var stops []string
			for name := range r.stops {
				stops = append(stops, name)
			}
			slices.Sort(stops)
			sameText(t, strings.Join(stops, " "), c.stops)
			for _, name := range strings.Fields(c.check) {
				if r.stops[name] != nil {
					r.copy("again", name)
					r.until(name + " is done again")
				}
				r.equal(name)
			}
		})
	}
}

// settled reads up to the end of the log, and until no copy is to come and every table
// that was altered was looked at.
func (r *reader) settled() {
	r.Helper()
	for r.caught(); ; {
		st, err := decodeState(r.place.State)
		if err != nil {
			r.Fatal(err)
		}
		altered := slices.ContainsFunc(st.Altered, func(t keptAlter) bool { return r.stops[t.Table] == nil })
		if !altered && !slices.ContainsFunc(st.Copies, func(k keptCopy) bool { return !k.Done }) {
			return
		}
		if err := r.next(); err != nil {
			r.Fatalf("waiting for %+v and %v: %v", st.Copies, st.Altered, err)
		}
	}
}

// What an ALTER did that no row has described yet outlives a restart.
func TestRewriteOverARestart(t *testing.T) {
	t.Parallel()
	t.Run("M09 a column goes before a restart and comes behind it", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES (1, 'x')")
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		d.do("ALTER TABLE a DROP COLUMN v")
		r.caught()
		d.do("ALTER TABLE a ADD COLUMN v varchar(20)")
		again := r.reopen(d.config("a"))
		if again.settled(); again.stops["a"] == nil {
			t.Error("a has not stopped")
		}
	})
}

// TestBlackhole: a table whose engine becomes one that keeps no row stops with that
// reason, and what is beside it goes on. Copied again it is what the server has.
func TestBlackhole(t *testing.T) {
	t.Parallel()
	t.Run("M08 the engine becomes BLACKHOLE", func(t *testing.T) {
		d := newDB(t)
		if d.mariaDB() { // not every package has it; then the server takes another engine, and logs the statement as it is
			_, _ = d.server.Exec(t.Context(), "", "INSTALL PLUGIN IF NOT EXISTS blackhole SONAME 'ha_blackhole'")
		}
		d.do("CREATE TABLE a (id int primary key)", "INSERT INTO a VALUES (1), (2)", "CREATE TABLE b (id int primary key)")
		r := d.open(d.config("a", "b"), pipeline.Resume{}).copied()
		d.do("SET sql_mode = ''", "ALTER TABLE a COMMENT 'x' ENGINE = BLACKHOLE", "UPDATE a SET id = id + 10", "INSERT INTO b VALUES (7)")
		r.settled()
		if why := r.stops["a"]; why == nil || !strings.Contains(why.What, "BLACKHOLE") || len(r.stops) != 1 {
			t.Fatalf("stopped are %v", r.stops)
		}
		r.equal("b")
		d.do("ALTER TABLE a ENGINE = InnoDB", "INSERT INTO a VALUES (90)")
		r.copy("again", "a")
		r.until("a is done again")
		r.equal("a")
	})
}

// M09 a column goes and comes again while nobody reads, with a row between and none behind:
// the log that is read later tells of both.
func TestColumnComesAgainMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(20), n int)", "INSERT INTO a VALUES (1, 'x', 1), (2, 'y', 2)")
	r := d.open(d.config("a"), pipeline.Resume{}).copied()
	r.close()
	d.do("ALTER TABLE a DROP COLUMN v", "UPDATE a SET n = 5 WHERE id = 1", "ALTER TABLE a ADD COLUMN v varchar(20) AFTER id")
	r = r.reopen(d.config("a")).caught()
	if r.stops["a"] == nil {
		t.Fatal("a has not stopped: its rows have the values of the column that is gone")
	}
	r.copy("again", "a")
	r.until("a is done again").equal("a")
}
