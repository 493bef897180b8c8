package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
)

// A reader is an open source and what was seen of it, folded into rows by table and
// key as a topic would hold them.
type reader struct {
	*db
	source *Source
	place  pipeline.Resume
	ends   []pipeline.Resume
	rows   map[string]map[string]string
	log    []string                     // changes behind the snapshot
	stops  map[string]*pipeline.Refusal // tables that stopped, by name
	fresh  map[string]map[string]bool   // of tables that are copied: keys that came since it began
	copies []string                     // which began and which were done
	reads  map[string]int               // rows that were read, by table
	also   func(b pipeline.Batch)       // is shown each batch, if there is one
}

func (d *db) reader(c Config, from pipeline.Resume) *reader {
	r := &reader{db: d, source: New(c), place: from, rows: map[string]map[string]string{}, stops: map[string]*pipeline.Refusal{}, fresh: map[string]map[string]bool{}, reads: map[string]int{}}
	d.Cleanup(func() { _ = r.source.Close() })
	return r
}

// open opens a source.
func (d *db) open(c Config, from pipeline.Resume) *reader {
	d.Helper()
	r := d.reader(c, from)
	ctx, cancel := context.WithTimeout(d.Context(), patience)
	defer cancel()
	if err := r.source.Open(ctx, from); err != nil {
		d.Fatalf("open at %s: %v", from.At, err)
	}
	return r
}

// openWatched opens a source, and tells of its stream when it waits with a batch because
// the queue is full.
func (d *db) openWatched(c Config) (*reader, *atomic.Bool) {
	d.Helper()
	r, blocked := d.reader(c, pipeline.Resume{}), &atomic.Bool{}
	s := r.source
	err := s.life.Open(d.Context(), func(ctx context.Context) error {
		if err := s.prepare(ctx, pipeline.Resume{}); err != nil {
			return err
		}
		put := s.a.emit
		s.a.emit = func(b *handover.Batch) error {
			n, _ := s.queue.Fill()
			blocked.Store(n >= s.config.QueueBatches)
			defer blocked.Store(false)
			return put(b)
		}
		s.life.Go(s.own)
		return nil
	})
	if err != nil {
		d.Fatal(err)
	}
	return r, blocked
}

// reopen makes the source anew at the last place.
func (r *reader) reopen(c Config) *reader {
	r.Helper()
	r.close()
	again := r.open(c, r.place)
	again.rows, again.fresh, again.copies, again.also = r.rows, r.fresh, r.copies, r.also
	return again
}

// refused opens a source that must refuse, and gives its code and mend.
func (d *db) refused(c Config, from pipeline.Resume) *pipeline.Refusal {
	d.Helper()
	s := New(c)
	defer s.Close()
	err := s.Open(d.Context(), from)
	var refusal *pipeline.Refusal
	if !errors.As(err, &refusal) {
		d.Fatalf("it is not refused: %v", err)
	}
	return refusal
}

// next reads one batch.
func (r *reader) next() error {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	b, err := r.source.Next(ctx)
	if err != nil {
		return err
	}
	if r.also != nil {
		r.also(b)
	}
	for _, s := range b.Stopped {
		r.stops[s.Table.Name] = s.Why
	}
	for _, c := range b.Copies {
		r.copyMoves(c)
	}
	if len(b.Copies) > 0 && len(b.Changes) > 0 {
		r.Error("a batch with copies has changes")
	}
	for i := range b.Changes {
		if name := b.Changes[i].Table.Name; r.stops[name] != nil {
			r.Errorf("a change of %s behind its stop", name)
		}
		r.fold(&b.Changes[i])
	}
	if b.End != nil {
		r.place = *b.End
		r.place.State = append([]byte(nil), b.End.State...)
		if !r.place.At.IsZero() {
			r.ends = append(r.ends, r.place)
		}
	}
	return nil
}

// copyMoves takes what capture does when a copy begins and is done: keys that did not
// come in between are gone.
func (r *reader) copyMoves(c pipeline.TableCopy) {
	name := c.Table.Name
	if !c.Done {
		r.copies = append(r.copies, name+" begins "+c.ID)
		delete(r.stops, name)
		r.fresh[name] = map[string]bool{}
		return
	}
	r.copies = append(r.copies, name+" is done "+c.ID)
	for key := range r.rows[name] {
		if !r.fresh[name][key] {
			delete(r.rows[name], key)
		}
	}
	delete(r.fresh, name)
}

