package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// afresh replaces the connection, and waits until the server has ended the one before.
func (d *db) afresh() {
	d.t.Helper()
	pid := d.get("SELECT pg_backend_pid()")
	_ = d.conn.Close(context.Background())
	d.reconnect()
	eventually(d.t, "the end of a session", func() bool {
		return d.get("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == "0"
	})
}

func (d *db) name() string { return d.get("SELECT current_database()") }

// fenceOff makes the database read-only, with no session that began before.
func (d *db) fenceOff(r *run) {
	d.t.Helper()
	d.do("ALTER DATABASE %s SET default_transaction_read_only = on", pgsql.QuoteIdent(d.name()))
	if why := r.notDrained(false); !strings.Contains(why.What, "begun before") {
		d.t.Fatalf("a session from before the fence: %v", why)
	}
	d.afresh()
}

// notDrained gives why a drain is refused. One that is not waits for readers that are
// not there.
func (r *run) notDrained(writersStopped bool) *pipeline.Refusal {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), r.wait)
	defer cancel()
	_, err := r.source.Drain(ctx, DrainOptions{WritersStopped: writersStopped})
	return wantCode(r.t, err, CodeNotDrained)
}

// drain drains a source and reads it to its end.
func (r *run) drain(writersStopped bool) Drained {
	r.t.Helper()
	type answer struct {
		d   Drained
		err error
	}
	done := make(chan answer, 1)
	go func() {
		d, err := r.source.Drain(r.t.Context(), DrainOptions{WritersStopped: writersStopped})
		done <- answer{d, err}
	}()
	wantCode(r.t, r.fails(), CodeDrained)
	a := soon(r.t, "the end of the drain", done)
	if a.err != nil {
		r.t.Fatal(a.err)
	}
	return a.d
}

// soon is what comes out of a channel; that it does not come fails the test.
func soon[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: waited for it for %s in vain", what, patience)
	}
	return v
}

// P41: a source is drained for a major upgrade only when nobody can write, ends at a
// place behind which nothing is left, and stays there until it is told otherwise.
func TestDrain(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'copied')")
	c := d.config()
	r := open(t, c, pipeline.Resume{})
	wantLines(t, r.snapshot(), "r t 1|copied")
	refused := func(writersStopped bool, what string) {
		t.Helper()
		if got := r.notDrained(writersStopped); !strings.Contains(got.What, what) {
			t.Fatalf("got %v, want %q", got, what)
		}
	}

	refused(false, "not read-only")
	writer := dbAt(t, d.url)
	writer.do("BEGIN; INSERT INTO t VALUES (2, 'late')")
	refused(true, "pid "+writer.get("SELECT pg_backend_pid()"))
	writer.do("COMMIT")
	_ = writer.conn.Close(context.Background())
	wantLines(t, r.sync(d), "c t 2|late")

	t.Run("P41 rows still come", func(t *testing.T) {
		late, _, err := r.source.prepareDrain(t.Context(), DrainOptions{WritersStopped: true})
		if err != nil {
			t.Fatal(err)
		}
		d.do("INSERT INTO t VALUES (3, 'later')")
		wantLines(t, r.sync(d), "c t 3|later")
		r.source.draining.Store(late)
		d.do("SELECT pg_logical_emit_message(true, 'wake', '')")
		if got := wantCode(t, soon(t, "the end of a drain that is late", late.failed), CodeNotDrained); !strings.Contains(got.What, "rows still come") {
			t.Errorf("got %v", got)
		}
	})

	d.fenceOff(r)
	d.do("BEGIN READ WRITE; INSERT INTO t VALUES (4, 'last')")
	refused(false, "transactions that write")
	d.do("COMMIT") // the source has not read it
	done := r.drain(false)
	end, _ := parseLSN(done.Position)
	if now, _ := parseLSN(d.get("SELECT pg_current_wal_lsn()")); !done.Fenced || end == 0 || end > now || len(done.Next) < 4 {
		t.Errorf("drained as %+v, and the log ends at %s", done, now)
	}
	from := r.close()
	if from.At.Native != done.Position {
		t.Errorf("drained at %s, and goes on at %s", done.Position, from.At)
	}

	t.Run("P41 it does not go on by itself", func(t *testing.T) {
		_, err := tryOpen(t, c, from)
		wantCode(t, err, CodeDrained)
		found, err := Check(t.Context(), c, &from)
		if err != nil || pipeline.Failing(found.Findings) == nil || pipeline.Failing(found.Findings).Code != CodeDrained {
			t.Errorf("check: %v %v", found.Findings, err)
		}
	})
	t.Run("P41 the upgrade is called off", func(t *testing.T) {
		d.do("BEGIN READ WRITE; ALTER DATABASE %s RESET default_transaction_read_only; COMMIT", pgsql.QuoteIdent(d.name()))
		d.afresh()
		d.do("INSERT INTO t VALUES (5, 'after')")
		r = undrained(t, c, from)
		wantLines(t, r.sync(d), "c t 5|after")
		from = r.close()
		r = open(t, c, from) // nothing says any more that it was drained
		wantLines(t, r.sync(d))
	})
}

