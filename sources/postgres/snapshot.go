package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// snapshot copies all tables as they are at the place where the slot begins, so
// that each row is in exactly one of copy and stream (P09):
//
//	replication connection   CREATE_REPLICATION_SLOT … EXPORT_SNAPSHOT ─── idle ───► START_REPLICATION
//	worker 1                      BEGIN REPEATABLE READ; SET TRANSACTION SNAPSHOT; what the tables are; LOCK … ACCESS SHARE; COPY, COPY, …
//	worker 2 … n                  BEGIN REPEATABLE READ; SET TRANSACTION SNAPSHOT; LOCK … ACCESS SHARE, or leave; COPY, COPY, …
//
// The exported snapshot lives as long as its connection is left alone (P10);
// what breaks here is therefore begun again from a new slot.
func (s *Source) snapshot(ctx context.Context, conn *replConn) (err error) {
	if err := s.awaitPlan(ctx); err != nil {
		return err
	}
	if err := s.dropLeftover(ctx, conn); err != nil {
		return err
	}
	slot, err := s.createSlot(ctx, conn)
	if err != nil {
		return err
	}
	point, err := parseLSN(slot.ConsistentPoint)
	if err != nil {
		return err
	}
	defer func() { err = s.giveUp(err) }()
	began := s.config.Now()
	s.config.Log.Info("snapshot begins", "slot", s.config.Slot, "consistent_point", slot.ConsistentPoint, "tables", len(s.shapes))
	if err := s.copyTables(ctx, slot.SnapshotName, point, began); err != nil {
		return err
	}
	return s.copied(ctx, point, began)
}

// giveUp drops the slot when a person has to act before a snapshot can be
// complete: it would hold back the log until then, and a new snapshot makes a new
// one anyway. After other errors the slot stays for the next start to drop.
func (s *Source) giveUp(err error) error {
	var r *pipeline.Refusal
	if !final(err) || !errors.As(err, &r) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	drop := "SELECT pg_drop_replication_slot(" + pgsql.QuoteLiteral(s.config.Slot) + ")"
	_, failed := s.side.query(ctx, drop)
	if failed == nil || pgsql.State(failed) == "42704" { // gone
		s.config.Log.Info("dropped the slot of a snapshot that cannot be complete", "slot", s.config.Slot)
		return err
	}
	told := *r
	told.What += fmt.Sprintf("; slot %s holds back the log meanwhile and cannot be dropped (%v)", s.config.Slot, failed)
	told.Mend += "\n" + drop + ";"
	return &told
}

// copied hands over the end of the snapshot: the first position. The copies of large
// tables begin here, and go on while the source streams.
func (s *Source) copied(ctx context.Context, point lsn, began time.Time) error {
	s.initial.Copied, s.initial.Point = true, point.String()
	s.initial = s.captured(s.initial)
	b := s.queue.Get()
	for _, sh := range s.copying.later {
		where := s.config.where(pgsql.TableName{Schema: sh.table.Schema, Name: sh.table.Name}).Fingerprint()
		s.initial = s.initial.copy(tableCopy{OID: sh.oid, Where: where})
		b.Copies = append(b.Copies, pipeline.TableCopy{Table: sh.table})
	}
	s.a.keep(s.initial)
	s.copying.resume(s.initial)
	s.a.settle()
	s.a.at, s.a.atLSN = pipeline.Position{Seq: 1, Native: point.String()}, receivedLSN(point)
	b.EndWhole(pipeline.Resume{At: s.a.at, State: s.a.encoded}, began)
	s.stats.snapshotDone()
	s.config.Log.Info("snapshot is complete", "took", s.config.Now().Sub(began).String())
	return s.queue.Put(ctx, b)
}

