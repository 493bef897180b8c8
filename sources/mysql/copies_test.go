package mysql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// copy asks for a copy.
func (r *reader) copy(id, table string) {
	r.Helper()
	if err := r.source.Copy(r.Context(), pipeline.CopyRequest{ID: id, Table: r.name + "." + table}); err != nil {
		r.Fatal(err)
	}
}

// numbered gives n rows for VALUES, from 1 on.
func numbered(n int, format string) string {
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf(format, i+1))
	}
	return strings.Join(rows, ",")
}

// until reads until something was told of copies.
func (r *reader) until(told string) *reader {
	r.Helper()
	for !slices.Contains(r.copies, told) {
		if err := r.next(); err != nil {
			r.Fatalf("waiting for %q behind %v: %v; stopped are %v", told, r.copies, err, r.stops)
		}
	}
	return r
}

// A table is copied again on a server where nothing happens, and a table that stopped
// goes on from its copy on, in the shape that it has by then.
func TestCopyWhileIdle(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(20))", "CREATE TABLE b (id int, k enum('z','a') , v varchar(20), PRIMARY KEY (k, id))")
	d.do("INSERT INTO a VALUES "+numbered(500, "(%[1]d, 'v%[1]d')"), "INSERT INTO b SELECT id, if(id % 3 = 0, 'a', 'z'), v FROM a")
	c := d.config("a", "b")
	c.ChunkRows = 7
	r := d.open(c, pipeline.Resume{}).copied()
	clear(r.rows)
	r.copy("one", "a")
	r.copy("two", "b")
	r.until("a is done one").until("b is done two").equal("a")
	if len(r.rows["b"]) != 500 {
		t.Errorf("%d rows of b", len(r.rows["b"]))
	}
	r.copy("one", "a") // that was done
	d.do("ALTER TABLE a ADD COLUMN n int NOT NULL DEFAULT 5", "INSERT INTO a VALUES (1000, 'new', 6)")
	r.caught()
	if r.stops["a"] == nil {
		t.Fatal("a has not stopped")
	}
	from := r.place
	r.close()
	again := d.open(c, from).caught()
	again.copy("three", "a")
	again.until("a is done three").equal("a")
	d.do("UPDATE a SET n = 7 WHERE id = 1000")
	again.caught().equal("a")
	slices.Sort(r.copies)
	sameText(t, strings.Join(append(r.copies, again.copies...), ", "), "a begins one, a is done one, b begins two, b is done two, a begins three, a is done three")
}

// A table is copied while others write to it, in small chunks, with the source made
// anew in the middle: what was captured, folded by key, is the table.
func TestCopyUnderTraffic(t *testing.T) {
	t.Parallel()
	const seed = 11
	d := newDB(t)
	money := d.fill()
	end := d.traffic(seed, 3, turmoil)
	defer end()
	c := d.config("a")
	c.ChunkRows, c.BatchRows = 50, 30
	r := d.open(c, pipeline.Resume{}).copied()
	r.rows["a"] = map[string]string{"-1": "-1|0|of no row"} // as if it were wrong
	r.copy("first", "a")
	r.until("a begins first")
	for range 3 {
		for range 15 {
			if err := r.next(); err != nil {
				t.Fatal(err)
			}
		}
		r = r.reopen(c)
	}
	r.until("a is done first")
	if got := r.money(); got != money {
		t.Errorf("seed %d: where the copy is done the money is %d, not %d: that is no prefix of the log", seed, got, money)
	}
	end()
	r.caught().equal("a")
	if n := r.source.Stats().Snapshot; len(n) != 1 || !n[0].Done || n[0].Rows < 1000 {
		t.Errorf("progress is told as %v", n)
	}
	if told := strings.Join(r.copies, ", "); told != "a begins first, a is done first" {
		t.Errorf("seed %d: %s", seed, told)
	}
}

