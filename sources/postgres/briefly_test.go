package postgres

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// hasRow reports a batch with a change of a table.
func hasRow(table string) func(b pipeline.Batch) bool {
	return func(b pipeline.Batch) bool {
		return slices.ContainsFunc(b.Changes, func(c pipeline.Change) bool { return c.Table.Name == table })
	}
}

// locked holds the lock of a table until the test lets it go.
func locked(t *testing.T, d *db, table string) *db {
	holder := dbAt(t, d.url)
	holder.do("BEGIN; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", table)
	return holder
}

// Who holds the lock of a table holds up nobody but its own copy.
func TestALockHoldsUpOneCopyAlone(t *testing.T) {
	t.Parallel()
	t.Run("that is to begin", func(t *testing.T) {
		d := newDB(t)
		d.do(tableOfT + "; CREATE TABLE u (id int PRIMARY KEY)")
		r := open(t, chunked(d, 20), pipeline.Resume{})
		f := newFold(t, r)
		r.each("0/1", f.take)
		holder := locked(t, d, "t")
		r.copyIt("one")
		eventually(t, "the copy to wait", func() bool { return d.get(waitsForLock) != "0" })
		d.do("ALTER TABLE u ADD COLUMN n int; INSERT INTO u VALUES (1, 1)") // its shape is asked for
		r.until(hasRow("u"))
		holder.do("ROLLBACK")
		f.until(1)
		f.is(d, r.tables[0], rowsOfT)
	})
	t.Run("that locks the root and then its partitions, and is not cut off by the server", func(t *testing.T) {
		d := newDB(t)
		if d.major() < 13 {
			return // partitions are published under their own names there
		}
		d.do(partitionedT)
		r := open(t, chunked(d, 20), pipeline.Resume{})
		f := newFold(t, r)
		r.each("0/1", f.take)
		holder := locked(t, d, "ONLY t")
		r.copyIt("one")
		eventually(t, "the copy to wait", func() bool { return d.get(waitsForLock) != "0" })
		holder.do("LOCK TABLE ONLY t1, ONLY t2 IN ACCESS EXCLUSIVE MODE NOWAIT; ROLLBACK")
		f.until(1)
		f.is(d, r.tables[0], "SELECT id || '|' || v FROM t")
	})
	t.Run("that is in progress, with a full window", func(t *testing.T) {
		d := newDB(t)
		if d.major() < 13 {
			return // partitions are published under their own names there
		}
		d.do(`CREATE TABLE t (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
			CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10000); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10000) TO (20000);
			INSERT INTO t SELECT g, 0 FROM generate_series(1, 3000) g; CREATE TABLE u (id int PRIMARY KEY)`)
		c := chunked(d, 20)
		c.QueueBatches, c.WindowTransactions = 1, 10
		r := open(t, c, pipeline.Resume{})
		f := newFold(t, r)
		take := func(b pipeline.Batch) { f.takeOf(b, "t") }
		r.each("0/1", take)
		r.copyIt("one")
		for f.reads < 3060 {
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			take(b)
		}
		holder := locked(t, d, "t1")
		for i := range 30 {
			d.do("INSERT INTO t2 VALUES (%d, 1)", 10000+i)
		}
		d.do("INSERT INTO u VALUES (1)")
		r.until(func(b pipeline.Batch) bool { take(b); return hasRow("u")(b) })
		holder.do("ROLLBACK")
		for f.done < 1 {
			b, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			take(b)
		}
		f.is(d, f.table, "SELECT id || '|' || v FROM t")
	})
	t.Run("I5 a row that is read again waits for its table", func(t *testing.T) {
		d := newDB(t)
		d.do(tableOfT)
		r := open(t, d.config(), pipeline.Resume{})
		f := newFold(t, r)
		r.each("0/1", f.take)
		holder := locked(t, d, "t")
		read := make(chan error, 1)
		go func() {
			row, err := r.source.Reread(t.Context(), r.tables[0], someRow(f))
			if err == nil && row == nil {
				err = errors.New("the row is gone")
			}
			read <- err
		}()
		eventually(t, "the read to wait", func() bool { return d.get(waitsForLock) != "0" })
		eventually(t, "the read to let others in", func() bool { return d.get(waitsForLock) == "0" })
		holder.do("ROLLBACK")
		if err := <-read; err != nil {
			t.Error(err)
		}
	})
}

