package main

import (
	"context"
	"strings"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/mysql"
	"github.com/evertdb/evert/sources/postgres"
)

// A pinner is a database that can be read as an exact prefix of its commits.
type pinner interface {
	// Pin takes a snapshot with a known place.
	Pin(ctx context.Context) (pin, error)
	// Tables are the tables that would be captured now.
	Tables(ctx context.Context) ([]*schema.Table, error)
}

// A pin is such a snapshot. One goroutine reads it; what it says of places any may ask.
type pin interface {
	prefix
	// Native is its place, as positions write it.
	Native() string
	// Rows gives a table's rows. One is valid until each returns.
	Rows(ctx context.Context, t *schema.Table, each func(r tableRow) error) error
	// Close lets go of the snapshot.
	Close()
}

// A prefix is what lies before a place.
type prefix interface {
	// Holds reports whether a transaction does; rows of a copy have none, and do.
	Holds(tx *pipeline.Tx) (bool, error)
	// Passed reports whether nothing of it is left behind a native position.
	Passed(native string) (bool, error)
}

// An answerer is a pin of a database that answers the SQL of views.
type answerer interface {
	// Answer gives the rows as the server prints them; nil is NULL. They are valid
	// until each returns.
	Answer(ctx context.Context, sql string, each func(texts [][]byte) error) error
}

// A tableRow is one row of a table: as its server prints it, or as its source reads it.
type tableRow struct {
	texts  [][]byte
	values schema.Row // nil: texts count
}

// row gives the values.
func (r *tableRow) row(t *schema.Table) (schema.Row, error) {
	if r.values != nil {
		return r.values, nil
	}
	return rowOf(t, r.texts)
}

// columns is how many it has.
func (r *tableRow) columns() int { return max(len(r.texts), len(r.values)) }

// value gives one value, of a type that can be a key.
func (r *tableRow) value(t *schema.Type, column int) (v schema.Value, ok bool) {
	switch {
	case r.values != nil:
		return r.values[column], true
	case r.texts[column] == nil:
		return schema.Null(), true
	}
	return query.ParseText(t, string(r.texts[column]))
}

// appendCells appends all columns as texts.
func (r *tableRow) appendCells(dst []byte, columns []schema.Column, scratch []byte) (row, memory []byte) {
	if r.values == nil {
		for _, text := range r.texts {
			dst = compare.AppendCell(dst, text)
		}
		return dst, scratch
	}
	for i, v := range r.values {
		dst, scratch = compare.AppendValue(dst, &columns[i].Type, v, scratch)
	}
	return dst, scratch
}

// postgresPin is a pin of Postgres.
type postgresPin struct{ *postgres.Pin }

// Pin implements pinner.
func (d *postgresDatabase) Pin(ctx context.Context) (pin, error) {
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

func (p postgresPin) Rows(ctx context.Context, t *schema.Table, each func(r tableRow) error) error {
	sql, err := p.selectFrom(ctx, t)
	if err != nil {
		return err
	}
	return p.Answer(ctx, sql, func(texts [][]byte) error { return each(tableRow{texts: texts}) })
}

func (p postgresPin) Answer(ctx context.Context, sql string, each func(texts [][]byte) error) error {
	return p.Pin.Rows(ctx, sql, each)
}

// selectFrom writes the query for a table's rows; those of tables that inherit
// from it are not its own.
func (p postgresPin) selectFrom(ctx context.Context, t *schema.Table) (string, error) {
	name := postgres.QuoteIdent(t.Schema) + "." + postgres.QuoteIdent(t.Name)
	only := "ONLY "
	err := p.Answer(ctx, "SELECT relkind FROM pg_class WHERE oid = "+postgres.QuoteLiteral(name)+"::regclass", func(c [][]byte) error {
		if string(c[0]) == "p" {
			only = ""
		}
		return nil
	})
	list := make([]string, len(t.Columns))
	for i := range t.Columns {
		list[i] = postgres.QuoteIdent(t.Columns[i].Name)
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + only + name, err
}

// mysqlPin is a pin of MySQL or MariaDB.
type mysqlPin struct{ *mysql.Pin }

// Pin implements pinner.
func (d *mysqlDatabase) Pin(ctx context.Context) (pin, error) {
	p, err := mysql.Take(ctx, d.settings())
	if err != nil {
		return nil, err
	}
	return mysqlPin{p}, nil
}

func (p mysqlPin) Rows(ctx context.Context, t *schema.Table, each func(r tableRow) error) error {
	return p.Pin.Rows(ctx, t, func(row schema.Row) error { return each(tableRow{values: row}) })
}