// Large tables of the first snapshot come in chunks behind its first place, and go on
// where they were when the source is made anew; small ones do not wait for them.
func TestChunkAboves(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.fill()
	end := d.traffic(12, 1, turmoil)
	defer end()
	c := d.config("a")
	c.ChunkAbove, c.ChunkRows, c.BatchRows = 1, 50, 30
	r := d.open(c, pipeline.Resume{}).copied()
	for r.reads["a"] < 1000 {
		if err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	again := r.reopen(c).until("a is done ")
	end()
	again.caught().equal("a")
	sameText(t, strings.Join(again.copies, ", "), "a begins , a is done ")
	if n := again.reads["a"]; n > 1300 {
		t.Errorf("%d rows were read behind the restart: it began from the beginning", n)
	}
}

// A chunk that was read far ahead of the stream comes behind everything that it has
// seen.
func TestChunkWaitsForTheStream(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.fill()
	c := d.config("a")
	c.ChunkAbove, c.SnapshotWorkers, c.QueueBatches, c.BatchRows = 1, 1, 1, 1
	read, calls := make(chan struct{}), atomic.Int32{}
	url, before := c.URL, int32(3) // to open, to place the snapshot, to stream; then for the chunk
	if d.locks() {
		before++
	}
	c.URL = func(ctx context.Context) (string, error) {
		if calls.Add(1) == before+1 {
			<-read
		}
		return url(ctx)
	}
	r, blocked := d.openWatched(c)
	r.copied()
	for i := range 20 {
		d.do(fmt.Sprintf("UPDATE a SET n = %d WHERE id = 1", i))
	}
	for !blocked.Load() { // the chunk would be taken by a stream that has nothing else to do
		runtime.Gosched()
	}
	close(read)
	for len(r.source.copies.here) == 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	for r.reads["a"] == 0 {
		if err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(r.told(), "u a 1|"); got != 20 {
		t.Errorf("the chunk came behind %d of the 20 transactions that it has seen", got)
	}
	r.until("a is done ").equal("a")
}

// What empties, changes or replaces the table while a chunk of it is read counts as it
// came to the log.
func TestDefinitionsInAWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		sql    []string
		copies string
	}{
		{"TRUNCATE", []string{"TRUNCATE TABLE a", "INSERT INTO a VALUES (7, 7, 'new')"}, "a begins , a is done "},
		{"a column that earlier rows follow", []string{"ALTER TABLE a ADD COLUMN w int NULL", "UPDATE a SET w = 3 WHERE id < 10"}, "a begins , a is done "},
		{"a column that earlier rows do not follow", []string{"ALTER TABLE a ADD COLUMN w int NOT NULL DEFAULT 3", "UPDATE a SET w = 4 WHERE id < 10"}, "a begins , a begins , a is done "},
		{"a definition that no row describes", []string{"ALTER TABLE a MODIFY v varchar(10) NOT NULL"}, "a begins , a begins , a is done "},
		{"another table of the name", []string{"DROP TABLE a", "CREATE TABLE a (id int primary key, w int)", "INSERT INTO a VALUES (1, 2)"}, "a begins , a begins , a is done "},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDB(t)
			d.fill()
			cfg := d.config("a")
			cfg.ChunkAbove, cfg.SnapshotWorkers, cfg.ChunkRows, cfg.QueueBatches = 1, 1, 100, 1
			r := d.open(cfg, pipeline.Resume{}).copied()
			for r.reads["a"] < 300 { // the queue is full then, and chunks lie between
				if err := r.next(); err != nil {
					t.Fatal(err)
				}
			}
			d.do(c.sql...)
			r.until("a is done ").caught().equal("a")
			sameText(t, strings.Join(r.copies, ", "), c.copies)
		})
	}
}

