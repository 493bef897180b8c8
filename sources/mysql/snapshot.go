package mysql

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// snapshot copies all tables without a lock. Each worker has a consistent snapshot of
// its own, each at its own place of the log; what lies between them is evened out.
//
//	worker 1   ├── snapshot at 0-1-7 ── SELECT … ──┤
//	worker 2     ├── snapshot at 0-1-9 ── SELECT … ──┤
//	stream                                             from 0-1-7 ──► 0-1-9: the first position
//
// The stream is read from the earliest of these places. Until it has reached the latest
// one nothing is a position yet, so that nobody sees a state between: there it does no
// harm that a row is given again which a later snapshot had already seen, because
// whatever happened to it up to the latest place follows. A snapshot that is broken off
// begins again.
func (s *Source) snapshot(ctx context.Context) error {
	began := s.config.Now()
	workers, from, err := s.openWorkers(ctx)
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	if err != nil {
		return err
	}
	first, last := from.meet(workers[0].at), workers[0].at
	for _, w := range workers[1:] {
		first, last = first.meet(w.at), last.join(w.at)
	}
	shown, err := workers[len(workers)-1].settled(ctx)
	if err != nil {
		return err
	}
	last = last.join(shown)
	s.config.Log.Info("snapshot begins", "from", first.String(), "to", last.String(), "tables", len(s.facts.chosen), "workers", len(workers))
	s.stats.copying(s.facts.chosen)
	if !s.config.NoSnapshot {
		if err := s.copyTables(ctx, workers); err != nil {
			return err
		}
	}
	s.config.Log.Info("tables are copied", "took", s.config.Now().Sub(began).String())
	s.a.set, s.a.catchUp, s.a.clock = first, &last, began
	if first.contains(last) && !s.facts.byPosition { // the stream says what file it is
		return s.a.copied()
	}
	return nil
}

// A copier is a worker with its snapshot.
type copier struct {
	*session
	source *Source
	tables []TableName // that are read; of Open's user alone where places are files and positions
	at     place
}

// openWorkers opens the snapshots one after the other, as close together as it goes.
// Prepared XA transactions would be seen by none of them, and their rows lie in the log
// before them. What is committed of them behind from may not be seen although it lies
// before a snapshot's place: the stream has to begin there.
func (s *Source) openWorkers(ctx context.Context) (out []*copier, from place, err error) {
	for range s.config.SnapshotWorkers {
		side, err := s.config.dial(ctx)
		if err != nil {
			return out, from, err
		}
		w := &copier{session: side, source: s, tables: s.facts.names()}
		out = append(out, w)
		if len(out) == 1 {
			if from, err = w.logEnd(ctx); err == nil {
				err = w.nonePrepared(ctx)
			}
		}
		if err == nil {
			err = out[0].sameServer(side)
		}
		if err == nil {
			err = w.open(ctx)
		}
		if err != nil {
			return out, from, err
		}
	}
	return out, from, out[0].nonePrepared(ctx)
}

// nonePrepared is an error while XA transactions are prepared, as far as the user may see.
func (w *copier) nonePrepared(ctx context.Context) error {
	rows, err := w.query(ctx, "XA RECOVER")
	if err == nil && len(rows) > 0 {
		return fmt.Errorf("%d XA transactions are prepared, whose rows a copy would miss; it begins when they have ended", len(rows))
	}
	return nil
}

// open begins a consistent snapshot and finds its place. MariaDB says it; on MySQL
// nothing must have been committed between two looks around it. It may show more: see
// settled.
func (w *copier) open(ctx context.Context) error {
	const begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
	if w.mariaDB {
		if _, err := w.query(ctx, "SET SESSION TRANSACTION READ ONLY"); err != nil {
			return err
		}
		if _, err := w.query(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
			return err
		}
		return w.mariaPlace(ctx)
	}
	if w.byPosition {
		return w.openLocked(ctx)
	}
	for patience := 1000; patience > 0; patience-- {
		before, err := w.query(ctx, "SELECT @@GLOBAL.gtid_executed")
		if err != nil {
			return err
		}
		if _, err := w.query(ctx, begin); err != nil {
			return err
		}
		after, err := w.query(ctx, "SELECT @@GLOBAL.gtid_executed")
		if err != nil {
			return err
		}
		if before.text(0, 0) == after.text(0, 0) {
			w.at, err = parsePlace(after.text(0, 0))
			return err
		}
		if _, err := w.query(ctx, "ROLLBACK"); err != nil {
			return err
		}
	}
	return errors.New("the server commits so fast that no snapshot could be placed in its log")
}

// agreeing is how many answers in a row have to be the same for a snapshot's file and
// position. The server puts each answer together in memory that all its sessions share: one
// that asks for its status in the same moment, as monitoring does, gets its own place into
// the answer of another (M23).
const agreeing = 3

