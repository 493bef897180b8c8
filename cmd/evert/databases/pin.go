package databases

import (
	"context"
	"fmt"
	"strings"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/mysql"
	"github.com/evertdb/evert/sources/postgres"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A Pinner is a database that can be read as an exact prefix of its commits.
type Pinner interface {
	// Pin takes a snapshot with a known place.
	Pin(ctx context.Context) (Pin, error)
	// Tables are the tables that would be captured now.
	Tables(ctx context.Context) ([]*schema.Table, error)
}

// A Pin is such a snapshot. One goroutine reads it; what it says of places any may ask.
type Pin interface {
	Prefix
	// Native is its place, as positions write it.
	Native() string
	// Rows gives a table's rows. One is valid until each returns.
	Rows(ctx context.Context, t *schema.Table, each func(r Row) error) error
	// Close lets go of the snapshot.
	Close()
}

// A Prefix is what lies before a place.
type Prefix interface {
	// Holds reports whether a transaction does; rows of a copy have none, and do.
	Holds(tx *pipeline.Tx) (bool, error)
	// Passed reports whether nothing of it is left behind a native position.
	Passed(native string) (bool, error)
}

// An Answerer is a pin of a database that answers the SQL of views.
type Answerer interface {
	// Answer gives the rows as the server prints them; nil is NULL. They are valid
	// until each returns.
	Answer(ctx context.Context, sql string, each func(texts [][]byte) error) error
}

// A Row is one row of a table: as its server prints it, or as its source reads it.
type Row struct {
	Texts  [][]byte
	Values schema.Row // nil: texts count
}

// Row gives the values.
func (r *Row) Row(t *schema.Table) (schema.Row, error) {
	if r.Values != nil {
		return r.Values, nil
	}
	return rowOf(t, r.Texts)
}

// rowOf reads a row from the texts of the database.
func rowOf(t *schema.Table, cells [][]byte) (schema.Row, error) {
	if len(cells) != len(t.Columns) {
		return nil, fmt.Errorf("the database gives %d columns, not %d", len(cells), len(t.Columns))
	}
	row := make(schema.Row, len(cells))
	for i, text := range cells {
		typ := &t.Columns[i].Type
		switch {
		case text == nil:
		case typ.Opaque || scalar.Identify(typ) == scalar.None:
			row[i] = schema.Text(text)
		default:
			value, err := scalar.Parse(typ, text)
			if err != nil {
				return nil, fmt.Errorf("column %s of table %s: %w", t.Columns[i].Name, t, err)
			}
			row[i] = value
		}
	}
	return row, nil
}

// Len is how many it has.
func (r *Row) Len() int { return max(len(r.Texts), len(r.Values)) }

// Value gives one value, of a type that can be a key.
func (r *Row) Value(t *schema.Type, column int) (v schema.Value, ok bool) {
	switch {
	case r.Values != nil:
		return r.Values[column], true
	case r.Texts[column] == nil:
		return schema.Null(), true
	}
	return query.ParseText(t, string(r.Texts[column]))
}

// AppendCells appends all columns as texts.
func (r *Row) AppendCells(dst []byte, columns []schema.Column, scratch []byte) (row, memory []byte) {
	if r.Values == nil {
		for _, text := range r.Texts {
			dst = compare.AppendCell(dst, text)
		}
		return dst, scratch
	}
	for i, v := range r.Values {
		dst, scratch = compare.AppendValue(dst, &columns[i].Type, v, scratch)
	}
	return dst, scratch
}

// postgresPin is a pin of Postgres.
type postgresPin struct{ *postgres.Pin }

// Pin implements pinner.
func (d *postgresDatabase) Pin(ctx context.Context) (Pin, error) {
	p, err := postgres.Take(ctx, d.settings())
	if err != nil {
		return nil, err
	}
	return postgresPin{p}, nil
}

func (p postgresPin) Holds(tx *pipeline.Tx) (bool, error) {
	return tx == nil || tx.Commit < p.Place, nil
}

func (p postgresPin) Passed(native string) (bool, error) {
	at, err := postgres.Place(native)
	return at >= p.Place, err
}

func (p postgresPin) Rows(ctx context.Context, t *schema.Table, each func(r Row) error) error {
	sql, err := p.selectFrom(ctx, t)
	if err != nil {
		return err
	}
	return p.Answer(ctx, sql, func(texts [][]byte) error { return each(Row{Texts: texts}) })
}

func (p postgresPin) Answer(ctx context.Context, sql string, each func(texts [][]byte) error) error {
	return p.Pin.Rows(ctx, sql, each)
}

// selectFrom writes the query for a table's rows; those of tables that inherit
// from it are not its own.
func (p postgresPin) selectFrom(ctx context.Context, t *schema.Table) (string, error) {
	name := pgsql.QuoteIdent(t.Schema) + "." + pgsql.QuoteIdent(t.Name)
	only := "ONLY "
	err := p.Answer(ctx, "SELECT relkind FROM pg_class WHERE oid = "+pgsql.QuoteLiteral(name)+"::regclass", func(c [][]byte) error {
		if string(c[0]) == "p" {
			only = ""
		}
		return nil
	})
	list := make([]string, len(t.Columns))
	for i := range t.Columns {
		list[i] = pgsql.QuoteIdent(t.Columns[i].Name)
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + only + name, err
}

// mysqlPin is a pin of MySQL or MariaDB.
type mysqlPin struct{ *mysql.Pin }

// Pin implements pinner.
func (d *mysqlDatabase) Pin(ctx context.Context) (Pin, error) {
	p, err := mysql.Take(ctx, d.settings())
	if err != nil {
		return nil, err
	}
	return mysqlPin{p}, nil
}

func (p mysqlPin) Rows(ctx context.Context, t *schema.Table, each func(r Row) error) error {
	return p.Pin.Rows(ctx, t, func(row schema.Row) error { return each(Row{Values: row}) })
}