// Tables are copied in the order of their ranks, as a snapshot and in chunks.
func TestCopiesGoInOrder(t *testing.T) {
	t.Parallel()
	for _, chunks := range []int64{0, 1} {
		d := newDB(t)
		var done int
		for i, table := range []string{"a", "b", "c", "d"} {
			d.do("CREATE TABLE "+table+" (id int PRIMARY KEY)", "INSERT INTO "+table+" VALUES "+numbered(300*(4-i), "(%d)"))
		}
		c := d.config("a", "b", "c", "d")
		c.SnapshotWorkers, c.ChunkAbove, c.ChunkRows = 1, chunks, 100
		c.Rank = func(database, table string) int { return strings.Index("cadb", table) }
		r := d.reader(c, pipeline.Resume{})
		order := ""
		r.also = func(b pipeline.Batch) {
			for i := range b.Changes {
				if name := b.Changes[i].Table.Name; !strings.Contains(order, name) { // the next may begin while a chunk of one waits for the stream
					order += name
				}
			}
			for _, copied := range b.Copies {
				if copied.Done {
					done++
				}
			}
		}
		if err := r.source.Open(t.Context(), pipeline.Resume{}); err != nil {
			t.Fatal(err)
		}
		for r.copied(); done < 4*int(chunks); {
			if err := r.next(); err != nil {
				t.Fatal(err)
			}
		}
		if order != "cadb" {
			t.Errorf("chunks above %d: the order is %s", chunks, order)
		}
	}
}

