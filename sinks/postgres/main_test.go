package postgres

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// A db is an empty database.
type db struct {
	t    testing.TB
	url  string
	conn *pgx.Conn
}

func newDB(t testing.TB) *db {
	t.Helper()
	d := &db{t: t, url: pg.Database(t)}
	d.conn = d.dial()
	return d
}

func (d *db) dial() *pgx.Conn {
	d.t.Helper()
	conf, err := pgx.ParseConfig(d.url)
	if err != nil {
		d.t.Fatal(err)
	}
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec
	conf.RuntimeParams["timezone"] = "UTC"
	conn, err := pgx.ConnectConfig(context.Background(), conf)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (d *db) do(sql string) {
	d.t.Helper()
	if _, err := d.conn.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
}

// get gives the rows of a query, values joined by |, rows by line ends.
func (d *db) get(sql string) string {
	d.t.Helper()
	results, err := d.conn.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
	var lines []string
	for _, row := range results[len(results)-1].Rows {
		var words []string
		for _, v := range row {
			if v == nil {
				words = append(words, "NULL")
				continue
			}
			words = append(words, string(v))
		}
		lines = append(lines, strings.Join(words, "|"))
	}
	return strings.Join(lines, "\n")
}

func (d *db) wants(sql string, lines ...string) {
	d.t.Helper()
	if got, want := d.get(sql), strings.Join(lines, "\n"); got != want {
		d.t.Errorf("%s\n got %s\nwant %s", sql, got, want)
	}
}

func (d *db) config() Config {
	return Config{Name: "test.sink", Topic: "app.public.items", Table: TableName{"public", "items"},
		URL: func(context.Context) (string, error) { return d.url, nil }}
}

// A run drives a target as a stage does.
type run struct {
	*db
	config Config
	target *Target
	offset uint64
	seq    uint64
}

func (d *db) run(change ...func(*Config)) *run {
	r := &run{db: d, config: d.config()}
	for _, f := range change {
		f(&r.config)
	}
	d.t.Cleanup(func() { r.end() })
	return r
}

func (r *run) end() {
	if r.target != nil {
		_ = r.target.Close()
	}
}

// open makes a new target, and gives where it goes on.
func (r *run) open() pipeline.Resume {
	r.t.Helper()
	from, err := r.tryOpen()
	if err != nil {
		r.t.Fatal(err)
	}
	return from
}

func (r *run) tryOpen() (pipeline.Resume, error) {
	r.end()
	r.target = New(r.config)
	from, err := r.target.Open(context.Background())
	r.seq = from.At.Seq
	return from, err
}

func (r *run) renew() {
	r.t.Helper()
	if err := r.tryRenew(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) tryRenew() error {
	r.end()
	r.target = New(r.config)
	return r.target.Renew(context.Background())
}

func (r *run) write(changes ...pipeline.Change) {
	r.t.Helper()
	if err := r.tryWrite(changes...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) tryWrite(changes ...pipeline.Change) error {
	b := pipeline.Batch{Changes: changes}
	for i := range b.Changes {
		r.offset++
		b.Changes[i].Offset, b.Changes[i].Partition = r.offset, 3
	}
	return r.target.Write(context.Background(), b)
}

func (r *run) commit() {
	r.t.Helper()
	if err := r.tryCommit(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) tryCommit() error {
	err := r.target.Commit(context.Background(), whole(r.seq+1))
	if err == nil {
		r.seq++
	}
	return err
}

func whole(seq uint64) pipeline.Resume {
	return pipeline.Resume{At: pipeline.Position{Seq: seq, Native: fmt.Sprintf("0/%X", seq)}, State: fmt.Appendf(nil, "state %d", seq)}
}

// filling is a place inside a fill.
func filling(state string) pipeline.Resume { return pipeline.Resume{State: []byte(state)} }

// A shape is a table with the given columns, keyed by the first.
func shape(version uint32, columns ...schema.Column) *schema.Table {
	return &schema.Table{Database: "app", Schema: "public", Name: "items", Native: "1", Version: version, Key: []int{0}, Columns: columns}
}

func intColumn(name string) schema.Column {
	return schema.Column{Name: name, Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}, Nullable: name != "id"}
}

func textColumn(name string) schema.Column {
	return schema.Column{Name: name, Type: schema.Type{Kind: schema.KindText, Name: "text"}, Nullable: true}
}

func put(t *schema.Table, values ...schema.Value) pipeline.Change {
	return pipeline.Change{Table: t, Op: pipeline.Update, After: values}
}

func gone1(t *schema.Table, key ...schema.Value) pipeline.Change {
	row := make(schema.Row, len(t.Columns))
	for i := range row {
		row[i] = schema.Unknown()
	}
	for i, k := range t.Key {
		row[k] = key[i]
	}
	return pipeline.Change{Table: t, Op: pipeline.Delete, Before: row}
}

func text(s string) schema.Value { return schema.Text([]byte(s)) }

// kept is a dead-letter topic.
type kept struct{ rejections []deliver.Rejection }

func (k *kept) Reject(_ context.Context, r ...deliver.Rejection) error {
	k.rejections = append(k.rejections, r...)
	return nil
}
