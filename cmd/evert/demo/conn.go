package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// A conn is one connection to the shop's database. One goroutine uses it. Statements
// have the placeholders of their database.
type conn interface {
	// exec runs a statement and gives how many rows it changed.
	exec(ctx context.Context, sql string, args ...any) (changed int64, err error)
	// rows gives an answer as the server prints it; nil is NULL. A row is valid until
	// each returns.
	rows(ctx context.Context, sql string, each func(values [][]byte) error, args ...any) error
	close()
}

// number asks for one number.
func number(ctx context.Context, c conn, sql string, args ...any) (n int64, err error) {
	text, err := text(ctx, c, sql, args...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// text asks for one value.
func text(ctx context.Context, c conn, sql string, args ...any) (text string, err error) {
	err = c.rows(ctx, sql, func(values [][]byte) error {
		text = string(values[0])
		return nil
	}, args...)
	return text, err
}

// within runs f in a transaction.
func within(ctx context.Context, c conn, f func() error) error {
	if _, err := c.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err := f()
	if err != nil {
		_, _ = c.exec(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	_, err = c.exec(ctx, "COMMIT")
	return err
}

// A postgresConn is one to Postgres.
type postgresConn struct{ c *pgx.Conn }

func openPostgres(url string) func(context.Context) (conn, error) {
	return func(ctx context.Context) (conn, error) {
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			return nil, err
		}
		return &postgresConn{c}, nil
	}
}

func (p *postgresConn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if len(args) == 0 {
		args = []any{pgx.QueryExecModeSimpleProtocol} // several statements
	}
	tag, err := p.c.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

func (p *postgresConn) rows(ctx context.Context, sql string, each func(values [][]byte) error, args ...any) error {
	rows, err := p.c.Query(ctx, sql, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.RawValues()); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *postgresConn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.c.Close(ctx)
}

// A mariaDBConn is one to MariaDB.
type mariaDBConn struct {
	run    func(sql string, args ...any) (changed int64, rows [][][]byte, err error)
	hangUp func()
}

func openMariaDB(server *mysqlserver.Server, database string) func(context.Context) (conn, error) {
	return func(ctx context.Context) (conn, error) {
		c, err := server.Connect(ctx, database)
		if err != nil {
			return nil, err
		}
		m := &mariaDBConn{hangUp: func() { _ = c.Close() }}
		m.run = func(sql string, args ...any) (int64, [][][]byte, error) {
			r, err := c.Execute(sql, args...)
			if err != nil {
				return 0, nil, err
			}
			defer r.Close()
			if r.Resultset == nil {
				return int64(r.AffectedRows), nil, nil
			}
			rows, err := textRows(r)
			return int64(r.AffectedRows), rows, err
		}
		_, err = m.exec(ctx, mariaDBSession)
		return m, err
	}
}

// A result is that of MariaDB's client.
type result interface {
	RowNumber() int
	ColumnNumber() int
	IsNull(row, column int) (bool, error)
	GetString(row, column int) (string, error)
}

// textRows copies rows as text, NULL as nil.
func textRows(r result) (rows [][][]byte, err error) {
	for i := range r.RowNumber() {
		row := make([][]byte, r.ColumnNumber())
		for j := range row {
			if null, _ := r.IsNull(i, j); null {
				continue
			}
			text, err := r.GetString(i, j)
			if err != nil {
				return nil, err
			}
			row[j] = []byte(text)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// mariaDBSession lets statements of two people lock no more than the rows that they
// change.
const mariaDBSession = "SET SESSION tx_isolation = 'READ-COMMITTED', time_zone = '+00:00'"

func (m *mariaDBConn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	changed, _, err := m.run(sql, args...)
	return changed, err
}

func (m *mariaDBConn) rows(ctx context.Context, sql string, each func(values [][]byte) error, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, rows, err := m.run(sql, args...)
	for _, row := range rows {
		if err := each(row); err != nil {
			return err
		}
	}
	return err
}

func (m *mariaDBConn) close() { m.hangUp() }

// deadlocked reports whether a statement failed because of another transaction.
func deadlocked(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "Deadlock found") || strings.Contains(err.Error(), "deadlock detected"))
}

// run runs statements one after the other.
func run(ctx context.Context, c conn, statements []string) error {
	for _, sql := range statements {
		if _, err := c.exec(ctx, sql); err != nil {
			return fmt.Errorf("fill the shop: %w", err)
		}
	}
	return nil
}
