package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A relation is what the catalog says of a table now.
type relation struct {
	TableName
	oid     uint32
	kind    string // r ordinary, p partitioned; others take no rows from us
	logged  bool   // it outlives a crash
	columns []relationColumn
	unique  [][]string // columns of each index that ON CONFLICT can use
	nulls   [][]string // of those, the ones that are NULLS NOT DISTINCT
}

type relationColumn struct {
	name      string
	typ       string // as format_type spells it
	cast      string // without a modifier, so that a cast to it cuts nothing off
	notNull   bool
	generated bool // computed by the server
	always    bool // GENERATED ALWAYS AS IDENTITY
	filled    bool // has a default
}

func (r *relation) column(name string) *relationColumn {
	for i := range r.columns {
		if r.columns[i].name == name {
			return &r.columns[i]
		}
	}
	return nil
}

// uniqueOver reports whether an index makes these columns unique, in any order;
// nulls asks for one that takes NULL for a value.
func (r *relation) uniqueOver(key []string, nulls bool) bool {
	among := r.unique
	if nulls {
		among = r.nulls
	}
	return slices.ContainsFunc(among, func(index []string) bool { return sameNames(index, key) })
}

func sameNames(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

const relationSQL = `
SELECT c.oid, c.relkind::text, c.relpersistence = 'p'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`

const relationColumnsSQL = `
SELECT a.attname, format_type(a.atttypid, a.atttypmod), format_type(a.atttypid, -1), a.attnotnull,
       a.attgenerated <> '', a.attidentity = 'a', a.atthasdef OR a.attidentity <> ''
FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

// uniqueSQL lists the indexes that ON CONFLICT can use; indnullsnotdistinct is of
// version 15 on.
const uniqueSQL = `
SELECT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
       (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(num, n)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num WHERE k.n <= i.indnkeyatts)
FROM pg_index i
WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL`

// loadRelation describes a table; nil if there is none.
func loadRelation(ctx context.Context, conn *pgx.Conn, name TableName) (*relation, error) {
	r := &relation{TableName: name}
	err := conn.QueryRow(ctx, relationSQL, name.Schema, name.Name).Scan(&r.oid, &r.kind, &r.logged)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = r.loadColumns(ctx, conn)
	}
	if err == nil {
		err = r.loadUnique(ctx, conn)
	}
	return r, passing("describe table "+name.String(), err)
}

func (r *relation) loadColumns(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, relationColumnsSQL, r.oid)
	if err != nil {
		return err
	}
	r.columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c relationColumn, err error) {
		return c, row.Scan(&c.name, &c.typ, &c.cast, &c.notNull, &c.generated, &c.always, &c.filled)
	})
	return err
}

func (r *relation) loadUnique(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, uniqueSQL, r.oid)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var together bool
		var names []string
		if err := rows.Scan(&together, &names); err != nil {
			return err
		}
		r.unique = append(r.unique, names)
		if together {
			r.nulls = append(r.nulls, names)
		}
	}
	return rows.Err()
}

// empty reports whether a table has no row that we can see.
func (r *relation) empty(ctx context.Context, conn *pgx.Conn) (empty bool, err error) {
	err = conn.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM "+r.sql()+")").Scan(&empty)
	return empty, passing("look into table "+r.String(), err)
}

// fillName is the table that a fill is gathered in, beside the target.
func fillName(n TableName) TableName {
	const suffix = "__evert_fill"
	base := n.Name
	if len(base)+len(suffix) > maxName {
		base = strings.ToValidUTF8(base[:maxName-len(suffix)-9], "") + "_" + hash([]byte(n.Name))[:8]
	}
	return TableName{n.Schema, base + suffix}
}

// maxName is what Postgres keeps of a name, in bytes.
const maxName = 63