// A table that goes while it is copied stops, and is copied when it is made anew, also by a
// source that was made anew meanwhile.
func TestGoneDuringItsCopy(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.fill()
	c := d.config("a")
	c.ChunkAbove, c.SnapshotWorkers, c.ChunkRows, c.QueueBatches, c.CopyTries = 1, 1, 100, 1, 2
	r := d.open(c, pipeline.Resume{}).copied()
	for r.reads["a"] < 300 { // the queue is full then, and chunks lie between
		if err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	d.do("DROP TABLE a")
	for r.stops["a"] == nil {
		if err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if code := r.stops["a"].Code; code != CodeTableMissing {
		t.Errorf("it stops with %s", code)
	}
	c.Named, c.Match = nil, func(database, table string) bool { return database == d.name && table == "a" }
	c.CopyTries = 0 // a snapshot may lack what the log has just told, as often as the server is busy
	r = r.reopen(c)
	d.do("CREATE TABLE a (id int primary key, w int)", "INSERT INTO a VALUES (1, 2)")
	r.until("a is done ").caught().equal("a")
}

// A table that is captured later is copied, and no other one is read for it.
func TestTablesThatComeLater(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES (1, 'x')", "CREATE TABLE b (id int primary key, v varchar(20))", "INSERT INTO b VALUES (1, 'x'), (2, 'y')")
	r := d.open(d.config("a"), pipeline.Resume{}).copied()
	d.do("INSERT INTO a VALUES (2, 'y')", "UPDATE b SET v = 'not captured yet'")
	r.caught()
	from := r.place
	r.close()
	d.do("DELETE FROM b WHERE id = 2", "INSERT INTO b VALUES (3, 'nobody reads')")
	later := d.open(d.config("a", "b"), from).until("b is done ")
	later.caught().equal("b")
	if later.reads["a"] != 0 || later.reads["b"] != 2 {
		t.Errorf("read were %v", later.reads)
	}
	c := d.config("a", "b")
	c.NoSnapshot = true
	d.do("INSERT INTO b VALUES (4, 'later')")
	later.close() // a server ends the older of two readers of the same name
	again := d.open(c, from).until("b is done ").caught()
	sameText(t, again.told(), "")
	again.close()
	fresh := d.open(c, pipeline.Resume{}).copied()
	d.do("INSERT INTO b VALUES (5, 'from now on')")
	sameText(t, fresh.caught().told(), "2.0 c b 5|from now on")
	if len(fresh.reads) != 0 {
		t.Errorf("without a snapshot rows were read: %v", fresh.reads)
	}
}

// A table is altered between the snapshot and the reading of its rows.
func TestAlteredDuringTheSnapshot(t *testing.T) {
	t.Parallel()
	t.Run("M24 error 1412", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES "+numbered(100, "(%d, 'x')"), "CREATE TABLE b (id int primary key, v varchar(20))", "INSERT INTO b VALUES "+numbered(9, "(%d, 'x')"))
		c := d.config("a", "b")
		c.SnapshotWorkers, c.QueueBatches, c.BatchRows = 1, 1, 1
		r := d.open(c, pipeline.Resume{})
		for len(r.rows["a"]) == 0 {
			if err := r.next(); err != nil {
				t.Fatal(err)
			}
		}
		d.do("ALTER TABLE b ADD COLUMN n int NOT NULL DEFAULT 7, FORCE", "DROP TABLE IF EXISTS nobody")
		r.copied().until("b is done ").caught().equal("b")
		r.equal("a")
		if got := r.rows["b"]["5"]; got != "5|x|7" {
			t.Errorf("row 5 of b is %q", got)
		}
	})
}

// gh-ost and pt-online-schema-change fill a table beside the one that they change, and put
// it in its place. It is copied, whatever rows it has.
func TestOnlineSchemaChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, ghost, aside, alter, where string
		copied                           bool
	}{
		{"M10 gh-ost adds a column that may be NULL", "_a_gho", "_a_del", "ADD COLUMN w int NULL", "true", true},
		{"M10 gh-ost adds a column with a default", "_a_gho", "_a_20260102030405_del", "ADD COLUMN w int NOT NULL DEFAULT 4", "true", true},
		{"M10 pt-online-schema-change changes the engine's form", "__a_new", "__a_old", "ROW_FORMAT = DYNAMIC", "true", true},
		{"M10 pt-online-schema-change leaves rows out", "_a_new", "_a_old", "ROW_FORMAT = DYNAMIC", "id > 40", true},
		{"M10 another table is put in its place", "fresh", "stale", "ADD COLUMN w int NULL", "true", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES "+numbered(50, "(%d, 'x')"))
			cfg := d.config()
			cfg.Match = func(database, table string) bool { return database == d.name && table != "fresh" && table != "stale" }
			r := d.open(cfg, pipeline.Resume{}).copied()
			d.do("CREATE TABLE "+c.ghost+" LIKE a", "ALTER TABLE "+c.ghost+" "+c.alter, "INSERT IGNORE INTO "+c.ghost+" (id, v) SELECT id, v FROM a WHERE "+c.where,
				"BEGIN", "UPDATE a SET v = 'during' WHERE id = 7", "REPLACE INTO "+c.ghost+" (id, v) SELECT id, v FROM a WHERE id = 7", "COMMIT",
				"RENAME /* the tool */ TABLE a TO "+c.aside+", "+c.ghost+" TO a", "UPDATE a SET v = 'after' WHERE id = 8", "INSERT INTO a (id, v) VALUES (100, 'after')")
			if r.caught(); !c.copied {
				if r.stops["a"] == nil {
					t.Fatal("a has not stopped")
				}
				r.copy("", "a")
			}
			r.until("a is done ")
			d.do("DROP TABLE "+c.aside, "DELETE FROM a WHERE id = 9")
			r.caught().equal("a")
			if len(r.rows) != 1 || len(r.stops) != 0 {
				t.Errorf("%d tables were captured, %v stopped", len(r.rows), r.stops)
			}
		})
	}
	t.Run("M10 nothing is to be copied", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE a (id int primary key)")
		c := d.config("a")
		c.NoSnapshot = true
		r := d.open(c, pipeline.Resume{}).copied()
		d.do("CREATE TABLE _a_new LIKE a", "RENAME TABLE a TO _a_old, _a_new TO a")
		if r.caught(); r.stops["a"] == nil || len(r.copies) > 0 {
			t.Errorf("stopped are %v, copied %v", r.stops, r.copies)
		}
	})
}

