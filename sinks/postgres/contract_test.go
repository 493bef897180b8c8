package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/sinktest"
)

// TestContract tells the clauses of a target over a real server, by each road that
// a step may take.
func TestContract(t *testing.T) {
	for _, road := range []struct {
		name   string
		change func(*Config, *db)
	}{
		{"a table of our own", func(*Config, *db) {}},
		{"a table that is there", func(c *Config, d *db) {
			d.do("CREATE TABLE " + c.Table.sql() + " (id bigint PRIMARY KEY, v text, extra text)")
		}},
		{"by way of the temporary table", func(c *Config, _ *db) { c.BufferBytes, c.SmallRows = 1, 1 }},
		{"by COPY, then by way of the temporary table", func(c *Config, _ *db) { c.SmallRows = 1 }},
	} {
		t.Run(road.name, func(t *testing.T) {
			d, schemas := newDB(t), 0
			sinktest.RunTarget(t, func(*testing.T) sinktest.TargetHarness {
				schemas++ // a database for each clause would take longer than the clause
				c := d.config()
				c.Table.Schema = fmt.Sprintf("s%d", schemas)
				d.do("CREATE SCHEMA " + c.Table.Schema)
				road.change(&c, d)
				return sinktest.TargetHarness{
					New:    func(testing.TB) deliver.Target { return New(c) },
					Rows:   func(t testing.TB) map[int64]string { return d.rows(t, c.Table) },
					Powers: sinktest.Powers{Atomic: true, Fences: true, Beside: true},
				}
			})
		})
	}
}

// rows gives what a reader of the table sees.
func (d *db) rows(t testing.TB, table TableName) map[int64]string {
	t.Helper()
	out := map[int64]string{}
	rows, err := d.conn.Query(context.Background(), "SELECT id::text, coalesce(v, 'NULL') FROM "+table.sql())
	if err == nil {
		_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (none struct{}, err error) {
			var id, v string
			err = row.Scan(&id, &v)
			n, _ := strconv.ParseInt(id, 10, 64)
			out[n] = v
			return none, err
		})
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42P01" {
		return out // there is no table yet
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}
