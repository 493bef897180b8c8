package oracle

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/oracle/program"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
	"github.com/evertdb/evert/sources/postgres"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A database is one of the shared server, with a connection that speaks text.
type database struct {
	url  string
	conn *pgx.Conn
}

// openDatabase makes a database whose collation is collate's: C, or an ICU locale.
func openDatabase(t *testing.T, name, options string) *database {
	t.Helper()
	ctx := t.Context()
	server := pg.Server(t)
	if err := server.Exec(ctx, "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0 ENCODING UTF8 %s", name, options)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Exec(context.Background(), "postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	d := &database{url: server.URL(name)}
	config, err := pgx.ParseConfig(d.url)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["intervalstyle"] = "postgres"
	d.conn, err = pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.conn.Close(context.Background()) })
	return d
}

// reset drops everything and makes the program's tables.
func (d *database) reset(ctx context.Context, p *program.Program) error {
	ddl := []string{"DROP SCHEMA public CASCADE", "CREATE SCHEMA public"}
	for _, t := range p.Tables {
		ddl = append(ddl, t.Create())
	}
	_, err := d.conn.Exec(ctx, strings.Join(ddl, ";"))
	return err
}

// tables describes the tables as capture would.
func (d *database) tables(ctx context.Context, p *program.Program) ([]*schema.Table, error) {
	c := postgres.DefaultConfig()
	c.Name, c.Slot, c.Publication = "src", "oracle", "oracle"
	c.URL = func(context.Context) (string, error) { return d.url, nil }
	c.Match = func(s, _ string) bool { return s == "public" }
	return postgres.Describe(ctx, c)
}

// transact runs one transaction. A transaction that the database refuses (a key
// twice) is rolled back and is no change; what else it says is an error.
func (d *database) transact(ctx context.Context, statements []string) error {
	_, err := d.conn.Exec(ctx, "BEGIN;"+strings.Join(statements, ";")+";COMMIT")
	if err == nil {
		return nil
	}
	if _, rollback := d.conn.Exec(ctx, "ROLLBACK"); rollback != nil {
		return rollback
	}
	if strings.Contains(err.Error(), "23505") || strings.Contains(err.Error(), "22003") {
		return nil
	}
	return err
}

// answer gives the rows of a query as text; a nil is NULL.
func (d *database) answer(ctx context.Context, sql string) ([][]*string, error) {
	rows, err := d.conn.Query(ctx, sql, pgx.QueryResultFormats{pgx.TextFormatCode}, pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all [][]*string
	for rows.Next() {
		var row []*string
		for _, raw := range rows.RawValues() {
			if raw == nil {
				row = append(row, nil)
				continue
			}
			text := string(raw)
			row = append(row, &text)
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// contents gives a table's rows, decoded as capture decodes them, by key.
func (d *database) contents(ctx context.Context, t *schema.Table) (map[string]schema.Row, error) {
	rows, err := d.conn.Query(ctx, "SELECT * FROM public."+t.Name, pgx.QueryResultFormats{pgx.TextFormatCode}, pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	reader := pgvalue.Reader{Arena: new(arena.Bytes)}
	all := map[string]schema.Row{}
	for rows.Next() {
		row := make(schema.Row, len(t.Columns))
		for i, raw := range rows.RawValues() {
			if raw == nil {
				continue
			}
			codec := pgvalue.Codec{Op: pgvalue.Scalar(rows.FieldDescriptions()[i].DataTypeOID)}
			if row[i], err = reader.Text(codec, append([]byte(nil), raw...)); err != nil {
				return nil, err
			}
		}
		key := ""
		for _, k := range t.Key {
			key += string(rows.RawValues()[k]) + "\x00"
		}
		all[key] = row
	}
	return all, rows.Err()
}
