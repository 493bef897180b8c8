package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
	"github.com/evertdb/evert/sources/postgres/window"
)

// A table is copied in chunks by where its rows lie: in ranges of ctid, leaf by
// leaf. A range is read without an index and without a sort, whatever the key's
// types and collations, and what Resume.State says of the progress holds no value
// of a row. Rows move while the copy runs. One that has moved behind the place that
// was reached moved by an update, or was inserted, since the copy began: it is in
// the stream. So is everything beyond the size that the leaf had then. What moves
// rows without a word in the log makes a new file of the leaf, which is then read
// from its beginning again.

// A progress is how far the copy of a table is: to a place in the file of a leaf.
type progress struct {
	Leaf   uint32 `json:"leaf,omitempty"`   // the relation being read, or read last; 0: none yet. They go by OID
	File   uint32 `json:"file,omitempty"`   // its relfilenode
	Blocks uint32 `json:"blocks,omitempty"` // the size it had when it was begun
	Block  uint32 `json:"block,omitempty"`  // everything up to and including this ctid was read
	Offset uint16 `json:"offset,omitempty"`
	Rows   int64  `json:"rows,omitempty"` // handed over
}

func (p *progress) leafRead() bool { return p.Block >= p.Blocks }

// before reports whether a ctid is still to be read.
func (p *progress) before(block uint32, offset uint16) bool {
	return block > p.Block || block == p.Block && offset > p.Offset
}

// A chunkJob reads one chunk on a connection of its own. Its fields are the job's
// alone until done is closed.
type chunkJob struct {
	source   *Source
	shape    *shape
	chosen   []string // conditions of the rows to be read
	attnames []string // its column list; nil: all
	from     progress // where to go on
	suspects []uint32 // whom the snapshot has to show; else nothing is read
	ask      bool     // name the suspects first

	opened receivedLSN // where the stream was when the window was opened; for a standby
	system system      // of the primary; likewise

	// What came of it.
	err      error
	shows    *window.Visibility
	changed  bool   // the table has other columns than shape, or was renamed: nothing was read
	finished bool   // there is no leaf left
	paused   string // why nothing was read
	batches  []*handover.Batch
	reached  []progress     // by the end of each of them
	rows     map[string]int // by key, in the order of the batches
	count    int            // of rows
	bytes    int64
	to       progress
	place    lsn // behind everything that the snapshot shows
	at       time.Time

	leaf   pgsql.TableName
	reader pgvalue.Reader
	key    []byte
}

// run reads the chunk in a short transaction (P11). The locks come first: a
// snapshot that is taken when they are held knows the file that it reads.
func (j *chunkJob) run(ctx context.Context, conn *pgconn.PgConn, from *standby) error {
	paused, err := j.source.config.paused(ctx, conn)
	if j.paused = paused; err != nil || paused != "" {
		return err
	}
	if from != nil {
		return from.read(ctx, j, conn)
	}
	rs, err := j.readOnce(ctx, conn, placeSQL)
	if err != nil || rs == nil {
		return err
	}
	return j.endsAt(rs.Text(0, 0))
}

// placeSQL gives a place behind everything that was read before.
const placeSQL = "SELECT pg_current_wal_insert_lsn()"

func (j *chunkJob) endsAt(text string) error {
	place, err := parseLSN(text)
	j.place = beforeHeader(place)
	return err
}

// readOnce reads the chunk and then asks behind its transaction. It gives no rows where
// nothing is left to read.
func (j *chunkJob) readOnce(ctx context.Context, conn *pgconn.PgConn, behind string) (pgsql.Rows, error) {
	if err := j.find(ctx, conn); err != nil || j.finished {
		return nil, err
	}
	if err := j.nameSuspects(ctx, conn); err != nil {
		return nil, err
	}
	err := j.begin(ctx, conn)
	if err == nil && j.showsSuspects() && !j.changed {
		err = j.read(ctx, conn)
	}
	if conn.IsClosed() {
		return nil, err
	}
	rs, end := pgsql.SimpleQuery(ctx, conn, "ROLLBACK; "+behind)
	return rs, errors.Join(err, end)
}

const leafSQL = `
SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.oid >= $2::oid AND (c.oid = $1::oid OR c.oid IN (SELECT relid FROM pg_partition_tree($1::oid) WHERE isleaf))
ORDER BY c.oid LIMIT 1`

