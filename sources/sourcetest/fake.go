package sourcetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A Database is an in-memory database with one table and a log, for sources that
// need no server. It prunes what was acknowledged, so that a source opened too
// early is refused and does not quietly skip. Safe for concurrent use.
type Database struct {
	Name      string
	BatchRows int // rows in a batch, and in a chunk of a copy; 64 if zero
	Window    int // transactions that may come between the reading of a chunk and its rows

	mu     sync.Mutex
	rows   map[int64]string
	log    [][]Op // entry i ends at place i+1; empty entries are of other tables
	pruned int    // entries before this one are gone
	moved  chan struct{}
}

// itemsColumns are those of the table items.
var itemsColumns = []schema.Column{
	{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
	{Name: "v", Type: schema.Type{Kind: schema.KindText, Name: "text"}, Nullable: true, Collation: schema.Collation{Name: "C", Deterministic: true}},
}

// NewDatabase makes an empty database.
func NewDatabase(name string) *Database {
	return &Database{Name: name, rows: map[int64]string{}, moved: make(chan struct{})}
}

// New gives a source over the database.
func (d *Database) New(testing.TB) pipeline.Source {
	table := &schema.Table{Schema: "public", Name: "items", Native: "1", Version: 1, Columns: itemsColumns, Key: []int{0}}
	ctx, end := context.WithCancel(context.Background())
	return &Fake{database: d, table: table, ended: ctx, end: end}
}

// Commit appends one transaction.
func (d *Database) Commit(_ testing.TB, ops ...Op) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	ops = slices.Clone(ops)
	for _, op := range ops {
		d.apply(op)
	}
	d.log = append(d.log, ops)
	d.stir()
	return native(len(d.log))
}

// stir wakes the sources that wait.
func (d *Database) stir() {
	close(d.moved)
	d.moved = make(chan struct{})
}

func (d *Database) apply(op Op) {
	if op.Do == pipeline.Delete || op.To != 0 {
		delete(d.rows, op.ID)
	}
	if op.Do != pipeline.Delete {
		d.rows[op.target()] = op.V
	}
}

// target is the id of the row after the statement.
func (o Op) target() int64 {
	if o.To != 0 {
		return o.To
	}
	return o.ID
}

// Elsewhere appends an entry without changes.
func (d *Database) Elsewhere(t testing.TB) string { return d.Commit(t) }

// Foreign gives a place of another database.
func (d *Database) Foreign(from pipeline.Resume) pipeline.Resume {
	from.State = []byte("another " + d.Name)
	return from
}

func native(place int) string { return "n:" + strconv.Itoa(place) }

func parseNative(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(text, "n:"))
	if err != nil || !strings.HasPrefix(text, "n:") {
		return 0, fmt.Errorf("%q is not a place of this log", text)
	}
	return n, nil
}

// A Fake is a source over a Database.
type Fake struct {
	database *Database
	table    *schema.Table
	ended    context.Context
	end      context.CancelFunc

	announced bool
	snapshot  []schema.Row // still to be copied; nil when it is complete
	copied    uint32
	at        pipeline.Position
	place     int // entries of the log before this one are read
	rows      int // changes of the entry at place that are read
	tx        *pipeline.Tx
	copy      copying
}

var _ pipeline.Copier = (*Fake)(nil)

// Open checks identity and gap, or takes the snapshot.
func (f *Fake) Open(_ context.Context, from pipeline.Resume) error {
	d := f.database
	d.mu.Lock()
	defer d.mu.Unlock()
	name, progress, _ := bytes.Cut(from.State, []byte("\n"))
	if !from.IsZero() && !bytes.Equal(name, []byte(d.Name)) {
		return &pipeline.Refusal{Code: "FAKE_OTHER_DATABASE", What: "the place is of another database"}
	}
	if from.At.IsZero() {
		f.snapshot, f.place = d.all(), len(d.log)
		return nil
	}
	place, err := parseNative(from.At.Native)
	if err != nil {
		return err
	}
	if place < d.pruned {
		return &pipeline.Refusal{Code: "FAKE_GAP", What: fmt.Sprintf("the log begins at %d, behind %d", d.pruned, place)}
	}
	f.at, f.place, f.rows = from.At, place, int(from.Rows)
	return f.copy.parse(progress)
}

// all gives every row.
func (d *Database) all() []schema.Row { return d.chunk(math.MinInt64, len(d.rows)) }

