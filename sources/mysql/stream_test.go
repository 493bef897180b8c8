package mysql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// same compares printed changes.
func sameText(t *testing.T, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Four snapshots at four places, taken while writers run at full speed: what they saw
// is evened out, and the first position is a prefix of the log.
func TestSnapshotUnderTraffic(t *testing.T) {
	t.Parallel()
	t.Run("M23 X04 no lock, no RELOAD, no right but those to read and to replicate", func(t *testing.T) {
		d := newDB(t)
		var sql []string
		for i := range 6 {
			sql = append(sql, fmt.Sprintf("CREATE TABLE t%d (id int primary key, n int, v varchar(100))", i),
				fmt.Sprintf("INSERT INTO t%d SELECT seq, seq, repeat('x', 50) FROM (SELECT a.n*100+b.n*10+c.n+1 seq FROM d a JOIN d b JOIN d c) x", i))
		}
		d.do(append([]string{"CREATE TABLE d (n int primary key)", "INSERT INTO d VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)"}, sql...)...)
		end := d.traffic(7, 3, transfer)
		defer end()
		c := d.config("t0", "t1", "t2", "t3", "t4", "t5")
		c.URL = d.leastRights()
		c.SnapshotWorkers, c.PieceRows, c.BatchRows = 4, 200, 100
		r := d.open(c, pipeline.Resume{}).copied()
		sum := 0
		for i := range 6 {
			for _, row := range r.rows[fmt.Sprintf("t%d", i)] {
				var id, n int
				_, _ = fmt.Sscanf(row, "%d|%d", &id, &n)
				sum += n
			}
		}
		if want := 6 * 500500; sum != want {
			t.Errorf("at the first position the money is %d, not %d: it is no prefix of the log", sum, want)
		}
		end()
		r.caught()
		for i := range 6 {
			r.equal(fmt.Sprintf("t%d", i))
		}
	})
}

// transfer moves money between two rows, and now and then makes and deletes one of
// nothing.
func transfer(random *rand.Rand) []string {
	a, b := fmt.Sprintf("t%d", random.IntN(6)), fmt.Sprintf("t%d", random.IntN(6))
	if b < a {
		a, b = b, a // the order of locks
	}
	id := 2000 + random.IntN(1000)
	return []string{
		"BEGIN",
		fmt.Sprintf("UPDATE %s SET n = n - 7 WHERE id = %d", a, 1+random.IntN(500)),
		fmt.Sprintf("UPDATE %s SET n = n + 7 WHERE id = %d", b, 501+random.IntN(500)),
		fmt.Sprintf("REPLACE INTO %s VALUES (%d, 0, 'new')", b, id),
		fmt.Sprintf("DELETE FROM %s WHERE id = %d", b, 2000+random.IntN(1000)),
		"COMMIT",
	}
}

// One statement of many rows is one event of many rows: a source opened again at any
// place inside gives exactly the rest.
func TestResumeInsideAnEvent(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE items (id int primary key, v varchar(20))")
	c := d.config("items")
	c.BatchRows = 7
	r := d.open(c, pipeline.Resume{}).copied()
	first := r.place
	var rows []string
	for i := range 100 {
		rows = append(rows, fmt.Sprintf("(%d,'v%d')", i, i))
	}
	d.do("BEGIN", "INSERT INTO items VALUES "+strings.Join(rows, ","), "UPDATE items SET v = 'w' WHERE id < 10", "COMMIT", "INSERT INTO items VALUES (1000, 'last')")
	r.caught()
	want, ends := r.log, append([]pipeline.Resume{first}, r.ends...)
	r.close()
	if len(want) != 111 {
		t.Fatalf("%d changes", len(want))
	}
	t.Run("M17 M18", func(t *testing.T) {
		d := d.under(t)
		seen := 0
		for _, end := range ends {
			if end.At.Seq == 1 {
				seen = int(end.Rows)
			} else if end.At.Seq == 2 {
				seen = 110
			} else {
				seen = 111
			}
			again := d.open(c, end).caught()
			sameText(t, again.told(), strings.Join(want[seen:], "\n"))
			again.close()
		}
	})
}

// Statements of every kind arrive as the rows that they changed.
func TestStatements(t *testing.T) { // not beside others: a prepared XA transaction holds up every copy from the server
	for _, c := range []struct {
		name  string
		sql   []string
		want  string
		maria bool // of MariaDB alone
	}{
		{"M35 REPLACE, ON DUPLICATE KEY, updates of several tables", []string{
			"INSERT INTO a VALUES (1,'x'),(2,'y')", "REPLACE INTO a VALUES (1,'z')", "INSERT INTO a VALUES (2,'q') ON DUPLICATE KEY UPDATE v = 'dup'",
			"INSERT INTO b VALUES (1,'b')", "UPDATE a JOIN b ON a.id = b.id SET a.v = 'm', b.v = 'n'", "DELETE a, b FROM a JOIN b ON a.id = b.id",
		}, "2.0 c a 1|x\n2.1 c a 2|y\n3.0 u a 1|z\n4.0 u a 2|dup\n5.0 c b 1|b\n6.0 u b 1|n\n6.1 u a 1|m\n7.0 d b 1|n\n7.1 d a 1|m", false},
		{"M35 a table made of a query, and rows that go back", []string{
			"INSERT INTO a VALUES (1,'x')", "CREATE TABLE c AS SELECT * FROM a", "BEGIN", "INSERT INTO a VALUES (5,'gone')", "ROLLBACK", "BEGIN", "INSERT INTO a VALUES (6,'stays')",
			"SAVEPOINT s", "INSERT INTO a VALUES (7,'gone')", "ROLLBACK TO s", "COMMIT",
		}, "2.0 c a 1|x\n3.0 c a 6|stays", false},
		{"M08 TRUNCATE", []string{"INSERT INTO a VALUES (1,'x')", "TRUNCATE TABLE `a`", "INSERT INTO a VALUES (2,'y')"}, "2.0 c a 1|x\n3.0 t a\n4.0 c a 2|y", false},
		{"M12 a table that cannot roll back", []string{"CREATE TABLE m (id int primary key) ENGINE=MyISAM", "BEGIN", "INSERT INTO a VALUES (1,'x')", "INSERT INTO m VALUES (1)", "ROLLBACK", "INSERT INTO a VALUES (2,'y')"}, "2.0 c a 2|y", true},
		{"M14 compressed rows", []string{"SET GLOBAL log_bin_compress = ON", "INSERT INTO a VALUES (1, repeat('x', 15)), (2, repeat('y', 15)), (3, repeat('z', 15)), (4, repeat('x', 15)), (5, repeat('x', 15))", "SET GLOBAL log_bin_compress = OFF"},
			"2.0 c a 1|xxxxxxxxxxxxxxx\n2.1 c a 2|yyyyyyyyyyyyyyy\n2.2 c a 3|zzzzzzzzzzzzzzz\n2.3 c a 4|xxxxxxxxxxxxxxx\n2.4 c a 5|xxxxxxxxxxxxxxx", true},
		{"M38 sequences", []string{"CREATE SEQUENCE s", "SELECT nextval(s)", "INSERT INTO a VALUES (1,'x')"}, "2.0 c a 1|x", true},
		{"M05 an update that names what it changed alone", []string{"INSERT INTO b VALUES (1,'b')", "SET binlog_row_image = 'MINIMAL'", "UPDATE b SET v = 'c'", "DELETE FROM b"}, "2.0 c b 1|b\n3.0 u b 1|c\n4.0 d b 1|?", false},
		{"M13 XA: rows come at their commit", []string{
			"XA START 'x'", "INSERT INTO a VALUES (1,'xa')", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'",
			"XA START 'y','b',7", "INSERT INTO a VALUES (2,'gone')", "XA END 'y','b',7", "XA PREPARE 'y','b',7", "XA ROLLBACK 'y','b',7",
			"XA START 'z'", "INSERT INTO a VALUES (3,'one')", "XA END 'z'", "XA COMMIT 'z' ONE PHASE",
		}, "2.0 c a 1|xa\n3.0 c a 3|one", false},
		{"M09 columns come and go", []string{
			"INSERT INTO a VALUES (1,'x')", "ALTER TABLE a ADD COLUMN w int NULL FIRST", "INSERT INTO a VALUES (9, 2, 'y')", "ALTER TABLE a DROP COLUMN v", "INSERT INTO a VALUES (8, 3)",
		}, "2.0 c a 1|x\n3.0 c a 9|2|y\n4.0 c a 8|3", false},
		{"M27 M09 labels come", []string{"ALTER TABLE b ADD e enum('a','b') NULL", "INSERT INTO b VALUES (1,'x','b')", "ALTER TABLE b MODIFY e enum('a','b','c') NULL", "INSERT INTO b VALUES (2,'x','c')"}, "2.0 c b 1|x|b\n3.0 c b 2|x|c", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDB(t)
			if c.maria && !d.mariaDB() {
				return // not of this server
			}
			d.do("CREATE TABLE a (id int primary key, v varchar(20))", "CREATE TABLE b (id int primary key, v varchar(20))")
			r := d.open(d.config("a", "b"), pipeline.Resume{}).copied()
			from := r.place
			d.do(c.sql...)
			sameText(t, r.caught().told(), c.want)
			r.close()
			again := d.open(d.config("a", "b"), from) // every shape is that of its place, also today
			sameText(t, again.caught().told(), c.want)
		})
	}
}