// find finds the leaf to read from.
func (j *chunkJob) find(ctx context.Context, conn *pgconn.PgConn) error {
	j.to = j.from
	next := j.from.Leaf
	if j.from.leafRead() {
		next++
	}
	rs, err := pgsql.Query(ctx, conn, leafSQL, j.root(), strconv.FormatUint(uint64(next), 10))
	if err != nil {
		return fmt.Errorf("find the next part of %s: %w", j.shape.table, err)
	}
	if len(rs) == 0 {
		j.finished = true
		return nil
	}
	r := pgsql.Record{Cols: rs[0]}
	leaf := r.OID()
	j.leaf = pgsql.TableName{Schema: r.Text(), Name: r.Text()}
	if leaf != j.from.Leaf || j.from.leafRead() {
		j.to = progress{Leaf: leaf, Rows: j.from.Rows}
	}
	return nil
}

func (j *chunkJob) root() string { return strconv.FormatUint(uint64(j.shape.oid), 10) }

func (j *chunkJob) name() pgsql.TableName {
	return pgsql.TableName{Schema: j.shape.table.Schema, Name: j.shape.table.Name}
}

// suspectsSQL names the transactions that have written to a table and are open. A
// transaction keeps its locks until snapshots show it.
const suspectsSQL = `
SELECT DISTINCT x.transactionid FROM pg_locks l JOIN pg_locks x ON x.virtualtransaction = l.virtualtransaction
WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.relation = $1::oid OR l.relation IN (SELECT relid FROM pg_partition_tree($1::oid)))
  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareUpdateExclusiveLock', 'SIReadLock')
  AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock' AND x.granted`

func (j *chunkJob) nameSuspects(ctx context.Context, conn *pgconn.PgConn) error {
	if !j.ask {
		return nil
	}
	rs, err := pgsql.Query(ctx, conn, suspectsSQL, j.root())
	if err != nil {
		return fmt.Errorf("see who writes to %s: %w", j.shape.table, err)
	}
	j.suspects = nil
	for i := range rs {
		r := pgsql.Record{Cols: rs[i]}
		j.suspects = append(j.suspects, uint32(r.Int()))
	}
	return nil
}

func (j *chunkJob) showsSuspects() bool {
	return !slices.ContainsFunc(j.suspects, func(x uint32) bool { return !j.shows.Has(x) })
}

// begin takes the locks and then the snapshot, and looks at what will be read. The
// locks are taken from the root on, as ALTER TABLE takes them: the other way round the
// two would wait for each other, and the server might end theirs.
func (j *chunkJob) begin(ctx context.Context, conn *pgconn.PgConn) error {
	lock := "ONLY " + j.name().SQL()
	if j.leaf != j.name() {
		lock += ", ONLY " + j.leaf.SQL()
	}
	begin := fmt.Sprintf("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = %d; SET LOCAL max_parallel_workers_per_gather = 0; LOCK TABLE %s IN ACCESS SHARE MODE",
		lockPatience.Milliseconds(), lock)
	if _, err := pgsql.SimpleQuery(ctx, conn, begin); err != nil {
		return fmt.Errorf("keep %s from being rewritten: %w", j.shape.table, err)
	}
	current := "pg_current_snapshot"
	if j.source.version < 130000 {
		current = "txid_current_snapshot"
	}
	rs, err := pgsql.Query(ctx, conn, `SELECT `+current+`(), pg_relation_filenode($1::oid), pg_relation_size($1::oid) / current_setting('block_size')::int,
		to_regclass($3)::oid IS DISTINCT FROM $1::oid OR to_regclass($4)::oid IS DISTINCT FROM $2::oid`,
		strconv.FormatUint(uint64(j.to.Leaf), 10), j.root(), j.leaf.SQL(), j.name().SQL())
	if err != nil {
		return fmt.Errorf("take a snapshot: %w", err)
	}
	r := pgsql.Record{Cols: rs[0]}
	if j.shows, err = window.ParseVisibility(r.Text()); err != nil {
		return err
	}
	j.at = j.source.config.Now()
	if file, blocks := r.OID(), uint32(r.Int()); file != j.to.File {
		j.to = progress{Leaf: j.to.Leaf, File: file, Blocks: blocks, Rows: j.to.Rows}
	}
	if j.changed = r.Bool(); j.changed {
		return nil // another table was locked, and would be read
	}
	return j.compare(ctx, conn)
}

