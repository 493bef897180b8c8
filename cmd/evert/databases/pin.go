package databases

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/cmd/evert/datadir"
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
	Values schema.Row             // nil: texts count
	Large  map[int]pipeline.Aside // by column: texts that are too large for memory; nil in Texts
}

// Row gives the values, all of them in memory.
func (r *Row) Row(t *schema.Table) (schema.Row, error) {
	if r.Values != nil {
		return r.Values, nil
	}
	row, err := rowOf(t, r.Texts)
	for i, a := range r.Large {
		if err != nil {
			return nil, err
		}
		row[i], err = whole(&t.Columns[i], a)
	}
	return row, err
}

// whole brings a value into memory.
func whole(c *schema.Column, a pipeline.Aside) (schema.Value, error) {
	v, err := a.Load()
	if err != nil || isContent(c.Type.Kind) {
		return v, err
	}
	return parse(c, v.Ref())
}

// isContent reports whether values of a kind are the bytes of which a text, a byte string
// or JSON is made.
func isContent(k schema.Kind) bool {
	return k == schema.KindText || k == schema.KindBytes || k == schema.KindJSON
}

// Read is a row as a change that reads it. A value that is too large for memory is noted
// in it (pipeline.Aside), and its row has its first bytes, one more than most.
func (r *Row) Read(t *schema.Table, most int) (c pipeline.Change, err error) {
	c = pipeline.Change{Table: t, Op: pipeline.Read, After: r.Values, Tx: &pipeline.Tx{}}
	if r.Values != nil {
		return c, nil
	}
	if c.After, err = rowOf(t, r.Texts); err != nil {
		return c, err
	}
	for i, a := range r.Large {
		if !isContent(t.Columns[i].Type.Kind) || a.Size() <= int64(most) {
			c.After[i], err = whole(&t.Columns[i], a)
		} else if c.After[i], err = head(t.Columns[i].Type.Kind, a, most+1); err == nil {
			c.SetAside(false, i, a)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// head is a value of the first bytes of another.
func head(k schema.Kind, a pipeline.Aside, n int) (schema.Value, error) {
	b := make([]byte, n)
	r, err := a.Open()
	if err != nil {
		return schema.Value{}, err
	}
	defer r.Close()
	if _, err := io.ReadFull(r, b); err != nil {
		return schema.Value{}, err
	}
	switch k {
	case schema.KindBytes:
		return schema.Bytes(b), nil
	case schema.KindJSON:
		return schema.JSON(b), nil
	}
	return schema.Text(b), nil
}

// rowOf reads a row from the texts of the database.
func rowOf(t *schema.Table, cells [][]byte) (schema.Row, error) {
	if len(cells) != len(t.Columns) {
		return nil, fmt.Errorf("the database gives %d columns, not %d", len(cells), len(t.Columns))
	}
	row := make(schema.Row, len(cells))
	for i, text := range cells {
		if text == nil {
			continue
		}
		var err error
		if row[i], err = parse(&t.Columns[i], text); err != nil {
			return nil, fmt.Errorf("table %s: %w", t, err)
		}
	}
	return row, nil
}

// parse reads a value of a column from the text of the database.
func parse(c *schema.Column, text []byte) (schema.Value, error) {
	if c.Type.Opaque || scalar.Identify(&c.Type) == scalar.None {
		return schema.Text(text), nil
	}
	v, err := scalar.Parse(&c.Type, text)
	if err != nil {
		return v, fmt.Errorf("column %s: %w", c.Name, err)
	}
	return v, nil
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
func (r *Row) AppendCells(dst []byte, columns *compare.Columns, scratch []byte) (row, memory []byte, err error) {
	for i, text := range r.Texts {
		if a := r.Large[i]; a == nil {
			dst = columns.AppendCell(dst, text)
		} else if dst, err = columns.AppendLarge(dst, &columns.Columns[i].Type, a); err != nil {
			return nil, scratch, err
		}
	}
	for i, v := range r.Values {
		dst, scratch = columns.AppendValue(dst, &columns.Columns[i].Type, v, scratch)
	}
	return dst, scratch, nil
}

// postgresPin is a pin of Postgres.
type postgresPin struct{ *postgres.Pin }

// Pin implements pinner.
func (d *postgresDatabase) Pin(ctx context.Context) (Pin, error) {
	c := d.settings()
	c.SpillDir = datadir.SpillPath(d.Config.DataDir, "pin.tmp")
	p, err := postgres.Take(ctx, c)
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
	kinds := make([]schema.Kind, len(t.Columns))
	for i := range kinds {
		kinds[i] = t.Columns[i].Type.Kind
	}
	return p.TableRows(ctx, sql, kinds, func(texts [][]byte, large map[int]pipeline.Aside) error {
		return each(Row{Texts: texts, Large: large})
	})
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
