package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline"
)

// The table of positions has one row for each sink. It is locked and compared
// inside every transaction that touches the sink's table, so that what was written
// and how far was read are one step (I1), and a writer that was replaced commits
// nothing (K05).
//
//	sink        the sink's name, with its deployment's
//	"table"     what it is kept in
//	relation    that table's oid: one that was made anew is another (0: none yet)
//	created     Evert made the table, and may change its columns
//	columns     those that it writes; key: those of them that a row is known by
//	epoch       counts the owners; each compares it
//	build       counts the fills
//	filling     what was written lies beside the table, and readers do not see it
//	resume      where to go on; NULL: from the beginning
//	owner       the owner's server process, since claimed; NULL: the sink keeps the
//	            table no more, and its row says which one it had made
const createPositionsSQL = `CREATE TABLE IF NOT EXISTS %s (
	sink text PRIMARY KEY, "table" text NOT NULL, relation oid NOT NULL DEFAULT 0, created bool NOT NULL DEFAULT false,
	columns text[] NOT NULL DEFAULT '{}', key text[] NOT NULL DEFAULT '{}', epoch bigint NOT NULL, build bigint NOT NULL DEFAULT 1,
	filling bool NOT NULL DEFAULT true, resume bytea, owner int, claimed timestamptz, updated timestamptz)`

// A holding is a row of the table of positions, as its owner knows it.
type holding struct {
	relation uint32
	created  bool
	columns  []string
	epoch    int64
	filling  bool
	resume   pipeline.Resume
}

// ensurePositions makes the table of positions unless it is there.
func (t *Target) ensurePositions(ctx context.Context) error {
	r, err := loadRelation(ctx, t.conn, t.config.Positions)
	if r != nil || err != nil {
		return err
	}
	_, err = t.conn.Exec(ctx, fmt.Sprintf(createPositionsSQL, t.config.Positions.sql()))
	if code := sqlState(err); code == "23505" || code == "42P07" || code == "42710" { // another sink was faster
		return nil
	}
	if code := sqlState(err); code == "3F000" {
		return t.config.refuse(CodeRight, "there is no schema "+t.config.Positions.Schema, "CREATE SCHEMA "+quoteIdent(t.config.Positions.Schema)+";")
	}
	return passing("make table "+t.config.Positions.String(), err)
}

// takeSQL makes the caller the owner. renew gives up what is held.
const takeSQL = `
INSERT INTO %s AS s (sink, "table", epoch, owner, claimed) VALUES ($1, $2, 1, pg_backend_pid(), now())
ON CONFLICT (sink) DO UPDATE SET epoch = s.epoch + 1, owner = pg_backend_pid(), claimed = now(),
	"table" = excluded."table", relation = CASE WHEN s."table" = excluded."table" THEN s.relation ELSE 0 END,
	created = s.created AND s."table" = excluded."table",
	build = s.build + CASE WHEN $3 OR s."table" <> excluded."table" THEN 1 ELSE 0 END,
	filling = s.filling OR $3 OR s."table" <> excluded."table",
	resume = CASE WHEN $3 OR s."table" <> excluded."table" THEN NULL ELSE s.resume END
RETURNING relation, created, columns, epoch, filling, resume`

// take takes the sink over from any older holder. One that died inside a
// transaction and left its connection open is ended.
func (t *Target) take(ctx context.Context, renew bool) (h holding, err error) {
	var resume []byte
	err = t.insist(ctx, "take over "+t.config.Positions.String(), func() error {
		return t.conn.QueryRow(ctx, fmt.Sprintf(takeSQL, t.config.Positions.sql()), t.config.Name, t.config.Table.String(), renew).
			Scan(&h.relation, &h.created, &h.columns, &h.epoch, &h.filling, &resume)
	})
	if err != nil {
		return h, err
	}
	h.resume, err = parseResume(resume)
	return h, err
}

// insist does what locks rows of the sink, of which an older holder may have some inside
// its transaction for as long as it hangs: its connection is ended.
func (t *Target) insist(ctx context.Context, what string, do func() error) error {
	for attempt := 0; ; attempt++ {
		err := do()
		if err == nil || attempt >= t.config.Retries || !passesByItself(err) && sqlState(err) != "55P03" {
			return passing(what, err)
		}
		if err := t.evict(ctx); err != nil {
			return err
		}
	}
}

const evictSQL = `
SELECT count(pg_terminate_backend(a.pid)) FROM %s s JOIN pg_stat_activity a ON a.pid = s.owner AND a.backend_start <= s.claimed
WHERE (s.sink = $1 OR left(s.sink, length($1) + 1) = $1 || '/') AND a.application_name = $2 AND a.pid <> pg_backend_pid()`

// evict ends the connections of who held tables of the sink before.
func (t *Target) evict(ctx context.Context) error {
	var n int
	err := t.conn.QueryRow(ctx, fmt.Sprintf(evictSQL, t.config.Positions.sql()), t.config.Group, t.config.applicationName()).Scan(&n)
	return passing("end the sink's older connection", err)
}