// compare looks whether the table has the columns that it is read with.
func (j *chunkJob) compare(ctx context.Context, conn *pgconn.PgConn) error {
	t := &tableInfo{oid: j.shape.oid, attnames: j.attnames}
	at := &side{config: &j.source.config, conn: conn, fixed: true}
	if err := loadColumns(ctx, at, []uint32{t.oid}, map[uint32]*tableInfo{t.oid: t}); err != nil {
		return fmt.Errorf("read the columns of %s: %w", j.shape.table, err)
	}
	j.changed = !slices.EqualFunc(j.shape.columns, t.sent(), func(is shapeColumn, c columnInfo) bool {
		return c.num == is.num && c.name == is.name && c.typ == is.typ && c.typmod == is.typmod
	})
	return nil
}

// How many blocks a chunk has at most: 8 MiB. Each ctid costs where the server is
// given all of them.
const (
	copyBlocks   = 1024
	copyBlocks13 = 32
)

func (j *chunkJob) blocks() uint32 {
	if j.source.version < 140000 {
		return copyBlocks13
	}
	return copyBlocks
}

// inOrder leaves the planner one way to read a range of ctid, which is in their order:
// a TID range scan, or before version 14 a TID scan, which sorts what it is given. An
// index that a row filter fits is not in that order, nor is a scan of the whole table
// that joins another one in its middle.
const inOrder = `SET LOCAL enable_tidscan = on; SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL synchronize_seqscans = off; `

// read reads rows until the range ends or the chunk is full.
func (j *chunkJob) read(ctx context.Context, conn *pgconn.PgConn) error {
	if j.to.leafRead() {
		return nil
	}
	end := j.to.Block + min(j.blocks(), j.to.Blocks-j.to.Block)
	if _, err := pgsql.SimpleQuery(ctx, conn, inOrder+"DECLARE c NO SCROLL CURSOR FOR "+j.sql(end)); err != nil {
		return fmt.Errorf("read %s: %w", j.shape.table, err)
	}
	for n := 1; ; n = j.fetch(n) {
		more, err := j.fetched(ctx, conn, n)
		if err != nil {
			return fmt.Errorf("read %s: %w", j.shape.table, err)
		}
		if !more {
			j.to.Block, j.to.Offset = end, 0
			return nil
		}
		if j.count >= j.source.config.ChunkRows || j.full() {
			return nil
		}
	}
}

// Rows of one FETCH: one at first, and then that many times those of the one before at
// most, until their size is known. What a chunk has no room for is sent in vain.
const (
	moreFetch = 4
	mostFetch = 1024
)

// fetch says how many rows come next after so many, so that the chunk ends near its
// bounds.
func (j *chunkJob) fetch(before int) int {
	each := max(1, j.bytes/int64(max(1, j.count)))
	room := (int64(j.source.config.ChunkBytes) - j.bytes) / each
	return int(min(max(room, 1), int64(moreFetch*before), mostFetch, int64(j.source.config.ChunkRows-j.count)))
}

// sql selects the rows behind the place that was reached, in the order of ctid,
// before a block. Before version 14 the server reads no ranges of ctid, and is
// given each one.
func (j *chunkJob) sql(end uint32) string {
	names := []string{}
	for _, c := range j.shape.table.Columns {
		names = append(names, c.Name)
	}
	conds := []string{fmt.Sprintf("ctid > '(%d,%d)'::tid AND ctid < '(%d,0)'::tid", j.to.Block, j.to.Offset, end)}
	if j.source.version < 140000 {
		conds[0] = fmt.Sprintf(`ctid = ANY (ARRAY(SELECT format('(%%s,%%s)', b, o)::tid FROM generate_series(%d, %d) b,
			generate_series(1, current_setting('block_size')::int / %d) o WHERE b > %d OR o > %d))`, j.to.Block, end-1, tupleBytes, j.to.Block, j.to.Offset)
	}
	conds = append(conds, j.chosen...)
	return "SELECT ctid, " + quoteList(names) + " FROM ONLY " + j.leaf.SQL() + " WHERE " + strings.Join(conds, " AND ")
}

// tupleBytes is the least that a row occupies in its block: its head and its line
// pointer.
const tupleBytes = 28

