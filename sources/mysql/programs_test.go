package mysql

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
)

// Random programs of DDL and DML run while a source reads, is made anew at random
// places (also long behind the definitions that the server has by then), and is asked for
// copies. What stops is copied, as on_table_error: resnapshot does. In the end what was
// captured, folded by key, is every table.
func TestPrograms(t *testing.T) { // not beside others: a prepared XA transaction holds up every copy from the server
	runs := 1
	if n, err := strconv.Atoi(os.Getenv("EVERT_CRASH_RUNS")); err == nil {
		runs = n
	}
	seed := rand.Uint64() >> 16
	if n, err := strconv.ParseUint(os.Getenv("EVERT_SEED"), 10, 64); err == nil {
		seed = n
	}
	for i := range runs {
		seed := seed + uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("seed %d; replay: EVERT_SEED=%d go test -run TestPrograms ./sources/mysql", seed, seed)
			p := &program{db: newDB(t), random: rand.New(rand.NewPCG(seed, 0)), extra: map[string][]string{}, fold: held{}}
			p.run(60)
		})
	}
}

// A program is what was done so far.
type program struct {
	*db
	random *rand.Rand
	extra  map[string][]string // the columns of each table, besides id and v
	count  int
	r      *reader
	fold   held
	asked  int
}

// held is rows as they were captured: by table, by key, by column.
type held map[string]map[string]map[string]string

func (p *program) run(steps int) {
	for _, name := range []string{"t0", "t1", "t2"} {
		p.make(name)
	}
	p.do("CREATE TABLE t3 (id int primary key, v varchar(40)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (20), PARTITION p1 VALUES LESS THAN (1000))")
	p.extra["t3"] = nil
	for range 5 {
		p.change()
	}
	c := p.config()
	c.Match = func(database, table string) bool { return database == p.name && table[0] == 't' }
	c.ChunkRows, c.BatchRows, c.SnapshotWorkers = 7, 5, 1+p.random.IntN(6)
	if p.random.IntN(2) == 0 {
		c.ChunkAbove = 1
	}
	p.r = p.open(c, pipeline.Resume{})
	p.r.also = p.fold.take
	p.r.copied()
	for range steps {
		p.step(c)
	}
	p.finish()
}

// step changes something, or lets the reader do something.
func (p *program) step(c Config) {
	switch n := p.random.IntN(20); {
	case n < 11:
		p.change()
	case n < 15:
		p.define()
	case n < 17:
		p.r.caught()
	case n < 19:
		p.r = p.r.reopen(c)
	default:
		p.ask(p.pick())
	}
}

// ask asks for a copy; the table may be gone by now.
func (p *program) ask(table string) {
	p.asked++
	err := p.r.source.Copy(p.Context(), pipeline.CopyRequest{ID: fmt.Sprint(p.asked), Table: p.name + "." + table})
	if err != nil {
		p.Fatal(err)
	}
}

// finish copies what has stopped until nothing has, and compares.
func (p *program) finish() {
	for {
		p.r.caught()
		st, err := decodeState(p.r.place.State)
		if err != nil {
			p.Fatal(err)
		}
		gone := func(t TableName) bool {
			return !p.has(t.Table) || slices.ContainsFunc(st.Stopped, func(s stop) bool { return s.TableName == t })
		}
		if slices.ContainsFunc(st.Copies, func(k keptCopy) bool { return !k.Done }) || slices.ContainsFunc(st.Altered, func(t keptAlter) bool { return !gone(t.TableName) }) {
			if err := p.r.next(); err != nil {
				p.Fatalf("waiting for %+v and %v, stopped %+v: %v", st.Copies, st.Altered, st.Stopped, err)
			}
			continue
		}
		again := false
		for _, s := range st.Stopped {
			if p.has(s.Table) {
				p.Logf("%s has stopped: %s", s.Table, s.What)
				p.ask(s.Table)
				p.r.until(s.Table + " is done " + fmt.Sprint(p.asked))
				again = true
			}
		}
		if !again {
			break
		}
	}
	for table := range p.extra {
		p.compare(table)
	}
}