// P41: what a drained source does on another server that has its rows, with other
// numbers for its tables and a log of its own, as after pg_dump.
func TestDrainedSourceOnAnotherServer(t *testing.T) {
	t.Parallel()
	other := pgtest.Start(t, pgtest.Options{})
	const tables = `
		CREATE TYPE mood AS ENUM ('sad', 'glad');
		CREATE TABLE same (id int PRIMARY KEY, m mood, s text); CREATE TABLE other (id int PRIMARY KEY, s text); CREATE TABLE gone (id int PRIMARY KEY);
		INSERT INTO same VALUES (1, 'sad', 'one'), (2, 'glad', 'two'); INSERT INTO other VALUES (1, 'one');`
	d := newDB(t)
	d.do(tables)
	c := d.config()
	r := open(t, c, pipeline.Resume{})
	if got := len(r.snapshot()); got != 3 {
		t.Fatalf("%d rows", got)
	}
	d.do("INSERT INTO same VALUES (3, 'glad', 'three')")
	d.fenceOff(r)
	r.drain(false)
	from := r.close()

	pgtest.Database(t, other, d.name())
	next := dbAt(t, other.URL(d.name()))
	c.URL = func(context.Context) (string, error) { return next.url, nil }
	told := &logged{}
	c.Log = told.logger()
	t.Run("P41 before the dump is restored", func(t *testing.T) {
		_, err := tryOpen(t, c, from)
		if got := wantCode(t, err, CodePublication); !strings.Contains(got.What, "none of the tables") || strings.Contains(got.Mend, "CREATE") {
			t.Errorf("got %v", got)
		}
	})
	next.do("CREATE TABLE before (x int)") // so that numbers differ
	next.do(tables)
	next.do("INSERT INTO same VALUES (3, 'glad', 'three'); ALTER TABLE other ADD COLUMN more int DEFAULT 7; DROP TABLE gone, before")
	mended := func(code pipeline.Code) { // by the first line of the mend, as printed
		t.Helper()
		_, err := tryOpen(t, c, from)
		mend, _, _ := strings.Cut(wantCode(t, err, code).Mend, "\n")
		next.do(strings.ReplaceAll(strings.TrimPrefix(mend, "if nobody wrote: "), "%", "%%"))
	}
	mended(CodePublication)
	mended(CodeReopened)
	next.afresh()
	next.do("BEGIN READ WRITE; ALTER PUBLICATION evert_pub DROP TABLE other; COMMIT")
	mended(CodeUnpublished)

	t.Run("P41 somebody writes before there is a slot", func(t *testing.T) {
		next.do("BEGIN READ WRITE; INSERT INTO same VALUES (9, 'sad', 'lost')")
		_, err := tryOpen(t, c, from)
		if got := wantCode(t, err, CodeReopened); !strings.Contains(got.What, "pid "+next.get("SELECT pg_backend_pid()")) {
			t.Errorf("got %v", got)
		}
		next.do("ROLLBACK")
	})
	t.Run("P41 a crash after the slot is made, before the place is committed", func(t *testing.T) {
		r := open(t, c, from)
		r.close()
		if next.get("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '%s'", c.Slot) != "1" {
			t.Error("there is no slot")
		}
	})
	r = open(t, c, from)
	var copied []string
	eventually(t, "the copy of the table that is another", func() bool {
		copied = append(copied, r.sync(next)...)
		return len(copied) > 0
	})
	wantLines(t, copied, "r other 1|one|7")
	if !told.has("the table is not on this server") || !told.has("[public.gone]") {
		t.Error("the table that did not come along is not told of")
	}
	next.do("BEGIN READ WRITE; ALTER DATABASE %s RESET default_transaction_read_only; INSERT INTO same VALUES (4, 'sad', 'four'); UPDATE other SET s = 'eins'; COMMIT", pgsql.QuoteIdent(d.name()))
	wantLines(t, r.sync(next), "c same 4|sad|four", "u other 1|eins|7")
	if r.resume.At.Seq <= from.At.Seq {
		t.Errorf("from %s to %s", from.At, r.resume.At)
	}
	from = r.close()
	next.do("BEGIN READ WRITE; DELETE FROM same WHERE id = 1; COMMIT")
	r = open(t, c, from)
	wantLines(t, r.sync(next), "d same 1|?|? →")
}

// undrained opens a source whose upgrade is called off, or over.
func undrained(t *testing.T, c Config, from pipeline.Resume) *run {
	t.Helper()
	s := New(c)
	s.Undrain()
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Open(t.Context(), from); err != nil {
		t.Fatal(err)
	}
	return &run{t: t, source: s, ack: true, resume: from, wait: patience}
}
