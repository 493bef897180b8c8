package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// copiesBinary reports whether a table is copied in binary form, which is cheaper
// for both sides. A single type without a binary reader decides for text.
func (c *Config) copiesBinary(s *shape) bool {
	return !c.Text && !slices.ContainsFunc(s.codecs, func(c pgvalue.Codec) bool { return !c.HasBinary() })
}

// A copier is one worker: its own connection and transaction.
type copier struct {
	source *Source
	tx     *pipeline.Tx
	pace   *handover.Pace

	ctx    context.Context // of the running copy
	chunk  chunk
	rows   copyReader
	take   func(fields [][]byte) error // row, bound once: Write is called for each
	rest   []byte                      // the beginning of a row whose end was not sent yet
	out    *handover.Batch
	reader pgvalue.Reader // into out
	binary bool
	beyond int64                       // bytes of the last rows that are not in what is written
	read   struct{ rows, bytes int64 } // of the chunk, not told yet
}

// lockPatience is how long a worker waits for its locks.
const lockPatience = time.Second

// join copies on a connection of its own. All locks are taken before the first
// chunk: a TRUNCATE that waits for the locks of another worker makes this one
// wait behind it, and the server does not see that the workers wait for each
// other. A worker that cannot have them at once leaves the work to the first.
func (w *copier) join(ctx context.Context, snapshot string, work <-chan chunk) error {
	conn, err := w.source.config.connectIn(ctx, snapshot)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	lock := fmt.Sprintf("SET LOCAL lock_timeout = %d; LOCK TABLE %s IN ACCESS SHARE MODE; SET LOCAL lock_timeout = 0",
		lockPatience.Milliseconds(), tableList(w.source.chosen.tables))
	if _, err := pgsql.SimpleQuery(ctx, conn, lock); pgsql.State(err) == "55P03" {
		w.source.config.Log.Info("somebody waits to change or truncate a table; copying on with fewer workers")
		return nil
	} else if err != nil {
		return fmt.Errorf("keep the tables from being rewritten: %w", err)
	}
	return w.run(ctx, conn, work)
}

// run copies chunks until there are no more, on a connection that holds all
// locks.
func (w *copier) run(ctx context.Context, conn *pgconn.PgConn, work <-chan chunk) error {
	for c := range work {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.copy(ctx, conn, c); err != nil {
			return fmt.Errorf("copy %s: %w", c.shape.table, err)
		}
	}
	return w.flush()
}

func (w *copier) copy(ctx context.Context, conn *pgconn.PgConn, c chunk) error {
	w.begin(ctx, c)
	shortenerOf(conn).seek = carriesText
	if w.binary {
		shortenerOf(conn).seek = carriesBinary
	}
	if _, err := conn.CopyTo(ctx, w, c.sql); err != nil {
		t := pgsql.TableName{Schema: c.shape.table.Schema, Name: c.shape.table.Name}
		return w.source.config.whereFailed(t, err)
	}
	if len(w.rest) > 0 {
		return errCopyFormat
	}
	w.tell()
	c.progress.done.Add(1)
	return nil
}

// begin prepares for the rows of a chunk.
func (w *copier) begin(ctx context.Context, c chunk) {
	w.ctx, w.chunk, w.rest, w.take = ctx, c, w.rest[:0], w.row
	n := len(c.shape.codecs)
	if w.binary = w.source.config.copiesBinary(c.shape); w.binary {
		w.rows = &binaryCopy{columns: n}
	} else {
		w.rows = &textCopy{columns: n}
	}
}

// Write takes what the server sent: as a rule one row.
func (w *copier) Write(p []byte) (int, error) {
	b := p
	if len(w.rest) > 0 {
		w.rest = append(w.rest, p...)
		b = w.rest
	}
	rest, err := w.rows.take(b, w.take)
	if err != nil {
		return 0, err
	}
	w.rest = append(w.rest[:0], rest...)
	sent := int64(len(p)) + w.beyond
	w.beyond = 0
	w.read.bytes += sent
	return len(p), w.pace.Wait(w.ctx, int(sent))
}

func (w *copier) row(fields [][]byte) error {
	if w.out != nil && w.out.Full(w.source.config.BatchRows, w.source.config.BatchBytes) {
		w.tell()
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.out == nil {
		w.out = w.source.queue.Get()
	}
	w.beyond += w.source.asides.beyond(fields)
	sh, b := w.chunk.shape, w.out
	w.reader.Arena, w.reader.Invalid = &b.Bytes, w.source.config.InvalidText
	row := b.Rows.Row(len(fields))
	c := b.Add()
	c.Table, c.Op, c.After, c.Tx = sh.table, pipeline.Read, row, w.tx
	for i, f := range fields {
		var err error
		switch {
		case f == nil:
			row[i] = schema.Null()
		case len(f) == standBytes && w.source.asides.is(f) != nil:
			row[i], err = w.source.asides.largeIn(b, c, sh, i, w.binary, f, &w.reader)
		case w.binary:
			row[i], err = w.reader.Binary(sh.codecs[i], f)
		default:
			row[i], err = w.reader.Text(sh.codecs[i], f)
		}
		if err != nil {
			return valueError(sh, i, err)
		}
	}
	w.read.rows++
	return nil
}

// tell adds what was read to the progress of the table.
func (w *copier) tell() {
	w.chunk.progress.rows.Add(w.read.rows)
	w.chunk.progress.bytes.Add(w.read.bytes)
	w.read.rows, w.read.bytes = 0, 0
}

func (w *copier) flush() error {
	if w.out == nil {
		return nil
	}
	b := w.out
	w.out = nil
	b.Snapshot = true
	b.EndWhole(pipeline.Resume{State: w.source.a.encoded}, w.source.config.Now())
	return w.source.queue.Put(w.ctx, b)
}