func (p *program) has(table string) bool {
	_, ok := p.extra[table]
	return ok
}

func (p *program) compare(table string) {
	columns := append([]string{"id", "v"}, p.extra[table]...)
	for i, c := range columns {
		columns[i] = "coalesce(" + c + ", 'NULL')"
	}
	want, err := p.session().query(p.Context(), "SELECT "+strings.Join(columns, ", ")+" FROM "+quoteName(p.name)+"."+table)
	if err != nil {
		p.Fatal(err)
	}
	if len(want) != len(p.fold[table]) {
		p.Errorf("%s: %d rows were captured, the table has %d", table, len(p.fold[table]), len(want))
	}
	for _, row := range want {
		got := p.fold[table][row[0]]
		for i, c := range append([]string{"id", "v"}, p.extra[table]...) {
			if have, ok := got[c]; have != row[i] && (ok || row[i] != "NULL") {
				p.Errorf("%s, row %s: %s was captured as %q, the table has %q", table, row[0], c, have, row[i])
				return
			}
		}
	}
}

// take folds a batch.
func (f held) take(b pipeline.Batch) {
	for i := range b.Changes {
		c := &b.Changes[i]
		rows := f[c.Table.Name]
		if rows == nil {
			rows = map[string]map[string]string{}
			f[c.Table.Name] = rows
		}
		if c.Op == pipeline.Truncate {
			clear(rows)
		}
		if c.Op == pipeline.Delete || c.KeyChanged() {
			delete(rows, printKey(c.Table, c.Before))
		}
		if c.After == nil {
			continue
		}
		row := map[string]string{}
		for i, col := range c.Table.Columns {
			row[col.Name] = "NULL"
			if !c.After[i].IsNull() {
				row[col.Name] = string(col.Type.AppendText(nil, c.After[i]))
			}
		}
		rows[printKey(c.Table, c.After)] = row
	}
	for _, c := range b.Copies {
		if !c.Done {
			clear(f[c.Table.Name]) // every key comes again before it is done, or is gone
		}
	}
}

func (p *program) make(name string) {
	p.do("CREATE TABLE " + name + " (id int primary key, v varchar(40))")
	p.extra[name] = nil
}

func (p *program) pick() string {
	names := slices.Sorted(maps.Keys(p.extra))
	return names[p.random.IntN(len(names))]
}

func (p *program) next() int {
	p.count++
	return p.count
}

// change is a transaction of random changes of rows.
func (p *program) change() {
	begin, end := []string{"BEGIN"}, []string{[]string{"COMMIT", "COMMIT", "COMMIT", "ROLLBACK"}[p.random.IntN(4)]}
	if p.random.IntN(6) == 0 {
		x := fmt.Sprintf("'%s-%d'", p.name, p.next())
		begin, end = []string{"XA START " + x}, []string{"XA END " + x, "XA PREPARE " + x, []string{"XA COMMIT ", "XA ROLLBACK "}[p.random.IntN(2)] + x}
	}
	sql := begin
	for range 1 + p.random.IntN(5) {
		sql = append(sql, p.statement(p.pick()))
	}
	p.do(append(sql, end...)...)
}

func (p *program) statement(t string) string {
	id, n := 1+p.random.IntN(40), p.next()
	set := fmt.Sprintf("v = 'u%d'", n)
	if extra := p.extra[t]; len(extra) > 0 && p.random.IntN(2) == 0 {
		set = fmt.Sprintf("%s = %d", extra[p.random.IntN(len(extra))], n)
	}
	switch p.random.IntN(6) {
	case 0:
		return fmt.Sprintf("DELETE FROM %s WHERE id BETWEEN %d AND %d", t, id, id+p.random.IntN(4))
	case 1:
		return fmt.Sprintf("UPDATE IGNORE %s SET id = %d WHERE id = %d", t, 1+p.random.IntN(40), id)
	case 2:
		return fmt.Sprintf("UPDATE %s SET %s WHERE id BETWEEN %d AND %d", t, set, id, id+8)
	case 3:
		return fmt.Sprintf("INSERT INTO %s (id, v) VALUES (%d, 'i%d'), (%d, 'i%d') ON DUPLICATE KEY UPDATE %s", t, id, n, id+1, n, set)
	}
	return fmt.Sprintf("REPLACE INTO %s (id, v) VALUES (%d, 'r%d')", t, id, n)
}

