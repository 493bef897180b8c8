package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// Reread reads one row as it is now at the source; nil if there is none. table is
// one that this source has announced, row one of its rows, of which only the key
// columns are looked at. The row it gives is the caller's. It is for values that
// are known nowhere else (I5), and may be called by any goroutine. It waits for who
// holds the lock of the table, and holds up nobody else meanwhile.
func (s *Source) Reread(ctx context.Context, table *schema.Table, row schema.Row) (out schema.Row, err error) {
	err = s.outlast(ctx, func() error {
		out, err = s.reread(ctx, table, row, nil)
		return err
	})
	return out, err
}

// RereadFor is Reread for a change that Next gave last, by the caller of Next: a value
// that is too large for memory and that the change's new row does not have is noted in
// the change (pipeline.Aside), and its row has the first bytes of it.
func (s *Source) RereadFor(ctx context.Context, c *pipeline.Change) (out schema.Row, err error) {
	err = s.outlast(ctx, func() error {
		out, err = s.reread(ctx, c.Table, c.After, c)
		return err
	})
	return out, err
}

// outlast tries f again as long as somebody holds the lock of a table that it uses.
func (s *Source) outlast(ctx context.Context, f func() error) error {
	for {
		err := f()
		if !pgsql.LockedOut(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.life.Ended.Done():
			return s.life.Why()
		case <-time.After(lockPatience):
		}
	}
}

func (s *Source) reread(ctx context.Context, table *schema.Table, row schema.Row, c *pipeline.Change) (schema.Row, error) {
	codecs, ts, err := s.codecsOf(ctx, table)
	if err != nil {
		return nil, err
	}
	sql, args := rereadSQL(table, row)
	var out schema.Row
	err = s.side.use(ctx, func(conn *pgconn.PgConn) error {
		if c != nil {
			shortenerOf(conn).seek = carriesRows
			defer func() { shortenerOf(conn).seek = carriesNone }()
		}
		res := conn.ExecParams(ctx, sql, args, ts, nil, nil).Read()
		if res.Err != nil || len(res.Rows) == 0 {
			return res.Err
		}
		out, err = s.readText(codecs, res.Rows[0], c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read a row of %s again: %w", table, err)
	}
	return out, nil
}

// codecsOf says how the columns of a table are read, and the types of its key.
func (s *Source) codecsOf(ctx context.Context, table *schema.Table) (codecs []pgvalue.Codec, key []uint32, err error) {
	infos, err := s.side.query(ctx, `
		SELECT a.attname, a.atttypid, a.atttypmod FROM pg_attribute a
		WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped`, table.Native)
	if err != nil {
		return nil, nil, fmt.Errorf("read the columns of %s: %w", table, err)
	}
	columnTypes := map[string]uint32{}
	var oids []uint32
	for i := range infos {
		r := pgsql.Record{Cols: infos[i]}
		name, oid := r.Text(), r.OID()
		columnTypes[name] = oid
		oids = append(oids, oid)
	}
	ts, err := loadTypes(ctx, s.side, oids)
	if err != nil {
		return nil, nil, fmt.Errorf("read the types of %s: %w", table, err)
	}
	for i := range table.Columns {
		oid, ok := columnTypes[table.Columns[i].Name]
		if !ok {
			return nil, nil, s.config.changed(pgsql.TableName{Schema: table.Schema, Name: table.Name}, "column "+table.Columns[i].Name+" is gone")
		}
		c, _ := types(ts).resolve(oid, -1)
		if table.Columns[i].Type.Opaque {
			c = pgvalue.Codec{} // an array that is carried as text, say
		}
		codecs = append(codecs, c)
	}
	for _, k := range table.Key {
		key = append(key, columnTypes[table.Columns[k].Name])
	}
	return codecs, key, nil
}

func rereadSQL(table *schema.Table, row schema.Row) (string, [][]byte) {
	var names, conds []string
	for _, c := range table.Columns {
		names = append(names, c.Name)
	}
	var args [][]byte
	for i, k := range table.Key {
		conds = append(conds, fmt.Sprintf("%s = $%d", pgsql.QuoteIdent(table.Columns[k].Name), i+1))
		args = append(args, table.Columns[k].Type.AppendText(nil, row[k]))
	}
	return "SELECT " + quoteList(names) + " FROM " + pgsql.QuoteTable(table.Schema, table.Name) + " WHERE " + strings.Join(conds, " AND "), args
}

func (s *Source) readText(codecs []pgvalue.Codec, fields [][]byte, c *pipeline.Change) (schema.Row, error) {
	r := pgvalue.Reader{Arena: new(arena.Bytes), Invalid: s.config.InvalidText}
	row := make(schema.Row, len(fields))
	for i, f := range fields {
		if f == nil {
			continue
		}
		var err error
		if v := s.asides.is(f); v != nil {
			row[i], err = s.rereadLarge(codecs[i], &r, v, c, i)
		} else {
			row[i], err = r.Text(codecs[i], f)
		}
		if err != nil {
			return nil, err
		}
	}
	return row, nil
}

// rereadLarge reads a value that was set aside, for column col of c.
func (s *Source) rereadLarge(codec pgvalue.Codec, r *pgvalue.Reader, v *aside, c *pipeline.Change, col int) (schema.Value, error) {
	defer release([]*aside{v}) // unless it is taken
	if c.After[col].IsKnown() {
		return schema.Unknown(), nil // nobody asks for it
	}
	f := field{codec: codec, whole: c.Table.IsKey(col), invalid: r.Invalid, reader: r, read: func(data []byte) (schema.Value, error) { return r.Text(codec, data) }}
	value, aside, err := s.asides.large(v, f, func(n int) []byte { return make([]byte, n) })
	if aside != nil {
		c.SetAside(false, col, aside)
		s.queue.Keep(v)
	}
	return value, err
}
