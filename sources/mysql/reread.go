package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// Reread reads the row of a key as it is now, which may be later than the change that
// asks; nil if there is none. Any goroutine may call it.
func (s *Source) Reread(ctx context.Context, t *schema.Table, key schema.Row) (row schema.Row, err error) {
	conn, err := s.config.dial(ctx) // its answers are in other character sets than those of the side connection
	if err != nil {
		return nil, err
	}
	defer conn.close()
	defer context.AfterFunc(ctx, conn.close)()
	if _, err := conn.query(ctx, "SET character_set_results = NULL"); err != nil {
		return nil, err
	}
	info := newTableInfo(TableName{t.Schema, t.Name})
	columns, err := s.columnsNow(ctx, info, t)
	if err != nil {
		return nil, err
	}
	codec, err := binlogvalue.Compile(columns, s.collations.charsets, s.config.ZeroDates)
	if err != nil {
		return nil, err
	}
	var list []string
	for i := range columns {
		list = append(list, codec.Select(i, quoteName(columns[i].Name)))
	}
	where, err := ofKey(t, key)
	if err != nil {
		return nil, err
	}
	a := &arena.Bytes{}
	var r mysql.Result
	err = conn.conn.ExecuteSelectStreaming("SELECT "+strings.Join(list, ", ")+" FROM "+info.sql()+" WHERE "+where, &r,
		func(fields []mysql.FieldValue) error {
			row = make(schema.Row, len(fields))
			for i := range fields {
				v, err := fieldValue(codec, i, &fields[i], a)
				if err != nil {
					return err
				}
				row[i] = v
			}
			return nil
		}, nil)
	return row, err
}

// ofKey is the condition that a row has a key.
func ofKey(t *schema.Table, key schema.Row) (string, error) {
	var all []string
	for n, i := range t.Key {
		literal, err := literal(&t.Columns[i].Type, key[n])
		if err != nil {
			return "", err
		}
		all = append(all, quoteName(t.Columns[i].Name)+" = "+literal)
	}
	return strings.Join(all, " AND "), nil
}

// columnsNow gives the columns of t as the server describes them; a table that is not
// what it was cannot be read again.
func (s *Source) columnsNow(ctx context.Context, info *tableInfo, t *schema.Table) ([]binlogvalue.Column, error) {
	err := s.ask(func(ctx context.Context, side *session) error { return info.describe(ctx, side, s.collations) })
	if err != nil {
		return nil, err
	}
	if len(info.columns) != len(t.Columns) {
		return nil, fmt.Errorf("%s has other columns by now", t)
	}
	for i := range info.columns {
		if c, err := info.columns[i].Schema(); err != nil || c.Name != t.Columns[i].Name || c.Type.Name != t.Columns[i].Type.Name {
			return nil, fmt.Errorf("%s has other columns by now", t)
		}
	}
	return info.columns, nil
}

var errLiteral = errors.New("rows with a key of this type cannot be read again")

// literal writes a key's value as SQL.
func literal(t *schema.Type, v schema.Value) (string, error) {
	switch v.Kind() {
	case schema.KindInt:
		return strconv.FormatInt(v.Int(), 10), nil
	case schema.KindDecimal:
		return string(v.Ref()), nil
	case schema.KindText:
		return fmt.Sprintf("_utf8mb4 x'%x'", v.Ref()), nil
	case schema.KindBytes:
		if strings.HasPrefix(t.Name, "bit") {
			return "", errLiteral
		}
		return fmt.Sprintf("x'%x'", v.Ref()), nil
	case schema.KindDate, schema.KindTime, schema.KindTimestamp, schema.KindUUID:
		return quoteText(strings.TrimSuffix(string(t.AppendText(nil, v)), "+00")), nil
	}
	return "", errLiteral
}