// Tables change their names in a circle, and a table is given a name that is captured.
func TestRenames(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(20))", "INSERT INTO a VALUES (1, 'a')", "CREATE TABLE b (id int primary key, v varchar(20))", "INSERT INTO b VALUES (1, 'b'), (2, 'b')",
		"CREATE TABLE elsewhere (id int primary key)", "INSERT INTO elsewhere VALUES (5)")
	c := d.config("a", "b")
	c.Match = func(database, table string) bool { return database == d.name && table == "c" }
	r := d.open(c, pipeline.Resume{}).copied()
	d.do("RENAME TABLE a TO x, x TO a", "INSERT INTO a VALUES (3, 'still a')", "RENAME TABLE elsewhere TO c")
	r.caught().until("c is done ").equal("c")
	r.equal("a")
	if len(r.stops) != 0 {
		t.Fatalf("%v stopped", r.stops)
	}
	d.do("RENAME TABLE a TO tmp, b TO a, tmp TO b")
	r.caught()
	if len(r.stops) != 2 {
		t.Fatalf("%v stopped, want a and b", r.stops)
	}
	r.copy("1", "a")
	r.copy("1", "b")
	r.until("a is done 1").until("b is done 1").caught().equal("a")
	r.equal("b")
}

// A chunk ends with a row whose key is another one in the table than where it is captured: a
// date of zeros, or the number 0 of an enum that has an empty label.
func TestCopyByKeysThatChange(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("SET sql_mode = ''", "CREATE TABLE a (d date, n int, PRIMARY KEY (d, n))", "CREATE TABLE b (l enum('z','','a'), n int, PRIMARY KEY (l, n))",
		"INSERT INTO a VALUES "+numbered(40, "(if(%[1]d < 20, '0000-00-00', '1960-05-05'), %[1]d)"),
		"INSERT INTO b VALUES "+numbered(60, "(elt(1 + %[1]d %% 4, 'none', '', 'z', 'a'), %[1]d)"))
	c := d.config("a", "b")
	c.ChunkRows, c.ZeroDates = 7, binlogvalue.ZeroEpoch
	r := d.open(c, pipeline.Resume{}).copied()
	for name, want := range map[string]int{"a": 40, "b": 60} {
		r.copy("M25", name)
		r.until(name + " is done M25")
		if n := len(r.rows[name]); n != want || r.reads[name] != 2*want {
			t.Errorf("%s: %d rows of %d, read %d times", name, n, want, r.reads[name])
		}
	}
}

// TestChunksThatAreMissed (MY_COPY): a chunk that cannot be merged is read again, smaller or
// later, and ends the copy in the end.
func TestChunksThatAreMissed(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key)")
	c := d.config("a")
	c.CopyTries = 3
	r := d.open(c, pipeline.Resume{}).copied()
	r.close() // what the owner had is the test's
	s := r.source
	rel := s.tables.find(TableName{d.name, "a"})
	of := s.copies.start(rel, keptCopy{Begun: true})
	of.limit = 2 * minChunkRows
	if err := s.copies.missed(of, &chunk{full: true, limit: of.limit}); err != nil || of.limit != minChunkRows || of.tries != 0 || !of.due.IsZero() {
		t.Errorf("after one with too many changes the next has %d rows, try %d (%v)", of.limit, of.tries, err)
	}
	for n, k := range []*chunk{{full: true, limit: of.limit}, {}, {}} { // two were read at one time
		k.try = min(n, 1)
		if err := s.copies.missed(of, k); err != nil || of.due.IsZero() || rel.stopped != nil {
			t.Errorf("it is not read again later: %v, %v", err, rel.stopped)
		}
	}
	_ = s.copies.missed(of, &chunk{altered: true, try: of.tries}) // nobody takes what it announces
	if rel.stopped == nil || rel.stopped.Code != CodeCopy || rel.stopped.Mend == "" {
		t.Errorf("after %d tries: %v", of.tries, rel.stopped)
	}
}

// traffic lets writers run transactions until the function that it gives is called, which
// may be more than once.
func (d *db) traffic(seed uint64, writers int, transaction func(*rand.Rand) []string) (end func()) {
	ctx, cancel := context.WithCancel(d.Context())
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			for ctx.Err() == nil {
				d.try(transaction(random)...)
			}
		})
	}
	return func() {
		cancel()
		group.Wait()
	}
}

