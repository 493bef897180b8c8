package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// A chunk is a range of a table's keys, read in a consistent snapshot of its own, and
// the window of the stream in which it is merged.
//
//	          asked for                read                       closed: its rows go out
//	stream ───────┼─────────────────────┼──────────────────────────────┼──►
//	             from      ▲ seen                             passed ▲
//	                       └─ the snapshot
//
// What lies before from must be in the snapshot, else the chunk is read again. Of the
// transactions in the window those that the snapshot has lose to its rows, and the others
// win: their keys are taken out of it. Its rows go out once everything before passed has:
// the end of the log after it was read.
type chunk struct {
	table    TableName
	shape    *shape   // to read with; nil: the table is described alone
	keyRange          // the reader's while it reads
	chosen   []string // conditions of its rows
	cuts     bool     // the reader tells where it ends before it reads: see copier.cut
	begins   bool     // its description begins a copy
	limit    int      // most rows
	try      int      // failures in a row before it
	from     place
	most     int // notes

	committed []string // XA transactions before from that the snapshot must show

	// Set by the reader.
	err    error
	paused string // why it was not read; empty: it was
	seen   place
	passed place
	info   *tableInfo
	batch  *handover.Batch // nil: the table has another shape, or was described alone
	keys   map[string]int  // of its rows that count, to their number in batch
	last   []string        // the key of the last row
	more   bool            // rows may follow
	next   int             // most rows of the next chunk
	bytes  int             // that came from the server, also of rows that were let go

	// Owned by the owner of the stream.
	booked  int // of the pace
	isHere  bool
	notes   []note // before it is here
	full    bool   // there were too many notes
	altered bool   // by a transaction that the snapshot does not have
}

// A note is what a transaction of the window did to the table.
type note struct {
	by  gtid
	xa  bool // by XA COMMIT, which the snapshot may lack although it lies before its place
	key string
	all bool // it was emptied
	ddl bool // it was defined anew
}

// note takes what a transaction did.
func (k *chunk) note(n note) {
	switch {
	case k.isHere:
		k.apply(n)
	case len(k.notes) >= k.most:
		k.full = true
	default:
		k.notes = append(k.notes, n)
	}
}

// settle applies what was noted while the chunk was read.
func (k *chunk) settle() {
	for _, n := range k.notes {
		k.apply(n)
	}
	k.notes = nil
}

// apply lets a transaction win that the snapshot does not have, or may not have: its rows
// are in the stream before the chunk's.
func (k *chunk) apply(n note) {
	switch {
	case !n.xa && k.seen.holds(n.by):
	case n.ddl:
		k.altered = true
	case n.all:
		clear(k.keys)
	default:
		delete(k.keys, n.key)
	}
}

// passes reports whether the chunk can be merged; else it is read again.
func (k *chunk) passes() bool { return !k.full && !k.altered && k.seen.contains(k.from) }

// rest leaves the rows in the batch that count, and gives their number.
func (k *chunk) rest() int {
	counts := make([]bool, len(k.batch.Changes))
	for _, i := range k.keys {
		counts[i] = true
	}
	rows := k.batch.Changes[:0]
	for i, c := range k.batch.Changes {
		if counts[i] {
			c.Row = uint32(len(rows))
			rows = append(rows, c)
		}
	}
	k.batch.Changes = rows
	return len(rows)
}

// keyText is a row's key, the same from SELECT and from the log.
func keyText(t *schema.Table, row schema.Row) string {
	var b []byte
	for _, i := range t.Key {
		from := len(b)
		b = t.Columns[i].Type.AppendText(append(b, 0, 0, 0, 0), row[i])
		binary.BigEndian.PutUint32(b[from:], uint32(len(b)-from))
	}
	return string(b)
}

// read reads a chunk, on a connection of its own. Any goroutine may call it.
func (c *copies) read(k *chunk) error {
	ctx := c.source.life.Ended
	side, epoch, err := c.connect(ctx)
	if err != nil {
		return err
	}
	w := &copier{session: side, source: c.source, tables: []TableName{k.table}}
	if k.shape != nil {
		k.paused, err = side.paused(ctx, c.source.config.Pause)
	}
	if err == nil && k.paused == "" {
		if err = w.chunk(ctx, k); err == nil {
			_, err = w.query(ctx, "COMMIT")
		}
	}
	if err != nil {
		side.close()
		return c.source.config.whereFailed(k.table, unwrapped(err))
	}
	c.idle.put(side, epoch)
	return nil
}

// connect gives a connection, and the epoch in which it may be used again.
func (c *copies) connect(ctx context.Context) (side *session, epoch int, err error) {
	if side, epoch = c.idle.take(); side != nil {
		return side, epoch, nil
	}
	if side, err = c.source.config.dial(ctx); err == nil && side.byPosition && side.server != c.source.facts.server() {
		side.close()
		err = errOther
	}
	return side, epoch, err
}