func (r *reader) fold(c *pipeline.Change) {
	table := c.Table.Name
	if r.rows[table] == nil {
		r.rows[table] = map[string]string{}
	}
	rows := r.rows[table]
	if c.Op == pipeline.Read {
		r.reads[table]++
	}
	if c.Op == pipeline.Truncate {
		clear(rows)
	}
	if c.Op == pipeline.Delete || c.KeyChanged() {
		delete(rows, printKey(c.Table, c.Before))
	}
	if c.After != nil {
		rows[printKey(c.Table, c.After)] = printRow(c.Table, c.After)
		if r.fresh[table] != nil {
			r.fresh[table][printKey(c.Table, c.After)] = true
		}
	}
	if c.Op != pipeline.Read && !c.Tx.Position.IsZero() {
		line := fmt.Sprintf("%d.%d %s %s", c.Tx.Position.Seq, c.Row, c.Op, table)
		if c.Before != nil && c.After == nil {
			line += " " + printRow(c.Table, c.Before)
		}
		if c.After != nil {
			line += " " + printRow(c.Table, c.After)
		}
		r.log = append(r.log, line)
	}
}

func printKey(t *schema.Table, row schema.Row) string {
	var out []string
	for _, i := range t.Key {
		out = append(out, string(t.Columns[i].Type.AppendText(nil, row[i])))
	}
	return strings.Join(out, ",")
}

func printRow(t *schema.Table, row schema.Row) string {
	var out []string
	for i := range row {
		switch {
		case row[i].IsNull():
			out = append(out, "NULL")
		case !row[i].IsKnown():
			out = append(out, "?")
		default:
			out = append(out, string(t.Columns[i].Type.AppendText(nil, row[i])))
		}
	}
	return strings.Join(out, "|")
}

// copied reads until the snapshot is complete.
func (r *reader) copied() *reader {
	r.Helper()
	for r.place.At.IsZero() {
		if err := r.next(); err != nil {
			r.Fatal(err)
		}
	}
	return r
}

// caught reads up to the end of the log now.
func (r *reader) caught() *reader {
	r.Helper()
	end := r.db.place()
	for {
		ok, err := r.source.Reached(r.place.At.Native, end)
		if err != nil {
			r.Fatal(err)
		}
		if ok && r.place.Whole() {
			return r
		}
		if err := r.next(); err != nil {
			r.Fatalf("behind %s: %v", r.place.At, err)
		}
	}
}

// stopped reads until the source ends, and gives its refusal.
func (r *reader) stopped() *pipeline.Refusal {
	r.Helper()
	for {
		err := r.next()
		if err == nil {
			continue
		}
		var refusal *pipeline.Refusal
		if !errors.As(err, &refusal) {
			r.Fatalf("it ended with %v; the last error was %s", err, r.source.Stats().LastError)
		}
		return refusal
	}
}

// told gives the changes since the last call.
func (r *reader) told() string {
	out := strings.Join(r.log, "\n")
	r.log = nil
	return out
}

// equal compares what was folded with the table itself.
func (r *reader) equal(table string) {
	r.Helper()
	s := r.session()
	result, err := s.query(r.Context(), "SELECT * FROM "+quoteName(r.name)+"."+quoteName(table))
	if err != nil {
		r.Fatal(err)
	}
	got := r.rows[table]
	if len(got) != len(result) {
		r.Errorf("%s: %d rows were captured, the table has %d", table, len(got), len(result))
	}
	for _, row := range result {
		want := strings.TrimRight(strings.Join(row, "|"), "|") // a row of before a column came does not print it
		if have := strings.TrimRight(strings.ReplaceAll(got[row[0]], "NULL", ""), "|"); have != strings.ReplaceAll(want, "NULL", "") {
			r.Errorf("%s: row %s was captured as %q, the table has %q", table, row[0], have, want)
			return
		}
	}
}

func (r *reader) close() {
	if err := r.source.Close(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		r.Fatal(err)
	}
}
