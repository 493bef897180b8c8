package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// CodePinWaits: transactions that write do not end, and no snapshot with a known
// place can be taken before they do.
const CodePinWaits pipeline.Code = "PG_SNAPSHOT_WAITS"

// A Pin is the database as an exact prefix of its commits: it shows every
// transaction whose commit record begins before Place, and no other. One
// goroutine uses it.
type Pin struct {
	Place  uint64 // an LSN
	conn   *pgconn.PgConn
	asides *asides
	dir    string
}

// Take makes a pin. A temporary slot gives the snapshot and its consistent point,
// as it does for the first copy; it is gone when Take returns. The server waits
// for every transaction that writes; past ctx's end that is a Refusal which names
// them.
//
// Values that are too large for memory (TableRows) lie in c.SpillDir meanwhile, which is
// the pin's own, and is emptied.
func Take(ctx context.Context, c Config) (*Pin, error) {
	c = c.withDefaults()
	if err := errors.Join(os.RemoveAll(c.SpillDir), os.MkdirAll(c.SpillDir, 0o700)); err != nil {
		return nil, fmt.Errorf("empty the folder of large values: %w", err)
	}
	c.asides = newAsides(&c)
	repl, err := c.connectReplication(ctx)
	if err != nil {
		return nil, err
	}
	defer closeConn(repl.PgConn)
	name := truncate(c.Slot, 40) + "_verify_" + strings.ToLower(rand.Text()[:13]) // that of a pin before may not be gone yet
	slot, err := pglogrepl.CreateReplicationSlot(ctx, repl.PgConn, pgsql.QuoteIdent(name), "pgoutput",
		pglogrepl.CreateReplicationSlotOptions{Mode: pglogrepl.LogicalReplication, Temporary: true, SnapshotAction: "EXPORT_SNAPSHOT"})
	if err != nil {
		return nil, c.notPinned(ctx, err)
	}
	point, err := parseLSN(slot.ConsistentPoint)
	if err != nil {
		return nil, fmt.Errorf("consistent point: %w", err)
	}
	conn, err := c.connectIn(ctx, slot.SnapshotName)
	if err != nil {
		return nil, err
	}
	return &Pin{Place: uint64(point), conn: conn, asides: c.asides, dir: c.SpillDir}, nil
}

// notPinned says why there is no slot.
func (c *Config) notPinned(ctx context.Context, err error) error {
	switch {
	case pgsql.State(err) == "53400":
		return &pipeline.Refusal{Code: preflight.CodeNoFreeSlot, Where: "source " + c.Name, What: "all replication slots are taken, and a comparison needs one for a moment", Err: err,
			Mend: c.platform.Set("max_replication_slots", "20", true) + "   # more than there are"}
	case ctx.Err() == nil:
		return fmt.Errorf("make a temporary slot: %w", err)
	}
	r := &pipeline.Refusal{Code: CodePinWaits, Where: "source " + c.Name,
		What: "transactions that write are open, and a snapshot with a known place waits for their end", Mend: "end them, or try again later"}
	if who := c.writers(context.WithoutCancel(ctx)); who != "" {
		r.What += ": " + who
	}
	return errors.Join(r, context.Cause(ctx))
}

// writers names some of the transactions that write.
func (c *Config) writers(ctx context.Context) string {
	conn, err := c.connect(ctx, false)
	if err != nil {
		return ""
	}
	defer closeConn(conn)
	rs, err := pgsql.SimpleQuery(ctx, conn, writersSQL)
	if err != nil {
		return ""
	}
	var who []string
	for i := range rs {
		who = append(who, rs.Text(i, 0))
	}
	return strings.Join(who, "; ")
}

// Place gives an LSN as a number.
func Place(native string) (uint64, error) {
	at, err := parseLSN(native)
	return uint64(at), err
}

// Native is the place as positions write it.
func (p *Pin) Native() string { return lsn(p.Place).String() }

// Rows gives the rows of a query as the server prints them; nil is NULL. The
// columns are valid until row returns.
func (p *Pin) Rows(ctx context.Context, sql string, row func(columns [][]byte) error) error {
	results := p.conn.Exec(ctx, sql)
	for results.NextResult() {
		r := results.ResultReader()
		for r.NextRow() {
			if err := row(r.Values()); err != nil {
				return errors.Join(err, results.Close())
			}
		}
		if _, err := r.Close(); err != nil {
			_ = results.Close() // says the same
			return pinError(err)
		}
	}
	return pinError(results.Close())
}

// TableRows is Rows for columns of these types. A value that is too large for memory is
// nil in columns, and large has it by its place, valid until row returns: a text, JSON or
// byte string as it is, and of any other type its text.
func (p *Pin) TableRows(ctx context.Context, sql string, types []schema.Kind, row func(columns [][]byte, large map[int]pipeline.Aside) error) error {
	shortenerOf(p.conn).seek = carriesRows
	defer func() { shortenerOf(p.conn).seek = carriesNone }()
	return p.Rows(ctx, sql, func(columns [][]byte) error {
		defer p.asides.clear() // they are those of this row
		large, err := p.large(columns, types)
		if err != nil {
			return err
		}
		return row(columns, large)
	})
}

func (p *Pin) large(columns [][]byte, types []schema.Kind) (large map[int]pipeline.Aside, err error) {
	for i := range columns {
		v := p.asides.is(columns[i])
		if v == nil {
			continue
		}
		if large == nil {
			large = map[int]pipeline.Aside{}
		}
		f := field{codec: pgvalue.Codec{Op: pgvalue.Opaque}}
		switch types[i] {
		case schema.KindBytes:
			f.codec.Op = pgvalue.Bytea
		case schema.KindJSON:
			f.codec.Op = pgvalue.JSON
		}
		if large[i], err = newLargeValue(v, f); err != nil {
			return nil, err
		}
		columns[i] = nil
	}
	return large, nil
}

// pinError leaves out what a server's message may hold of rows: its detail.
func pinError(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pgsql.ServerError(pg)
	}
	return err
}

// Close lets go of the snapshot.
func (p *Pin) Close() {
	closeConn(p.conn)
	p.asides.clear()
	_ = os.RemoveAll(p.dir) // what stays is removed by the next one
}