// snapshotStatus gives a snapshot's file and position.
func (w *copier) snapshotStatus(ctx context.Context) (file, position string, err error) {
	for same, patience := 0, 1000; patience > 0; patience-- {
		rows, err := w.askStatus(ctx)
		if err != nil {
			return "", "", err
		}
		at := map[string]string{}
		for i := range rows {
			at[strings.ToLower(rows.text(i, 0))] = rows.text(i, 1)
		}
		if f, p := at["binlog_snapshot_file"], at["binlog_snapshot_position"]; f != file || p != position {
			file, position, same = f, p, 0
		}
		if same++; same == agreeing {
			return file, position, nil
		}
	}
	return "", "", errors.New("the server does not say the place of its snapshot the same three times in a row: so many ask for its status")
}

// askStatus asks for it, one session of the source after the other.
func (w *copier) askStatus(ctx context.Context) (result, error) {
	w.source.statusMu.Lock()
	defer w.source.statusMu.Unlock()
	return w.query(ctx, "SHOW STATUS LIKE 'binlog_snapshot_%'")
}

// mariaPlace finds the place of a snapshot by its file and position. The server reads
// the file up to there for that, which may be long, so that it is asked first whether
// the log still ends there: then what it ended with in between is the place.
func (w *copier) mariaPlace(ctx context.Context) error {
	file, position, err := w.snapshotStatus(ctx)
	if err != nil {
		return err
	}
	if w.byPosition {
		w.at, err = parsePlace(file + ":" + position)
		return err
	}
	end, err := w.logEnd(ctx)
	if err != nil {
		return err
	}
	now, err := w.query(ctx, "SHOW MASTER STATUS")
	if err != nil {
		return err
	}
	if len(now) > 0 && now.text(0, 0) == file && now.text(0, 1) == position {
		w.at = end
		return nil
	}
	found, err := w.query(ctx, fmt.Sprintf("SELECT BINLOG_GTID_POS(%s, %s) IS NULL, coalesce(BINLOG_GTID_POS(%s, %s), '')",
		quoteText(file), position, quoteText(file), position))
	if err != nil {
		return err
	}
	if found.int(0, 0) == 1 {
		return fmt.Errorf("the server does not know the place of its snapshot, %s:%s", file, position)
	}
	w.at, err = parsePlace(found.text(0, 1))
	return err
}

// A piece is a table, or a range of its keys.
type piece struct {
	table *tableInfo
	conds []string
}

// copyTables lets the workers take pieces until none is left, or one fails.
func (s *Source) copyTables(ctx context.Context, workers []*copier) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan piece)
	rate := &handover.Pace{Rate: s.config.MaxRate}
	var group sync.WaitGroup
	var late postponed
	for _, w := range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := w.query(ctx, "SET character_set_results = NULL"); err != nil {
				cancel(err)
			}
			for p := range work {
				if err := w.copy(ctx, p, rate); err != nil && !late.takes(p.table.TableName, err) {
					cancel(s.config.whereFailed(p.table.TableName, err))
				}
			}
		}()
	}
	err := s.handOutPieces(ctx, work)
	close(work)
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	return s.postpone(ctx, late.tables)
}

// postponed are the tables that a snapshot cannot read, because they were altered or
// went since it was taken (M24). They are copied while their changes are streamed.
type postponed struct {
	mu     sync.Mutex
	tables map[TableName]bool
}

