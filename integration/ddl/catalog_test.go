//go:build unix

package ddl

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A table is what a program knows of a table: what the catalog says now.
type table struct {
	schema, name string
	kind         string // r ordinary, p partitioned
	parent       string // of a partition
	key          []string
	columns      []column
}

type column struct{ name, typ string }

func (t *table) sql() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

// free are the columns besides those that every table has.
func (t *table) free() (all []column) {
	for _, c := range t.columns {
		if strings.HasPrefix(c.name, "c") {
			all = append(all, c)
		}
	}
	return all
}

func (t *table) has(name string) bool {
	return slices.ContainsFunc(t.columns, func(c column) bool { return c.name == name })
}

const tablesSQL = `
SELECT n.nspname, c.relname, c.relkind::text, coalesce((SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid), ''),
       coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary), '{}'),
       coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
       coalesce((SELECT array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'elsewhere') AND c.relkind IN ('r', 'p') AND c.relname <> 'calm' ORDER BY 1, 2`

// tablesOf reads the tables that a program may alter, by name.
func tablesOf(ctx context.Context, conn *pgx.Conn) ([]*table, error) {
	rows, err := conn.Query(ctx, tablesSQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*table, error) {
		t := &table{}
		var names, types []string
		err := row.Scan(&t.schema, &t.name, &t.kind, &t.parent, &t.key, &names, &types)
		for i := range names {
			t.columns = append(t.columns, column{names[i], types[i]})
		}
		return t, err
	})
}
