package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// A db is a database of its own and a connection to it.
type db struct {
	t    *testing.T
	url  string
	conn *pgconn.PgConn
}

func newDB(t *testing.T) *db { return dbAt(t, pg.Database(t)) }

func dbAt(t *testing.T, url string) *db {
	t.Helper()
	d := &db{t: t, url: url}
	d.reconnect()
	return d
}

func (d *db) reconnect() {
	d.t.Helper()
	conn, err := pgconn.Connect(d.t.Context(), d.url)
	if err != nil {
		d.t.Fatal(err)
	}
	d.conn = conn
	d.t.Cleanup(func() { _ = conn.Close(context.Background()) })
}

// do runs statements; args are put in by fmt.
func (d *db) do(sql string, args ...any) {
	d.t.Helper()
	if len(args) > 0 {
		sql = fmt.Sprintf(sql, args...)
	}
	if _, err := d.conn.Exec(context.Background(), sql).ReadAll(); err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
}

// get gives the first column of the first row.
func (d *db) get(sql string, args ...any) string {
	d.t.Helper()
	if len(args) > 0 {
		sql = fmt.Sprintf(sql, args...)
	}
	rs, err := pgsql.SimpleQuery(context.Background(), d.conn, sql)
	if err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
	return rs.Text(0, 0)
}

