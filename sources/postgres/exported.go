package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// connectIn opens a connection that sees the database as an exported snapshot has
// it, for reading.
func (c *Config) connectIn(ctx context.Context, snapshot string) (*pgconn.PgConn, error) {
	conn, err := c.connect(ctx, false)
	if err != nil {
		return nil, err
	}
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT " + pgsql.QuoteLiteral(snapshot)
	if _, err := pgsql.SimpleQuery(ctx, conn, begin); err != nil {
		closeConn(conn)
		return nil, fmt.Errorf("take over the slot's snapshot: %w", err)
	}
	return conn, nil
}

// lookAgain reads the catalog as it is where the slot begins: making the slot may
// have waited for hours since it was read first, and a column that came meanwhile
// is in the snapshot and not in the log. What looks otherwise now is announced.
// Tables that came meanwhile are not in the publication.
func (s *Source) lookAgain(ctx context.Context, at *side) error {
	known := *s.watched.Load()
	facts, err := loadFacts(ctx, &s.config, at)
	if err != nil {
		return err
	}
	if s.chosen, err = choose(ctx, &s.config, at, facts); err != nil {
		return err
	}
	s.facts = facts
	s.keepCopied(func(t *tableInfo) bool { return known[t.oid] != nil })
	conditions, err := s.config.checkWhere(ctx, at, s.chosen.tables)
	if err != nil {
		return err
	}
	problems := slices.Concat(s.chosen.refusals, conditions, s.facts.publicationRefusals(&s.config, s.chosen, false))
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if err := hold(ctx, at, s.chosen.tables); err != nil {
		return err
	}
	before := s.shapes
	if err := s.makeShapes(ctx, at); err != nil {
		return err
	}
	if err := s.takeMarks(ctx, at); err != nil {
		return err
	}
	return s.announce(ctx, before)
}

// announce hands over the tables that look otherwise than before.
func (s *Source) announce(ctx context.Context, before []*shape) error {
	clear(s.a.rels)
	b := s.queue.Get()
	for _, sh := range s.shapes {
		s.a.rels[sh.oid] = &relation{shape: sh}
		if !slices.Contains(before, sh) {
			b.Tables = append(b.Tables, sh.table)
		}
	}
	if b.Empty() {
		return nil
	}
	b.EndWhole(pipeline.Resume{State: s.a.encoded}, s.config.Now())
	return s.queue.Put(ctx, b)
}

// hold keeps the tables from being rewritten while they are copied, and makes
// sure that none was since the snapshot was taken: to it, such a table is empty
// (https://www.postgresql.org/docs/current/mvcc-caveats.html).
func hold(ctx context.Context, at *side, tables []*tableInfo) error {
	if len(tables) == 0 {
		return nil
	}
	var oids []uint32
	for _, t := range tables {
		oids = append(oids, t.oid)
	}
	if _, err := at.query(ctx, "LOCK TABLE "+tableList(tables)+" IN ACCESS SHARE MODE"); err != nil {
		return fmt.Errorf("keep the tables from being rewritten: %w", err)
	}
	rs, err := at.query(ctx, `
		SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)
		  AND (c.oid = ANY($1::oid[]) OR c.oid IN (SELECT p.relid FROM unnest($1::oid[]) t(oid), pg_partition_tree(t.oid) p))`, pgsql.OIDList(oids))
	if err != nil {
		return fmt.Errorf("look whether tables were rewritten: %w", err)
	}
	if len(rs) > 0 {
		return fmt.Errorf("table %s.%s was rewritten or truncated while the snapshot began; it begins again", rs.Text(0, 0), rs.Text(0, 1))
	}
	return nil
}