// fetched reads the next n rows, and reports whether there may be more. Those that
// come when the chunk is full are left for the next one.
func (j *chunkJob) fetched(ctx context.Context, conn *pgconn.PgConn, n int) (more bool, err error) {
	shortenerOf(conn).seek = carriesRows
	defer func() { shortenerOf(conn).seek = carriesNone }()
	res := conn.ExecParams(ctx, "FETCH "+strconv.Itoa(n)+" FROM c", nil, nil, nil, j.formats())
	for res.NextRow() {
		if more = j.full(); err == nil && !more {
			err = j.row(res.Values())
		}
		if more || err != nil {
			j.leave(res.Values())
		}
		n--
	}
	_, end := res.Close()
	return more || n <= 0, errors.Join(err, end)
}

// leave lets go what was set aside of a row that the chunk has no room for, or that
// cannot be read.
func (j *chunkJob) leave(fields [][]byte) {
	for _, f := range fields {
		if v := j.source.asides.is(f); v != nil {
			v.drop()
		}
	}
}

// discard lets go what was read and not handed over.
func (j *chunkJob) discard() {
	if j == nil {
		return
	}
	for _, b := range j.batches {
		b.Reset()
	}
	j.batches = nil
}

// full reports whether the chunk has all the bytes that it may have.
func (j *chunkJob) full() bool { return j.bytes >= int64(j.source.config.ChunkBytes) }

// formats asks for columns in binary form where that can be read.
func (j *chunkJob) formats() []int16 {
	out := []int16{1} // ctid
	for i := range j.shape.codecs {
		out = append(out, 0)
		if j.isBinary(i) {
			out[i+1] = 1
		}
	}
	return out
}

func (j *chunkJob) isBinary(column int) bool {
	return !j.source.config.Text && j.shape.codecs[column].HasBinary()
}

func (j *chunkJob) row(fields [][]byte) error {
	if len(fields) != len(j.shape.codecs)+1 || len(fields[0]) != 6 {
		return fmt.Errorf("a row has %d columns instead of %d", len(fields), len(j.shape.codecs)+1)
	}
	block, offset := be.Uint32(fields[0]), be.Uint16(fields[0][4:])
	if !j.to.before(block, offset) {
		return fmt.Errorf("the server gives row (%d,%d) behind (%d,%d): rows may be left out", block, offset, j.to.Block, j.to.Offset)
	}
	j.to.Block, j.to.Offset = block, offset
	j.bytes += j.source.asides.beyond(fields)
	b := j.batch()
	c := b.Add()
	c.Table, c.Op, c.Row = j.shape.table, pipeline.Read, uint32(j.count)
	row, err := j.values(b, c, fields[1:])
	if err != nil {
		return err
	}
	c.After = row
	j.key = window.AppendKey(j.key[:0], j.shape.table, row)
	j.rows[string(j.key)] = j.count
	j.count++
	j.reached[len(j.reached)-1] = j.to
	for _, f := range fields {
		j.bytes += int64(len(f))
	}
	return nil
}

func (j *chunkJob) values(b *handover.Batch, c *pipeline.Change, fields [][]byte) (schema.Row, error) {
	j.reader.Arena, j.reader.Invalid = &b.Bytes, j.source.config.InvalidText
	row := b.Rows.Row(len(fields))
	for i, f := range fields {
		var err error
		switch {
		case f == nil:
			row[i] = schema.Null()
		case len(f) == standBytes && j.source.asides.is(f) != nil:
			row[i], err = j.source.asides.largeIn(b, c, j.shape, i, j.isBinary(i), f, &j.reader)
		case j.isBinary(i):
			row[i], err = j.reader.Binary(j.shape.codecs[i], f)
		default:
			row[i], err = j.reader.Text(j.shape.codecs[i], f)
		}
		if err != nil {
			return nil, j.source.config.stoppedAt(j.shape, valueError(j.shape, i, err))
		}
	}
	return row, nil
}

// batch gives the batch for the next row.
func (j *chunkJob) batch() *handover.Batch {
	if n := len(j.batches); n > 0 && !j.batches[n-1].Full(j.source.config.BatchRows, j.source.config.BatchBytes) {
		return j.batches[n-1]
	}
	b := j.source.queue.Get()
	j.batches, j.reached = append(j.batches, b), append(j.reached, j.to)
	return b
}