// chunk reads a chunk. The first look at the table keeps its definition as it is until
// the end of the transaction.
func (w *copier) chunk(ctx context.Context, k *chunk) error {
	if err := w.clear(ctx, k.committed); err != nil {
		return err
	}
	if err := w.open(ctx); err != nil {
		return err
	}
	if k.seen = w.at; !k.seen.contains(k.from) {
		return nil // it cannot be merged, and a table that has just been made may not be there yet
	}
	if _, err := w.query(ctx, "SELECT 1 FROM "+k.table.sql()+" LIMIT 0"); err != nil {
		return err
	}
	k.info = newTableInfo(k.table)
	if err := k.info.describe(ctx, w.session, w.source.collations); err != nil {
		return err
	}
	if len(k.info.columns) == 0 {
		return missing(k.table)
	}
	if k.begins {
		if err := w.source.config.checkWhere(ctx, w.session, k.table); err != nil {
			return err
		}
	}
	if k.shape != nil && w.source.is(k.info, k.shape) {
		if err := w.chunkRows(ctx, k); err != nil {
			return err
		}
	}
	end, err := w.logEnd(ctx)
	k.passed = k.seen.join(end)
	return err
}

// logEnd is the end of the log now.
func (s *session) logEnd(ctx context.Context) (place, error) {
	if s.byPosition {
		return s.logStatus(ctx)
	}
	sql := "SELECT @@GLOBAL.gtid_executed"
	if s.mariaDB {
		sql = "SELECT @@GLOBAL.gtid_binlog_pos"
	}
	rows, err := s.query(ctx, sql)
	if err != nil {
		return place{}, err
	}
	return parsePlace(rows.text(0, 0))
}

// logStatus is the same as file and position.
func (s *session) logStatus(ctx context.Context) (p place, err error) {
	var rows result
	for _, sql := range []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"} {
		if rows, err = s.query(ctx, sql); err == nil {
			break
		}
	}
	if err != nil {
		return p, err
	}
	if len(rows) == 0 {
		return p, errors.New("the server writes no binary log")
	}
	return parsePlace(rows.text(0, 0) + ":" + rows.text(0, 1))
}

// chunkRows reads the rows.
func (w *copier) chunkRows(ctx context.Context, k *chunk) error {
	if _, err := w.query(ctx, "SET character_set_results = NULL"); err != nil {
		return err
	}
	if err := w.cut(ctx, k); err != nil {
		return err
	}
	if w.source.config.reads != nil {
		w.source.config.reads()
	}
	in := &chunkFiller{chunk: k, out: w.source.queue.Get(), tx: &pipeline.Tx{}, most: w.source.config.ChunkBytes, config: &w.source.config}
	stop := context.AfterFunc(ctx, w.close)
	defer stop()
	k.keys = map[string]int{}
	var r mysql.Result
	if err := w.conn.ExecuteSelectStreaming(k.sql(), &r, in.add, nil); err != nil {
		return err
	}
	k.batch = in.out
	got := len(in.out.Changes)
	k.more = in.read > got || in.read >= k.limit && !slices.Equal(k.last, k.Until)
	k.next = min(2*k.limit, w.source.config.ChunkRows)
	if in.isFull {
		k.next = got
	}
	_, err := w.query(ctx, "SET character_set_results = utf8mb4")
	return err
}

// chunkable says why a table cannot be read in the order of its key, or nil.
func (c *Config) chunkable(t *tableInfo, key []string) *pipeline.Refusal {
	for _, name := range key {
		switch find(t.columns, name).Type {
		case binlogvalue.Bit, binlogvalue.Set, binlogvalue.Float, binlogvalue.Double:
			return &pipeline.Refusal{
				Code: CodeBadKey, Where: t.String(), What: "a table with key column " + name + " of its type is copied with the others alone, not by itself",
				Mend: c.reset(),
			}
		}
	}
	return nil
}

func isNamed(name string) func(binlogvalue.Column) bool {
	return func(c binlogvalue.Column) bool { return c.Name == name }
}

// A chunkFiller puts the rows of a chunk into its batch.
type chunkFiller struct {
	chunk  *chunk
	out    *handover.Batch
	tx     *pipeline.Tx
	config *Config
	most   int // bytes
	read   int
	isFull bool // rows beyond the bound are read and let go: the next chunk begins with them
}

// add takes one row, whose memory is the client's.
func (f *chunkFiller) add(fields []mysql.FieldValue) error {
	f.read++
	f.chunk.bytes += sizeOf(fields)
	if f.isFull {
		return nil
	}
	sh := f.chunk.shape
	row := f.out.Rows.Row(len(sh.columns))
	for i := range row {
		v, err := fieldValue(sh.codec, i, &fields[i], &f.out.Bytes)
		if err != nil {
			return valueRefused(f.config, sh.TableName, "the copy", err)
		}
		row[i] = v
	}
	last, err := sh.keySQL(row, fields[len(row):])
	if err != nil {
		return valueRefused(f.config, sh.TableName, "the copy", err)
	}
	f.chunk.last = last
	f.chunk.keys[keyText(sh.table, row)] = len(f.out.Changes)
	*f.out.Add() = pipeline.Change{Table: sh.table, Op: pipeline.Read, After: row, Tx: f.tx}
	if f.out.Size() >= f.most {
		f.isFull = true
	}
	return nil
}