// What the log does not say stops the table, with what mends it, and no other one; a
// restart does not bring it back.
func TestStops(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code, what string
		sql              []string
	}{
		{"M06 a session with binlog_format=STATEMENT", "MY_STATEMENT", "STATEMENT", []string{"SET binlog_format = 'STATEMENT'", "INSERT INTO a VALUES (1, 'x')"}},
		{"M08 a partition is dropped", "MY_TABLE_CHANGED", "drop partition", []string{"ALTER TABLE p DROP PARTITION p0"}},
		{"M08 a partition is emptied", "MY_TABLE_CHANGED", "truncate partition", []string{"ALTER TABLE p TRUNCATE PARTITION p0"}},
		{"M08 a table is dropped", "MY_TABLE_CHANGED", "dropped", []string{"DROP TABLE a"}},
		{"M07 a foreign key that cascades is added", "MY_CASCADE", "by itself", []string{"CREATE TABLE parents (id int primary key)", "ALTER TABLE a ADD COLUMN p int NULL, ADD FOREIGN KEY (p) REFERENCES parents (id) ON UPDATE CASCADE ON DELETE SET NULL"}},
		{"M10 ALTER TABLE … RENAME", "MY_TABLE_CHANGED", "renamed", []string{"ALTER TABLE a RENAME TO a2"}},
		{"M09 a column with a default", "MY_TABLE_CHANGED", "default", []string{"ALTER TABLE a ADD COLUMN n int NULL DEFAULT 5", "INSERT INTO a VALUES (1, 'x', 1)"}},
		{"M09 a column that is NOT NULL", "MY_TABLE_CHANGED", "NOT NULL", []string{"ALTER TABLE a ADD COLUMN n int NOT NULL", "INSERT INTO a VALUES (1, 'x', 1)"}},
		{"M09 a column is renamed", "MY_TABLE_CHANGED", "renamed", []string{"ALTER TABLE a CHANGE v w varchar(20)", "INSERT INTO a VALUES (1, 'x')"}},
		{"M09 a column's type changes", "MY_TABLE_CHANGED", "another", []string{"ALTER TABLE a MODIFY v int", "INSERT INTO a VALUES (1, 2)"}},
		{"M27 labels change places", "MY_TABLE_CHANGED", "another type", []string{"ALTER TABLE e MODIFY l enum('b','a')", "INSERT INTO e VALUES (1, 'a')"}},
		{"M25 a date of zeros in a column that is NOT NULL", "MY_ZERO_DATE", "calendar", []string{"SET sql_mode = ''", "INSERT INTO z VALUES (1, '0000-00-00')"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE a (id int primary key, v varchar(20))", "CREATE TABLE p (id int primary key) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))",
				"CREATE TABLE e (id int primary key, l enum('a','b'))", "CREATE TABLE z (id int primary key, d date not null)", "CREATE TABLE other (id int primary key, v varchar(20))")
			r := d.open(d.config("a", "p", "e", "z", "other"), pipeline.Resume{}).copied()
			d.do(c.sql...)
			d.do("INSERT INTO other VALUES (1, 'goes on')")
			r.caught()
			if len(r.stops) != 1 {
				t.Fatalf("%d tables stopped", len(r.stops))
			}
			for name, refusal := range r.stops {
				if string(refusal.Code) != c.code || !strings.Contains(refusal.Error(), c.what) || refusal.Mend == "" || refusal.Where != d.name+"."+name {
					t.Errorf("got %v; want %s about %s", refusal, c.code, c.what)
				}
			}
			r.equal("other")
			from, stops := r.place, r.stops
			r.close()
			d.do("INSERT INTO other VALUES (2, 'after a restart')")
			again := d.open(d.config("a", "p", "e", "z", "other"), from).caught()
			sameText(t, again.told(), "3.0 c other 2|after a restart")
			for name, was := range stops {
				if is := again.stops[name]; is == nil || is.Error() != was.Error() {
					t.Errorf("behind a restart %s stopped with %v, want %v", name, is, was)
				}
			}
		})
	}
}

