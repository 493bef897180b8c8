package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// A Pin is the database as an exact prefix of its commits: a consistent snapshot with
// its place in the log. It shows every transaction whose GTID lies before the place, and
// no other. One goroutine uses it.
type Pin struct {
	source *Source
	worker *copier
}

// Take makes a pin. It takes no lock.
func Take(ctx context.Context, c Config) (*Pin, error) {
	c.Log = slog.New(slog.DiscardHandler)
	s := New(c)
	p := &Pin{source: s}
	err := p.open(ctx)
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Pin) open(ctx context.Context) (err error) {
	side, err := p.source.config.dial(ctx)
	if err != nil {
		return err
	}
	p.source.setSide(side)
	if p.source.collations, err = loadCollations(ctx, side); err != nil {
		return err
	}
	own, err := p.source.config.dial(ctx)
	if err != nil {
		return err
	}
	p.worker = &copier{session: own, source: p.source}
	if own.byPosition {
		if p.worker.tables, err = p.source.config.list(ctx, side); err != nil {
			return err
		}
	}
	if err := p.worker.openExact(ctx); err != nil {
		return err
	}
	_, err = own.query(ctx, "SET character_set_results = NULL") // as they lie in the table
	return err
}

// list gives the tables that the server shows of those to capture.
func (c *Config) list(ctx context.Context, side *session) (out []TableName, err error) {
	tables, err := loadTables(ctx, side)
	for _, t := range tables {
		if wanted, _ := c.wants(t.TableName); wanted {
			out = append(out, t.TableName)
		}
	}
	return out, err
}

// Native is the place as positions write it.
func (p *Pin) Native() string { return p.worker.at.String() }

// Holds reports whether the pin shows a transaction, by its name (pipeline.Tx); rows of
// a copy have none, and lie before it.
func (p *Pin) Holds(tx *pipeline.Tx) (bool, error) {
	if tx == nil || tx.Name == "" {
		return true, nil
	}
	one, err := parsePlace(tx.Name)
	return p.worker.at.contains(one), err
}

// Passed reports whether all that the pin shows lies before a native position.
func (p *Pin) Passed(native string) (bool, error) { return reached(native, p.Native()) }

// Rows gives a table's rows. A row is valid until each returns. A table that was altered
// since it was described is an error, and so is one whose engine has no transactions:
// its rows are of no one moment.
func (p *Pin) Rows(ctx context.Context, t *schema.Table, each func(row schema.Row) error) error {
	sh, err := p.shape(ctx, t)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, p.worker.close)
	defer stop()
	row := make(schema.Row, len(sh.columns))
	var bytes arena.Bytes
	var r mysql.Result
	err = p.worker.conn.ExecuteSelectStreaming(sh.selects(), &r, func(fields []mysql.FieldValue) error {
		bytes.Reset()
		for i := range fields {
			v, err := fieldValue(sh.codec, i, &fields[i], &bytes)
			if err != nil {
				return fmt.Errorf("column %s of table %s: %w", sh.columns[i].Name, t, err)
			}
			row[i] = v
		}
		return each(row)
	}, nil)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return unwrapped(err)
}

// shape describes the table as it is now.
func (p *Pin) shape(ctx context.Context, t *schema.Table) (sh *shape, err error) {
	info := &tableInfo{TableName: TableName{t.Schema, t.Name}, uniques: map[string][]string{}}
	err = p.source.ask(func(_ context.Context, side *session) error {
		if err := info.describe(ctx, side, p.source.collations); err != nil {
			return err
		}
		rows, err := side.query(ctx, "SELECT coalesce(ENGINE, '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+quoteText(t.Schema)+" AND TABLE_NAME = "+quoteText(t.Name))
		if err == nil && len(rows) == 1 {
			info.engine = rows.text(0, 0)
		}
		return errors.Join(err, p.source.collations.need(ctx, side, info.columns))
	})
	if err != nil {
		return nil, err
	}
	if !info.transactional() {
		return nil, &pipeline.Refusal{Code: CodeEngine, Where: t.String(), What: "its engine, " + info.engine + ", has no transactions, so that no snapshot shows it at one position", Mend: "ALTER TABLE " + info.sql() + " ENGINE = InnoDB;"}
	}
	var key []string
	for _, k := range t.Key {
		key = append(key, t.Columns[k].Name)
	}
	if sh, err = p.source.newShape(info.TableName, info.columns, key); err != nil {
		return nil, err
	}
	if len(sh.table.Columns) != len(t.Columns) {
		return nil, p.source.changed(info.TableName, "it was altered while it was read")
	}
	return sh, nil
}

// Close lets go of the snapshot.
func (p *Pin) Close() {
	if p.worker != nil {
		p.worker.close()
	}
	_ = p.source.Close()
}