// takes takes a table if an error says that it is one of them.
func (p *postponed) takes(t TableName, err error) bool {
	switch serverCode(err) {
	case mysql.ER_TABLE_DEF_CHANGED, mysql.ER_NO_SUCH_TABLE, mysql.ER_BAD_FIELD_ERROR:
	default:
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tables == nil {
		p.tables = map[TableName]bool{}
	}
	p.tables[t] = true
	return true
}

// postpone lets tables be copied later, and says so: rows of them may be out already.
func (s *Source) postpone(ctx context.Context, tables map[TableName]bool) error {
	if len(tables) == 0 {
		return nil
	}
	b := s.queue.Get()
	for t := range tables {
		s.config.Log.Warn("table was altered while it was copied, and is copied later", "table", t.String())
		rel := s.tables.find(t)
		rel.silent = true
		s.copies.start(rel, keptCopy{})
		b.Copies = append(b.Copies, pipeline.TableCopy{Table: rel.shape.table})
	}
	s.a.keepTables()
	b.EndWhole(pipeline.Resume{State: s.a.encoded}, s.config.Now())
	return s.queue.Put(ctx, b)
}

func (s *Source) handOutPieces(ctx context.Context, work chan<- piece) error {
	for _, t := range s.facts.chosen {
		if s.tables.find(t.TableName).copying != nil {
			continue // it is large
		}
		ranges, err := s.ranges(ctx, t)
		if err != nil {
			return err
		}
		for _, conds := range ranges {
			select {
			case work <- piece{t, conds}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// ranges splits a large table by the first column of its primary key, if that is a
// whole number. The outer ranges are open: rows beyond the ends that were seen are in
// them.
func (s *Source) ranges(ctx context.Context, t *tableInfo) ([][]string, error) {
	n := min(t.rows/s.config.PieceRows, 1000)
	if n < 2 || len(t.primary) == 0 || !isWhole(find(t.columns, t.primary[0])) {
		return [][]string{nil}, nil
	}
	column := quoteName(t.primary[0])
	var ends result
	err := s.ask(func(_ context.Context, side *session) (err error) {
		ends, err = side.query(ctx, "SELECT coalesce(min("+column+"), 0), coalesce(max("+column+"), 0) FROM "+t.sql())
		return err
	})
	if err != nil {
		return nil, err
	}
	low, ok1 := new(big.Int).SetString(ends.text(0, 0), 10)
	high, ok2 := new(big.Int).SetString(ends.text(0, 1), 10)
	if !ok1 || !ok2 || low.Cmp(high) >= 0 {
		return [][]string{nil}, nil
	}
	return split(column, low, high, n), nil
}

func isWhole(c *binlogvalue.Column) bool {
	if c == nil {
		return false
	}
	switch c.Type {
	case binlogvalue.Tiny, binlogvalue.Short, binlogvalue.Int24, binlogvalue.Long, binlogvalue.LongLong:
		return true
	}
	return false
}

// split gives n ranges between two numbers, of which the first and the last are open.
func split(column string, low, high *big.Int, n int64) [][]string {
	var out [][]string
	width := new(big.Int).Sub(high, low)
	var from string
	for i := int64(1); i <= n; i++ {
		to := new(big.Int).Mul(width, big.NewInt(i))
		to.Div(to, big.NewInt(n)).Add(to, low)
		switch {
		case i == 1:
			out = append(out, []string{column + " < " + to.String()})
		case i == n:
			out = append(out, []string{column + " >= " + from})
		default:
			out = append(out, []string{column + " >= " + from, column + " < " + to.String()})
		}
		from = to.String()
	}
	return out
}

// copy reads one piece into batches.
func (w *copier) copy(ctx context.Context, p piece, rate *handover.Pace) error {
	rel := w.source.tables.find(p.table.TableName)
	stop := context.AfterFunc(ctx, w.close)
	defer stop()
	in := &filler{source: w.source, rel: rel, rate: rate}
	var r mysql.Result
	if err := w.conn.ExecuteSelectStreaming(rel.shape.selects(w.source.config.chosenRows(p.table.TableName, p.conds...)...), &r, func(row []mysql.FieldValue) error { return in.add(ctx, row) }, nil); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("copy %s: %w", p.table, unwrapped(err))
	}
	return in.done(ctx)
}

// unwrapped finds the refusal in what the client made of it.
func unwrapped(err error) error {
	var r *pipeline.Refusal
	if errors.As(err, &r) {
		return r
	}
	return plain(err)
}

// A filler puts the rows of one piece into batches.
type filler struct {
	source *Source
	rel    *relation
	rate   *handover.Pace
	out    *handover.Batch
}

// add takes one row, whose memory is the client's.
func (f *filler) add(ctx context.Context, fields []mysql.FieldValue) error {
	if f.out == nil {
		f.out = f.source.queue.Get()
		f.out.Snapshot = true
	}
	row := f.out.Rows.Row(len(fields))
	for i := range fields {
		v, err := fieldValue(f.rel.shape.codec, i, &fields[i], &f.out.Bytes)
		if err != nil {
			return valueRefused(&f.source.config, f.rel.TableName, "the copy", err)
		}
		row[i] = v
	}
	*f.out.Add() = pipeline.Change{Table: f.rel.shape.table, Op: pipeline.Read, After: row, Tx: &f.source.a.noTx}
	if err := f.rate.Wait(ctx, sizeOf(fields)); err != nil {
		return err
	}
	if f.out.Full(f.source.config.BatchRows, f.source.config.BatchBytes) {
		return f.flush(ctx)
	}
	return nil
}

// flush hands over what is gathered, at a place inside the snapshot.
func (f *filler) flush(ctx context.Context) error {
	n := len(f.out.Changes)
	f.out.EndWhole(pipeline.Resume{State: f.source.a.encoded}, f.source.config.Now())
	if err := f.source.queue.Put(ctx, f.out); err != nil {
		return err
	}
	f.out = nil
	f.source.stats.copiedRows(f.rel.String(), n, false)
	return nil
}

// done ends a piece.
func (f *filler) done(ctx context.Context) error {
	if f.out != nil {
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	f.source.stats.copiedRows(f.rel.String(), 0, true)
	return nil
}