// An XA transaction is prepared before its table is copied, and commits behind that: the
// copy does not see its rows, and they win.
func TestXAInAWindow(t *testing.T) { // not beside others: a prepared XA transaction holds up every copy from the server
	t.Run("M13 prepared before a copy and committed behind it", func(t *testing.T) {
		d := newDB(t)
		if d.locks() {
			return // the copy waits for the end of the transaction, which holds its tables
		}
		d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES "+numbered(30, "(%d, 'x')"))
		c := d.config("a")
		c.ChunkRows = 10
		r := d.open(c, pipeline.Resume{}).copied()
		name := "'" + d.name + "'"
		d.prepare(name, "UPDATE a SET v = 'xa' WHERE id < 20", "INSERT INTO a VALUES (100, 'xa')")
		r.copy("one", "a")
		r.until("a is done one")
		if got := r.rows["a"]["5"]; got != "5|x" {
			t.Errorf("before the commit row 5 is %q", got)
		}
		again := r.reopen(c)
		d.do("XA COMMIT " + name)
		again.caught().equal("a")
	})
}

// The rows of an XA transaction come in several batches, and the source is made anew between
// two of them: the place there needs the rows that lie before its PREPARE.
func TestXAInParts(t *testing.T) { // not beside others: a prepared XA transaction holds up every copy from the server
	t.Run("M13 a start among the rows of a commit", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key, v varchar(20))")
		c := d.config("a")
		c.BatchRows = 10
		r := d.open(c, pipeline.Resume{}).copied()
		name := "'" + d.name + "'"
		d.prepare(name, "INSERT INTO a VALUES "+numbered(200, "(%d, 'xa')"))
		d.do("INSERT INTO a VALUES (-1, 'between')", "XA COMMIT "+name)
		for range 2 {
			for was := r.place.Rows; r.place.Rows == was; {
				if err := r.next(); err != nil {
					t.Fatal(err)
				}
			}
			r = r.reopen(c)
		}
		r.caught().equal("a")
		d.do("INSERT INTO a VALUES (-2, 'behind')")
		r.reopen(c).caught().equal("a")
	})
}

