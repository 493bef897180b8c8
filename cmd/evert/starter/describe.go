package starter

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/sources/postgres/preflight"
)

// A Database is what a starter file is written from.
type Database struct {
	Server   string // Postgres, MariaDB or MySQL
	Name     string
	Version  string
	Platform preflight.Platform // of a Postgres server
	Tables   []Table            // by schema and name

	ByPosition bool // the transactions of a MySQL server have no GTIDs
}

// A Table is one that could be captured.
type Table struct {
	Schema, Name string
	Rows         int64 // the server's estimate; 0 unknown
	Bytes        int64
	Left         string // why it cannot be captured as it is, and what mends that; empty: it can
	Secured      bool   // row level security is on
}

// Usable reports whether the table can be captured as it is.
func (t Table) Usable() bool { return t.Left == "" }

const (
	noKey    = "no primary key: add one, or name unique columns below overrides"
	unlogged = "unlogged: its changes are not in the server's log. ALTER TABLE … SET LOGGED"
)

// tablesSQL lists what holds rows of its own: tables and the roots of
// partitioned ones, whose partitions count with them.
const tablesSQL = `
SELECT n.nspname, c.relname, c.relpersistence = 'u', c.relrowsecurity,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident AND c.relreplident = 'i')),
       (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0)::bigint FROM part p JOIN pg_class l ON l.oid = p.oid WHERE p.root = c.oid AND l.relkind = 'r'),
       (SELECT coalesce(sum(pg_table_size(p.oid)), 0)::bigint FROM part p WHERE p.root = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2`

// part gives each table's leaves, itself included.
const part = `WITH part AS (
  SELECT c.oid AS root, c.oid FROM pg_class c WHERE c.relkind = 'r'
  UNION SELECT c.oid, t.relid FROM pg_class c, pg_partition_tree(c.oid) t WHERE c.relkind = 'p' AND t.isleaf)`

// Describe reads a database's tables; it changes nothing.
func Describe(ctx context.Context, c *pgx.Conn) (Database, error) {
	version, _, _ := strings.Cut(c.PgConn().ParameterStatus("server_version"), " ") // packagers add words
	d := Database{Server: postgresServer, Version: version}
	if err := c.QueryRow(ctx, "SELECT current_database()").Scan(&d.Name); err != nil {
		return d, err
	}
	var err error
	d.Platform, err = preflight.DetectPlatform(func(sql string, into ...any) error { return c.QueryRow(ctx, sql).Scan(into...) })
	if err != nil {
		return d, fmt.Errorf("ask who runs the server: %w", err)
	}
	rows, err := c.Query(ctx, part+tablesSQL)
	if err != nil {
		return d, fmt.Errorf("list the tables: %w", err)
	}
	var t Table
	var isUnlogged, key bool
	_, err = pgx.ForEachRow(rows, []any{&t.Schema, &t.Name, &isUnlogged, &t.Secured, &key, &t.Rows, &t.Bytes}, func() error {
		switch t.Left = ""; {
		case isUnlogged:
			t.Left = unlogged
		case !key:
			t.Left = noKey
		}
		d.Tables = append(d.Tables, t)
		return nil
	})
	return d, err
}