// try runs statements that another writer may be in the way of.
func (d *db) try(sql ...string) {
	_, err := d.server.Exec(d.Context(), d.name, sql...)
	var said *mysql.MyError
	if err != nil && (!errors.As(err, &said) || said.Code != mysql.ER_LOCK_DEADLOCK) {
		d.Errorf("%v\n%s", err, strings.Join(sql, ";\n"))
	}
}

// The rows at both ends of the table have money, which only moves; those between have
// none, and come and go.
const (
	rich = 100
	last = 2000
)

// fill makes the table of the turmoil, with its money.
func (d *db) fill() (money int) {
	d.Helper()
	d.do("CREATE TABLE a (id int primary key, n int, v varchar(100))", "INSERT INTO a VALUES "+numbered(last, "(%d, 0, 'x')"),
		fmt.Sprintf("UPDATE a SET n = 1000 WHERE id <= %d OR id > %d", rich, last-rich))
	return 2 * rich * 1000
}

// turmoil is a transaction of random changes: rows come, go, change and move, and money
// goes from one end of the table to the other.
func turmoil(random *rand.Rand) []string {
	some := func() int { return rich + 1 + random.IntN(last-2*rich) }
	sql := []string{
		"BEGIN", fmt.Sprintf("UPDATE a SET n = n - 7 WHERE id = %d", 1+random.IntN(rich)), fmt.Sprintf("UPDATE a SET n = n + 7 WHERE id = %d", last-random.IntN(rich)),
	}
	for range 1 + random.IntN(3) {
		switch random.IntN(5) {
		case 0:
			sql = append(sql, fmt.Sprintf("DELETE FROM a WHERE id = %d", some()))
		case 1:
			sql = append(sql, fmt.Sprintf("UPDATE IGNORE a SET id = %d WHERE id = %d", some(), some()))
		case 2:
			id := some()
			sql = append(sql, fmt.Sprintf("UPDATE a SET v = 'u%d' WHERE id BETWEEN %d AND %d", random.IntN(1000), id, id+5))
		default:
			sql = append(sql, fmt.Sprintf("REPLACE INTO a VALUES (%d, 0, 'r%d')", some(), random.IntN(1000)))
		}
	}
	return append(sql, "COMMIT")
}

// money is what the rows of table a have together, as they were captured.
func (r *reader) money() (sum int) {
	for _, row := range r.rows["a"] {
		var id, n int
		_, _ = fmt.Sscanf(row, "%d|%d", &id, &n)
		sum += n
	}
	return sum
}

// TestCopyStoresNoHiddenKey (X12): how far a copy is lies in the log, where a key that
// something behind the source masks must not be. Such a copy begins again after a
// restart, and is whole in the end.
func TestCopyStoresNoHiddenKey(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE a (mail varchar(40) primary key, n int)", "INSERT INTO a VALUES "+numbered(300, "('keycanary%04[1]d@x', %[1]d)"))
	for _, hidden := range []bool{false, true} {
		c := d.config("a")
		c.ChunkRows = 20
		c.Hidden = func(database, table string) bool { return hidden && table == "a" && database == d.name }
		r := d.open(c, pipeline.Resume{}).copied()
		stored := false
		r.also = func(b pipeline.Batch) {
			if b.End != nil {
				text := strings.ToLower(string(b.End.State))
				stored = stored || strings.Contains(text, "keycanary") || strings.Contains(text, fmt.Sprintf("%x", "keycanary"))
			}
		}
		clear(r.rows)
		r.copy("again", "a")
		r.until("a begins again")
		for r.reads["a"] < 100 {
			if err := r.next(); err != nil {
				t.Fatal(err)
			}
		}
		r = r.reopen(c)
		r.until("a is done again").equal("a")
		if stored == hidden {
			t.Errorf("hidden %t: the key was stored: %t", hidden, stored)
		}
		r.close()
	}
}
