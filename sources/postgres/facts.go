package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// facts is all that a start depends on, read in one go, so that everything wrong
// is told at once.
type facts struct {
	preflight.Server
	slot        *slotFacts
	publication *publicationFacts
	tables      []*tableInfo // all tables of the database
}

type slotFacts struct {
	name, plugin, kind, database string
	active                       bool
	activePID                    int64
	restart, confirmed           string // LSNs; empty: none
	walStatus                    string // empty before 13
	cause                        string // invalidation_reason, from 17 on
}

type publicationFacts struct {
	allTables bool
	all       bool // inserts, updates, deletes and truncates
	owned     bool
	viaRoot   bool
}

func loadFacts(ctx context.Context, c *Config, s *side) (*facts, error) {
	of, err := preflight.LoadServer(ctx, s.query)
	if err != nil {
		return nil, err
	}
	f := &facts{Server: of}
	if f.slot, err = loadSlot(ctx, s, c.Slot); err != nil {
		return nil, err
	}
	if f.publication, err = loadPublication(ctx, s, c.Publication); err != nil {
		return nil, err
	}
	if f.tables, err = loadTables(ctx, s, true); err != nil {
		return nil, err
	}
	return f, markPublished(ctx, s, f.Version, c.Publication, f.tables)
}

// viaRoot reports whether changes of partitions arrive under their root's name. A
// publication that is still to be made lets them.
func (f *facts) viaRoot() bool {
	if f.publication == nil {
		return f.Version >= 130000
	}
	return f.publication.viaRoot
}

// slotSQL reads the view as JSON because its columns differ between versions.
const slotSQL = `
SELECT slot_name, coalesce(plugin, ''), slot_type, coalesce(database, ''), active, active_pid, restart_lsn, confirmed_flush_lsn,
       to_jsonb(s) ->> 'wal_status', coalesce(to_jsonb(s) ->> 'invalidation_reason', '')
FROM pg_replication_slots s WHERE slot_name = `

func loadSlot(ctx context.Context, s *side, name string) (*slotFacts, error) {
	rs, err := s.query(ctx, slotSQL+"$1", name)
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	return readSlot(rs[0]), nil
}

// slotOn reads the slot on a replication connection.
func slotOn(ctx context.Context, conn *pgconn.PgConn, name string) (*slotFacts, error) {
	rs, err := pgsql.SimpleQuery(ctx, conn, slotSQL+pgsql.QuoteLiteral(name))
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	return readSlot(rs[0]), nil
}

func readSlot(cols [][]byte) *slotFacts {
	r := pgsql.Record{Cols: cols}
	return &slotFacts{
		name: r.Text(), plugin: r.Text(), kind: r.Text(), database: r.Text(), active: r.Bool(), activePID: r.Int(),
		restart: r.Text(), confirmed: r.Text(), walStatus: r.Text(), cause: r.Text(),
	}
}

func loadPublication(ctx context.Context, s *side, name string) (*publicationFacts, error) {
	rs, err := s.query(ctx, `
		SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pg_has_role(pubowner, 'USAGE'),
		       coalesce((to_jsonb(p) ->> 'pubviaroot')::bool, false)
		FROM pg_publication p WHERE pubname = $1`, name)
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	r := pgsql.Record{Cols: rs[0]}
	return &publicationFacts{allTables: r.Bool(), all: r.Bool(), owned: r.Bool(), viaRoot: r.Bool()}, nil
}

// A system says which server and history a position belongs to.
type system struct {
	id       string
	timeline int
	database string
	end      lsn       // of the flushed log
	standby  bool      // it is in recovery, so that its log may be behind
	history  []forking // of its timeline
}

// identify says what a server is, and where its timeline comes from.
func identify(ctx context.Context, conn *pgconn.PgConn) (system, error) {
	s, err := identity(ctx, conn)
	if err == nil {
		s.history, err = historyOf(ctx, conn, s.timeline)
	}
	return s, err
}

// identity says what a server is.
func identity(ctx context.Context, conn *pgconn.PgConn) (system, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout) // P32
	defer cancel()
	rs, err := pgsql.SimpleQuery(ctx, conn, "IDENTIFY_SYSTEM")
	if err != nil || len(rs) != 1 {
		return system{}, fmt.Errorf("identify the server: %w", err)
	}
	r := pgsql.Record{Cols: rs[0]}
	s := system{id: r.Text(), timeline: int(r.Int())}
	s.end, err = parseLSN(r.Text())
	s.database = r.Text()
	if err == nil {
		rs, err = pgsql.SimpleQuery(ctx, conn, "SELECT pg_is_in_recovery()")
		s.standby = rs.Text(0, 0) == "t"
	}
	return s, err
}