// awaitPlan waits until the intent to make a slot is committed downstream, for
// however long that takes: after a crash the slot has to be known as ours (P10).
func (s *Source) awaitPlan(ctx context.Context) error {
	select {
	case <-s.planned:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// dropLeftover drops the slot that an interrupted snapshot left; prepare has
// seen that it is ours.
func (s *Source) dropLeftover(ctx context.Context, conn *replConn) error {
	if s.facts.slot == nil {
		return nil
	}
	s.config.Log.Info("dropping the slot of an interrupted snapshot", "slot", s.config.Slot)
	err := pglogrepl.DropReplicationSlot(ctx, conn.PgConn, pgsql.QuoteIdent(s.config.Slot), pglogrepl.DropReplicationSlotOptions{Wait: true})
	if err != nil && pgsql.State(err) != "42704" { // gone meanwhile
		return fmt.Errorf("drop the slot of an interrupted snapshot: %w", err)
	}
	return nil
}

// createSlotSQL asks, where the server knows how, for a slot that standbys keep up
// to date, so that one that is promoted has it.
// snapshot is what becomes of its snapshot: export or nothing.
func (s *Source) createSlotSQL(snapshot string) string {
	create := "CREATE_REPLICATION_SLOT " + pgsql.QuoteIdent(s.config.Slot) + " LOGICAL pgoutput "
	if s.version < failoverVersion || s.config.NoFailover {
		return create + map[string]string{"export": "EXPORT_SNAPSHOT", "nothing": "NOEXPORT_SNAPSHOT"}[snapshot]
	}
	return create + "(SNAPSHOT '" + snapshot + "', FAILOVER true)"
}

// failoverVersion is the first with slots that are synchronized to standbys.
const failoverVersion = 170000

// createSlot makes the slot. The server waits for every transaction that writes;
// meanwhile the log and the statistics say for whom (P08).
func (s *Source) createSlot(ctx context.Context, conn *replConn) (pglogrepl.CreateReplicationSlotResult, error) {
	type answer struct {
		slot pglogrepl.CreateReplicationSlotResult
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		slot, err := pglogrepl.ParseCreateReplicationSlot(conn.Exec(ctx, s.createSlotSQL("export")))
		done <- answer{slot, err}
	}()
	ticker := time.NewTicker(s.config.WaitNotice)
	defer ticker.Stop()
	for {
		select {
		case a := <-done:
			s.stats.waitFor("")
			return a.slot, s.slotError(a.err)
		case <-ticker.C:
			s.noticeWriters(ctx)
		}
	}
}

func (s *Source) slotError(err error) error {
	switch pgsql.State(err) {
	case "":
		return err
	case "53400":
		return &pipeline.Refusal{Code: preflight.CodeNoFreeSlot, Where: s.facts.Database, What: "all replication slots are taken", Err: err,
			Mend: s.facts.Platform.Set("max_replication_slots", fmt.Sprint(s.facts.MaxSlots+5), true)}
	case "42710":
		return &pipeline.Refusal{Code: CodeSlotExists, Where: "slot " + s.config.Slot, What: "it exists, and nothing stored says that it is ours", Err: err,
			Mend: "SELECT pg_drop_replication_slot(" + pgsql.QuoteLiteral(s.config.Slot) + ");"}
	}
	return fmt.Errorf("make the slot: %w", err)
}

const writersSQL = `
SELECT 'pid ' || pid || ', user ' || coalesce(usename, '?') || ', application ' || quote_literal(coalesce(application_name, ''))
       || ', for ' || date_trunc('second', now() - xact_start)
FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
UNION ALL
SELECT 'prepared transaction ' || quote_literal(gid) || ' of ' || owner || ', for ' || date_trunc('second', now() - prepared) FROM pg_prepared_xacts
LIMIT 5`

func (s *Source) noticeWriters(ctx context.Context) {
	rs, err := s.side.query(ctx, writersSQL)
	if err != nil {
		s.config.Log.Warn("cannot see what the slot waits for", "error", err)
		return
	}
	var writers []string
	for i := range rs {
		writers = append(writers, rs.Text(i, 0))
	}
	who := strings.Join(writers, "; ")
	s.stats.waitFor("the slot can be made when these transactions have ended: " + who)
	s.config.Log.Warn("the slot can be made when older transactions have ended", "slot", s.config.Slot, "waiting_for", who)
}

// copyTables lets the workers copy all chunks. The first error ends all.
func (s *Source) copyTables(ctx context.Context, snapshot string, point lsn, began time.Time) error {
	conn, err := s.config.connectIn(ctx, snapshot)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	at := &side{config: &s.config, conn: conn, fixed: true}
	if err := s.lookAgain(ctx, at); err != nil || s.config.NoSnapshot {
		return err
	}
	chunks, err := s.cut(ctx, at)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan chunk, len(chunks))
	for _, c := range chunks {
		work <- c
	}
	close(work)
	pace := &handover.Pace{Rate: s.config.MaxRate}
	var group sync.WaitGroup
	for n := range min(s.config.SnapshotWorkers, max(1, len(chunks))) {
		w := &copier{source: s, tx: &pipeline.Tx{Commit: uint64(point), At: began}, pace: pace}
		group.Go(func() {
			run := func() error { return w.join(ctx, snapshot, work) }
			if n == 0 {
				run = func() error { return w.run(ctx, conn, work) }
			}
			if err := run(); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// A chunk is a part of a table that is copied by one COPY.
type chunk struct {
	shape    *shape
	progress *tableProgress
	sql      string
}

// chunkBlocks is how many blocks a chunk of a large table has: 64 MiB.
const chunkBlocks = 8192

// cut cuts the tables into chunks, in the order of their ranks, and of one rank the
// largest first. Those that are too large for one snapshot are left for later (P11), and
// all where a standby is read, which knows nothing of an exported one.
func (s *Source) cut(ctx context.Context, at *side) ([]chunk, error) {
	order := slices.Clone(s.shapes)
	info := map[uint32]*tableInfo{}
	for _, t := range s.chosen.tables {
		info[t.oid] = t
	}
	slices.SortStableFunc(order, func(a, b *shape) int {
		return cmp.Or(s.config.rank(info[a.oid].TableName)-s.config.rank(info[b.oid].TableName), int(info[b.oid].bytes>>10)-int(info[a.oid].bytes>>10))
	})
	var out []chunk
	for _, sh := range order {
		t := info[sh.oid]
		if t.bytes > s.config.ChunkAbove || s.config.SnapshotURL != nil {
			s.copying.later = append(s.copying.later, sh)
			continue
		}
		leaves, err := leaves(ctx, at, t)
		if err != nil {
			return nil, err
		}
		p := s.stats.table(sh.table.String(), t.rows, t.bytes)
		for _, leaf := range leaves {
			for _, sql := range s.copies(sh, t, leaf) {
				out = append(out, chunk{shape: sh, progress: p, sql: sql})
				p.chunks.Add(1)
			}
		}
	}
	return out, nil
}

// A leaf is a relation that has rows of its own.
type leaf struct {
	pgsql.TableName
	blocks int64
}

// leaves gives the table itself, or the leaves of a partitioned one.
func leaves(ctx context.Context, at *side, t *tableInfo) ([]leaf, error) {
	rs, err := at.query(ctx, `
		SELECT n.nspname, c.relname, pg_relation_size(c.oid) / current_setting('block_size')::int
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND (c.oid = $1::oid OR c.oid IN (SELECT relid FROM pg_partition_tree($1::oid) WHERE isleaf))
		ORDER BY c.oid`, fmt.Sprint(t.oid))
	if err != nil {
		return nil, fmt.Errorf("read the size of %s: %w", t.SQL(), err)
	}
	var out []leaf
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		out = append(out, leaf{TableName: pgsql.TableName{Schema: r.Text(), Name: r.Text()}, blocks: r.Int()})
	}
	return out, nil
}

// copies writes the COPY statements of one leaf. Ranges of ctid are read without
// scanning the rest from version 14 on; the last one is open, because the file
// may have grown before the snapshot was taken.
func (s *Source) copies(sh *shape, t *tableInfo, l leaf) []string {
	var names []string
	for _, c := range sh.table.Columns {
		names = append(names, c.Name)
	}
	list, options := quoteList(names), ") TO STDOUT"
	if s.config.copiesBinary(sh) {
		options += " (FORMAT binary)"
	}
	query, chosen := "COPY (SELECT "+list+" FROM ONLY "+l.SQL(), s.config.chosenRows(t)
	where := func(conds ...string) string {
		conds = append(conds, chosen...)
		if len(conds) == 0 {
			return query + options
		}
		return query + " WHERE " + strings.Join(conds, " AND ") + options
	}
	if s.version < 140000 || s.config.SnapshotWorkers == 1 || l.blocks < 2*chunkBlocks {
		if len(chosen) == 0 && !t.sendsGenerated() {
			return []string{"COPY " + l.SQL() + " (" + list + options}
		}
		return []string{where()}
	}
	var out []string
	for low := int64(0); low < l.blocks; low += chunkBlocks {
		conds := []string{fmt.Sprintf("ctid >= '(%d,0)'::tid", low)}
		if low+chunkBlocks < l.blocks {
			conds = append(conds, fmt.Sprintf("ctid < '(%d,0)'::tid", low+chunkBlocks))
		}
		out = append(out, where(conds...))
	}
	return out
}