// major is the server's major version.
func (d *db) major() int {
	d.t.Helper()
	n, err := strconv.Atoi(d.get("SELECT current_setting('server_version_num')"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n / 10_000
}

// decodeEarly lets the server spill and stream transactions of 64 kB; before
// version 13 it counts changes, and nothing can be said.
func (d *db) decodeEarly() {
	d.t.Helper()
	if d.major() >= 13 {
		d.do("ALTER DATABASE %s SET logical_decoding_work_mem = '64kB'", d.get("SELECT current_database()"))
	}
}

// config captures all of schema public, with a slot of the test's own.
func (d *db) config() Config {
	name := strings.ToLower(strings.NewReplacer("/", "_", "#", "_", "-", "_", "=", "_", ",", "_").Replace(d.t.Name()))
	if len(name) > 40 {
		name = name[len(name)-40:]
	}
	dbname := d.url[strings.LastIndex(d.url, "/")+1:]
	dbname, _, _ = strings.Cut(dbname, "?")
	return Config{
		Name: "shop", Slot: "s_" + dbname + "_" + slotSafe(name[:min(20, len(name))]), Publication: "evert_pub",
		URL:          func(context.Context) (string, error) { return d.url, nil },
		Match:        func(schema, table string) bool { return schema == "public" },
		SpillDir:     d.t.TempDir(),
		IdleInterval: 50 * time.Millisecond, PollInterval: 100 * time.Millisecond, WaitNotice: 50 * time.Millisecond,
		SlotWait: patience, BackoffMax: 200 * time.Millisecond,
		Log: testLog(d.t),
	}
}

func slotSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

func testLog(t *testing.T) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(testWriter{t}, nil))
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s", strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// A run is an open source under a test's hand.
type run struct {
	t      *testing.T
	source *Source
	resume pipeline.Resume // of the last batch that had an end
	tables []*schema.Table
	ack    bool          // acknowledge each end at once
	wait   time.Duration // for one batch
}

func open(t *testing.T, c Config, from pipeline.Resume) *run {
	t.Helper()
	r, err := tryOpen(t, c, from)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return r
}

func tryOpen(t *testing.T, c Config, from pipeline.Resume) (*run, error) {
	t.Helper()
	r := &run{t: t, source: New(c), resume: from, ack: true, wait: patience}
	t.Cleanup(func() { _ = r.source.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return r, r.source.Open(ctx, from)
}

func (r *run) close() pipeline.Resume {
	r.t.Helper()
	if err := r.source.Close(); err != nil {
		r.t.Fatalf("close: %v", err)
	}
	return r.resume
}

// patience bounds everything that a test waits for. It is long because machines are
// slow when all tests run; nothing waits for it that goes well.
const patience = 3 * time.Minute

// next gives the next batch and acknowledges its end.
func (r *run) next() (pipeline.Batch, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), r.wait)
	defer cancel()
	b, err := r.source.Next(ctx)
	if err != nil {
		return b, err
	}
	r.tables = append(r.tables, b.Tables...)
	if b.End != nil {
		r.resume = *b.End
		r.resume.State = append([]byte(nil), b.End.State...)
		if r.ack {
			if err := r.source.Ack(ctx, b.End.At); err != nil {
				return b, err
			}
		}
	}
	return b, nil
}

// until prints changes, one line each, until stop says so.
func (r *run) until(stop func(b pipeline.Batch) bool) []string {
	r.t.Helper()
	var lines []string
	for {
		b, err := r.next()
		if err != nil {
			r.t.Fatalf("next: %v\nso far:\n%s", err, strings.Join(lines, "\n"))
		}
		for i := range b.Changes {
			lines = append(lines, show(&b.Changes[i]))
		}
		if stop(b) {
			return lines
		}
	}
}

// each gives batches to f until a place is reached between transactions.
func (r *run) each(place string, f func(b pipeline.Batch)) {
	r.t.Helper()
	for {
		b, err := r.next()
		if err != nil {
			r.t.Fatal(err)
		}
		f(b)
		if !r.resume.At.IsZero() && r.resume.Rows == 0 {
			if ok, _ := reached(r.resume.At.Native, place); ok {
				return
			}
		}
	}
}

// snapshot reads until the snapshot is complete.
func (r *run) snapshot() []string {
	r.t.Helper()
	return r.until(func(b pipeline.Batch) bool { return b.End != nil && b.End.At.Seq == 1 })
}

// to reads until the position lies at or behind an LSN.
func (r *run) to(place string) []string {
	r.t.Helper()
	return r.until(func(b pipeline.Batch) bool {
		if r.resume.At.IsZero() || r.resume.Rows > 0 {
			return false
		}
		ok, err := r.source.Reached(r.resume.At.Native, place)
		if err != nil {
			r.t.Fatal(err)
		}
		return ok
	})
}

// sync reads everything that is committed now.
func (r *run) sync(d *db) []string {
	r.t.Helper()
	d.do("SELECT pg_logical_emit_message(true, 'sync', '')") // the log moves, and is flushed
	return r.to(d.get("SELECT pg_current_wal_lsn()"))
}

// fails reads until the source ends, and gives why. One that gives batches for ever
// fails the test too.
func (r *run) fails() error {
	r.t.Helper()
	for until := time.Now().Add(r.wait); time.Now().Before(until); {
		if _, err := r.next(); err != nil {
			if r.t.Context().Err() != nil || err == context.DeadlineExceeded {
				r.t.Fatalf("the source did not end: %v", err)
			}
			return err
		}
	}
	r.t.Fatalf("the source did not end, and still gives batches after %s", r.wait)
	return nil
}

// stops reads until a table stops, and gives why. Its rows are not among those of
// the batch that tells.
func (r *run) stops(table string) *pipeline.Refusal {
	r.t.Helper()
	var why *pipeline.Refusal
	r.until(func(b pipeline.Batch) bool {
		for _, stop := range b.Stopped {
			if stop.Table.Schema+"."+stop.Table.Name == table {
				why = stop.Why
			}
		}
		for i := range b.Changes {
			if why != nil && b.Changes[i].Table.Schema+"."+b.Changes[i].Table.Name == table {
				r.t.Errorf("%s has stopped, and comes all the same: %s", table, show(&b.Changes[i]))
			}
		}
		return why != nil
	})
	return why
}

// show prints a change as: op table before → after. Unknown values are ?.
func show(c *pipeline.Change) string {
	out := c.Op.String() + " " + c.Table.Name
	if c.Before != nil {
		out += " " + showRow(c.Table, c.Before) + " →"
	}
	if c.After != nil {
		out += " " + showRow(c.Table, c.After)
	}
	return out
}

func showRow(t *schema.Table, row schema.Row) string {
	var words []string
	for i, v := range row {
		words = append(words, showValue(t.Columns[i].Type, v))
	}
	return strings.Join(words, "|")
}

func showValue(t schema.Type, v schema.Value) string {
	switch {
	case v.IsNull():
		return "NULL"
	case !v.IsKnown():
		return "?"
	}
	text := showLong(t, v)
	if len(text) > 60 {
		return fmt.Sprintf("%s…(%d)", text[:8], len(text))
	}
	return text
}

func showLong(t schema.Type, v schema.Value) string { return string(t.AppendText(nil, v)) }

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func wantCode(t *testing.T, err error, code pipeline.Code) *pipeline.Refusal {
	t.Helper()
	if pipeline.CodeOf(err) != code {
		t.Fatalf("got %v, want a refusal with code %s", err, code)
	}
	var r *pipeline.Refusal
	for e := range refusals(err) {
		if e.Code == code {
			r = e
		}
	}
	return r
}