// releaseSQL gives up the tables that are not among those of the sink any more. Whoever
// wrote them until now commits nothing (K05); what the rows say of a table stays, so that
// the sink knows its own when it is back in the file.
const releaseSQL = `UPDATE %s SET epoch = epoch + 1, build = build + 1, filling = true, resume = NULL, owner = NULL, claimed = NULL
WHERE (sink = $1 OR left(sink, length($1) + 1) = $1 || '/') AND sink <> ALL($2) AND claimed IS NOT NULL RETURNING "table"`

// release lets others have the tables that left the sink, whose tables are named.
func (t *Target) release(ctx context.Context, names ...string) error {
	var tables []string
	err := t.insist(ctx, "give up tables in "+t.config.Positions.String(), func() (err error) {
		rows, _ := t.conn.Query(ctx, fmt.Sprintf(releaseSQL, t.config.Positions.sql()), t.config.Group, names) // the rows have the error
		tables, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	for _, table := range tables {
		t.config.Log.Info("a table is not of the sink any more: it keeps its rows, and another sink may have it", "sink", t.config.Group, "table", table)
	}
	return err
}

const othersSQL = `SELECT sink FROM %s WHERE sink <> $1 AND sink <> $4 AND left(sink, length($4) + 1) <> $4 || '/' AND claimed IS NOT NULL
AND ("table" = $2 OR relation <> 0 AND relation = $3) ORDER BY sink LIMIT 1`

// alone refuses a table that another sink writes. What the sink itself had under another
// name it gives up before that.
func (t *Target) alone(ctx context.Context, target *relation) error {
	oid := uint32(0)
	if target != nil {
		oid = target.oid
	}
	var other string
	err := t.conn.QueryRow(ctx, fmt.Sprintf(othersSQL, t.config.Positions.sql()), t.config.Name, t.config.Table.String(), oid, t.config.Group).Scan(&other)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return passing("read "+t.config.Positions.String(), err)
	}
	return t.config.taken(other)
}

func (c *Config) taken(other string) *pipeline.Refusal {
	return c.refuse(CodeTaken, "sink "+other+" writes it", "DELETE FROM "+c.Positions.sql()+" WHERE sink = "+quoteLiteral(other)+
		";   -- if that sink is gone for good; one that is there, and has the table in its list no more, gives it up when it starts")
}

// moveSQL keeps the place, as the owner alone can: a newer owner has raised the
// epoch, and an older one's transaction in progress is waited for. It tells whether
// the table is still the one that the position speaks of.
const moveSQL = `UPDATE %s SET resume = $1, columns = coalesce($4, columns), key = coalesce($6, key), updated = now() WHERE sink = $2 AND epoch = $3
RETURNING filling OR relation = coalesce(to_regclass($5)::oid, 0)`

// errFenced says that somebody else owns the sink now.
func (c *Config) errFenced() error {
	return &pipeline.Refusal{Code: CodeFenced, Where: "sink " + c.Name, What: "another process has taken it over, and this one writes no more",
		Mend: "run one daemon for this deployment; if two deployments have the same name, rename one"}
}

// asOwner changes a table as the owner alone can: one that was replaced would
// otherwise drop what the newer one has filled, or make it again, void (K05).
func (t *Target) asOwner(ctx context.Context, change string) error {
	_, err := t.conn.Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	if err == nil {
		err = t.lockOwn(ctx)
	}
	if err == nil {
		_, err = t.conn.Exec(ctx, change)
	}
	if err == nil {
		err = t.commit(ctx)
	}
	if err != nil {
		t.rollback(ctx)
	}
	return err
}

// lockOwn locks the sink's row until the transaction ends, if it is still ours.
func (t *Target) lockOwn(ctx context.Context) error {
	tag, err := t.conn.Exec(ctx, "SELECT FROM "+t.config.Positions.sql()+" WHERE sink = $1 AND epoch = $2 FOR UPDATE", t.config.Name, t.epoch)
	if err == nil && tag.RowsAffected() != 1 {
		return t.config.errFenced()
	}
	return err
}

const resumeVersion = 1

// appendResume writes version, Seq, Rows, the length of Native, Native and State.
func appendResume(dst []byte, at pipeline.Resume) []byte {
	dst = append(dst, resumeVersion)
	dst = binary.AppendUvarint(dst, at.At.Seq)
	dst = binary.AppendUvarint(dst, at.Rows)
	dst = binary.AppendUvarint(dst, uint64(len(at.At.Native)))
	dst = append(dst, at.At.Native...)
	return append(dst, at.State...)
}

// parseResume reads what appendResume wrote; no bytes are the zero Resume.
func parseResume(b []byte) (at pipeline.Resume, err error) {
	if len(b) == 0 {
		return at, nil
	}
	if b[0] != resumeVersion {
		return at, fmt.Errorf("the sink's position has format %d, which a later release of Evert wrote", b[0])
	}
	var n [3]uint64
	rest := b[1:]
	for i := range n {
		v, w := binary.Uvarint(rest)
		if w <= 0 {
			return at, errPosition
		}
		n[i], rest = v, rest[w:]
	}
	if n[2] > uint64(len(rest)) {
		return at, errPosition
	}
	at.At = pipeline.Position{Seq: n[0], Native: string(rest[:n[2]])}
	at.Rows = n[1]
	if rest = rest[n[2]:]; len(rest) > 0 {
		at.State = append([]byte(nil), rest...)
	}
	return at, nil
}

var errPosition = errors.New("the sink's position cannot be read")