// chunk gives up to n rows behind an id, in order.
func (d *Database) chunk(after int64, n int) []schema.Row {
	out := []schema.Row{}
	for _, id := range slices.Sorted(maps.Keys(d.rows)) {
		if id > after && len(out) < n {
			out = append(out, schema.Row{schema.Int(id), schema.Text([]byte(d.rows[id]))})
		}
	}
	return out
}

func (f *Fake) limit() int {
	if f.database.BatchRows > 0 {
		return f.database.BatchRows
	}
	return 64
}

// Next gives the next batch.
func (f *Fake) Next(ctx context.Context) (pipeline.Batch, error) {
	for {
		if f.ended.Err() != nil {
			return pipeline.Batch{}, io.ErrClosedPipe
		}
		b, wait := f.step()
		if wait == nil {
			if !f.announced {
				f.announced, b.Tables = true, []*schema.Table{f.table}
			}
			return b, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return pipeline.Batch{}, context.Cause(ctx)
		case <-f.ended.Done():
		}
	}
}

// step gives a batch, or what to wait for.
func (f *Fake) step() (pipeline.Batch, <-chan struct{}) {
	f.database.mu.Lock()
	defer f.database.mu.Unlock()
	switch {
	case !f.announced && f.snapshot == nil:
		return pipeline.Batch{}, nil
	case f.snapshot != nil:
		return f.copySome(), nil
	case f.rows == 0 && f.copies():
		return f.copyStep(), nil
	case f.place == len(f.database.log):
		return pipeline.Batch{}, f.database.moved
	}
	return f.read(f.database.log[f.place]), nil
}

func (f *Fake) copySome() pipeline.Batch {
	n := min(len(f.snapshot), f.limit())
	var b pipeline.Batch
	tx := &pipeline.Tx{}
	for _, row := range f.snapshot[:n] {
		b.Changes = append(b.Changes, pipeline.Change{Table: f.table, Op: pipeline.Read, After: row, Tx: tx, Row: f.copied})
		f.copied++
	}
	f.snapshot = f.snapshot[n:]
	if len(f.snapshot) == 0 {
		f.snapshot = nil
		f.at = pipeline.Position{Seq: 1, Native: native(f.place)}
	}
	b.End = f.resume()
	return b
}

func (f *Fake) resume() *pipeline.Resume {
	return &pipeline.Resume{At: f.at, Rows: uint64(f.rows), State: f.copy.append([]byte(f.database.Name))}
}

// read gives one transaction, or the next part of it.
func (f *Fake) read(ops []Op) pipeline.Batch {
	if f.tx == nil {
		f.tx = &pipeline.Tx{Position: pipeline.Position{Seq: f.at.Seq + 1, Native: native(f.place + 1)}, ID: uint64(f.place + 1), At: time.Unix(int64(f.place), 0)}
	}
	n := min(len(ops)-f.rows, f.limit())
	var b pipeline.Batch
	for _, op := range ops[f.rows : f.rows+n] {
		b.Changes = append(b.Changes, f.change(op))
		f.rows++
	}
	if f.rows == len(ops) {
		f.place++
		if len(ops) > 0 {
			f.at.Seq++
		}
		f.copy.pass(ops)
		f.at.Native, f.rows, f.tx = native(f.place), 0, nil
	}
	b.End = f.resume()
	return b
}

func (f *Fake) change(op Op) pipeline.Change {
	c := pipeline.Change{Table: f.table, Op: op.Do, Tx: f.tx, Row: uint32(f.rows)}
	if op.Do == pipeline.Delete || op.To != 0 {
		c.Before = schema.Row{schema.Int(op.ID), schema.Unknown()}
	}
	if op.Do != pipeline.Delete {
		c.After = schema.Row{schema.Int(op.target()), schema.Text([]byte(op.V))}
	}
	return c
}

// Ack prunes the log.
func (f *Fake) Ack(_ context.Context, durable pipeline.Position) error {
	if durable.IsZero() {
		return nil
	}
	place, err := parseNative(durable.Native)
	if err != nil {
		return err
	}
	f.database.mu.Lock()
	defer f.database.mu.Unlock()
	f.database.pruned = max(f.database.pruned, place)
	return nil
}

// Reached compares places.
func (f *Fake) Reached(have, want string) (bool, error) {
	h, err := parseNative(have)
	if err != nil {
		return false, err
	}
	w, err := parseNative(want)
	return h >= w, err
}

// Close ends a waiting Next.
func (f *Fake) Close() error {
	f.end()
	return nil
}