// define changes what a table is.
func (p *program) define() {
	t := p.pick()
	column := fmt.Sprint("c", p.next())
	other := p.pick()
	switch p.random.IntN(14) {
	case 0:
		p.alter(t, "ADD COLUMN "+column+" int NULL", column)
	case 1:
		p.alter(t, "ADD COLUMN "+column+" int NULL FIRST", column)
	case 2:
		p.alter(t, "ADD COLUMN "+column+" int NOT NULL DEFAULT 7", column)
	case 3:
		p.dropColumn(t)
	case 4:
		p.renameColumn(t, column)
	case 5:
		p.do("ALTER TABLE " + t + fmt.Sprintf(" MODIFY v varchar(%d)", 40+p.count))
	case 6:
		p.do("TRUNCATE TABLE " + t)
	case 7:
		p.do("DROP TABLE " + t)
		p.make(t)
	case 8:
		p.swap(t, "_gho", "_del", "ADD COLUMN "+column+" int NULL", column)
	case 9:
		p.swap(t, "_new", "_old", "ADD COLUMN "+column+" int NOT NULL DEFAULT 9", column)
	case 10:
		if t != other {
			p.do("RENAME TABLE " + t + " TO x, " + other + " TO " + t + ", x TO " + other)
			p.extra[t], p.extra[other] = p.extra[other], p.extra[t]
		}
	case 11:
		p.do("RENAME TABLE "+t+" TO away", "CREATE TABLE "+t+" (id int primary key) AS SELECT id, v FROM away", "DROP TABLE away")
		p.extra[t] = nil
	case 12:
		made := fmt.Sprint("t", p.next()+10)
		p.do("CREATE TABLE " + made + " LIKE " + t)
		p.extra[made] = slices.Clone(p.extra[t])
	default:
		p.tryPartition()
	}
}

func (p *program) alter(t, how, column string) {
	p.do("ALTER TABLE " + t + " " + how)
	p.extra[t] = append(slices.Clone(p.extra[t]), column)
}

func (p *program) dropColumn(t string) {
	if extra := p.extra[t]; len(extra) > 0 {
		i := p.random.IntN(len(extra))
		p.do("ALTER TABLE " + t + " DROP COLUMN " + extra[i])
		p.extra[t] = slices.Delete(slices.Clone(extra), i, i+1)
	}
}

func (p *program) renameColumn(t, column string) {
	if extra := p.extra[t]; len(extra) > 0 {
		p.do("ALTER TABLE " + t + " RENAME COLUMN " + extra[0] + " TO " + column)
		p.extra[t] = append(slices.Clone(extra[1:]), column)
	}
}

// swap is an online schema change.
func (p *program) swap(t, ghost, aside, how, column string) {
	ghost, aside = "_"+t+ghost, "_"+t+aside
	columns := strings.Join(append([]string{"id", "v"}, p.extra[t]...), ", ")
	p.do("CREATE TABLE "+ghost+" LIKE "+t, "ALTER TABLE "+ghost+" "+how, "INSERT INTO "+ghost+" ("+columns+") SELECT "+columns+" FROM "+t,
		"RENAME TABLE "+t+" TO "+aside+", "+ghost+" TO "+t, "DROP TABLE "+aside)
	p.extra[t] = append(slices.Clone(p.extra[t]), column)
}

// tryPartition empties a partition of a table, if it has any.
func (p *program) tryPartition() {
	_, err := p.server.Exec(p.Context(), p.name, "ALTER TABLE "+p.pick()+" TRUNCATE PARTITION p0")
	var said *mysql.MyError
	if err != nil && !errors.As(err, &said) {
		p.Fatal(err)
	}
}