const waitsForLock = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'evert shop'"

func someRow(f *fold) schema.Row {
	for _, row := range f.rows {
		return row
	}
	return nil
}

// A logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// A row filter meets values which the server's messages quote.
func TestErrorsNameNoValue(t *testing.T) {
	t.Parallel()
	for when, sql := range map[string][2]string{
		"of a copy":     {"INSERT INTO t VALUES (2, 'secret')", ""},
		"of the stream": {"", "INSERT INTO t VALUES (2, 'secret')"},
	} {
		t.Run(when, func(t *testing.T) {
			d := newDB(t)
			if d.major() < 15 {
				return // there are no row filters
			}
			d.do("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'hex'); ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION evert_pub FOR TABLE t WHERE (length(decode('00', s)) > 0);" + sql[0])
			c, log := d.config(), &logged{}
			c.Log, c.BackoffMax = log.logger(), 10*time.Millisecond
			r := open(t, c, pipeline.Resume{})
			if sql[1] != "" {
				r.snapshot()
				d.do("%s", sql[1])
				eventually(t, "the stream to break", func() bool { return strings.Contains(r.source.Stats().LastError, "22023") || log.has("22023") })
			}
			err := r.fails()
			if !strings.Contains(err.Error(), "22023") || strings.Contains(fmt.Sprint(err, r.source.Stats()), "secret") || log.has("secret") {
				t.Errorf("%v; %s; %s", err, r.source.Stats().LastError, log.text.String())
			}
		})
	}
	t.Run("of a copy that is tried again", func(t *testing.T) {
		err := fmt.Errorf("read t: %w", serverSays("22023", `unrecognized encoding: "secret"`))
		for _, err := range []error{err, errors.Join(errBusy, err)} {
			if got := pgsql.WithoutValues(err); strings.Contains(got.Error(), "secret") || pgsql.State(got) != "22023" {
				t.Errorf("%v: %s", got, pgsql.State(got))
			}
		}
	})
}

// overheard streams a table, and what the source logs is heard.
func overheard(t *testing.T) (*db, *run, *logged) {
	t.Helper()
	d, log := newDB(t), &logged{}
	d.do("CREATE TABLE t (id int PRIMARY KEY)")
	c := d.config()
	c.Log = log.logger()
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	return d, r, log
}

// I8: a poller that cannot look says so.
func TestPollerTellsThatItCannotLook(t *testing.T) {
	t.Parallel()
	d, _, log := overheard(t)
	holder := locked(t, d, "pg_publication")
	eventually(t, "the warning", func() bool { return log.has("cannot be looked at now") && log.has("55P03") })
	holder.do("ROLLBACK")
}

// P35: a table that cannot be published for a while is not left out for ever.
func TestPublishedLater(t *testing.T) {
	t.Parallel()
	d, r, log := overheard(t)
	d.do("ALTER DATABASE %s SET default_transaction_read_only = on", d.get("SELECT current_database()"))
	d.do("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)")
	eventually(t, "another attempt", func() bool { return log.has("25006") })
	if left := r.source.Stats().NotCaptured; len(left) > 0 {
		t.Errorf("left out: %v", left)
	}
	d.do("ALTER DATABASE %s RESET default_transaction_read_only", d.get("SELECT current_database()"))
	r.until(hasRow("late"))
}

// The table stays stopped when its configuration was mended: its copy mends it.
func TestArrayShapeNamesTheCopy(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, a int[])")
	c := d.config()
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	d.do("INSERT INTO t VALUES (1, '{{1},{2}}')")
	why := r.stops("public.t")
	if want := "and then: " + r.source.config.copyAgain(pgsql.TableName{Schema: "public", Name: "t"}); why.Code != CodeArrayShape || !strings.HasSuffix(why.Mend, want) {
		t.Errorf("%s: %s", why.Code, why.Mend)
	}
}