// An XA transaction is prepared; the source goes; it comes back and the transaction
// commits: its rows are there once, wherever it was opened.
func TestXAOverARestart(t *testing.T) { // not beside others: a prepared XA transaction holds up every copy from the server
	t.Run("M13 a start between PREPARE and COMMIT", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key, v varchar(20))")
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		name := "'" + d.name + "'"
		d.prepare(name, "INSERT INTO a VALUES (1,'xa'), (2, 'xa')")
		d.do("INSERT INTO a VALUES (3,'between')")
		r.caught()
		sameText(t, r.told(), "2.0 c a 3|between")
		from := r.place
		r.close()
		again := d.open(d.config("a"), from)
		d.do("INSERT INTO a VALUES (4,'later')", "XA COMMIT "+name)
		again.caught()
		sameText(t, again.told(), "3.0 c a 4|later\n4.0 c a 1|xa\n4.1 c a 2|xa")
		after := again.place
		again.close()
		d.do("INSERT INTO a VALUES (5,'last')")
		again = d.open(d.config("a"), after).caught()
		sameText(t, again.told(), "5.0 c a 5|last")
		again.close() // a server ends the older of two readers of the same name
		sameText(t, d.open(d.config("a"), from).caught().told(), "3.0 c a 4|later\n4.0 c a 1|xa\n4.1 c a 2|xa\n5.0 c a 5|last")
	})
}
