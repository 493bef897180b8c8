package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// A tableInfo is what information_schema says about one table now.
type tableInfo struct {
	TableName
	engine  string
	rows    int64 // the server's estimate
	bytes   int64
	columns []binlogvalue.Column
	unknown string   // a column of a type that cannot be read, with its type
	primary []string // columns of the primary key, in its order
	uniques map[string][]string
}

func newTableInfo(name TableName) *tableInfo {
	return &tableInfo{TableName: name, uniques: map[string][]string{}}
}

const tablesSQL = `SELECT TABLE_SCHEMA, TABLE_NAME, coalesce(ENGINE, ''), coalesce(TABLE_ROWS, 0), coalesce(DATA_LENGTH, 0)
FROM information_schema.TABLES
WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
ORDER BY TABLE_SCHEMA, TABLE_NAME`

// loadTables lists the tables that a user could mean. Sequences are none (M38).
func loadTables(ctx context.Context, s *session) ([]*tableInfo, error) {
	rows, err := s.query(ctx, tablesSQL)
	var out []*tableInfo
	for i := range rows {
		out = append(out, &tableInfo{
			TableName: TableName{rows.text(i, 0), rows.text(i, 1)}, engine: rows.text(i, 2), rows: int64(rows.int(i, 3)), bytes: int64(rows.int(i, 4)),
			uniques: map[string][]string{},
		})
	}
	return out, err
}

const columnsSQL = `SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, coalesce(CHARACTER_OCTET_LENGTH, 0), coalesce(NUMERIC_PRECISION, 0), coalesce(NUMERIC_SCALE, 0),
coalesce(DATETIME_PRECISION, 0), coalesce(COLLATION_NAME, ''), IS_NULLABLE = 'YES', coalesce(CHARACTER_SET_NAME, '')
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION`

const keysSQL = `SELECT INDEX_NAME, COLUMN_NAME, coalesce(SUB_PART, 0) FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`

// describe fills in the columns and unique keys of a table.
func (t *tableInfo) describe(ctx context.Context, s *session, c *collations) error {
	rows, err := s.query(ctx, fmt.Sprintf(columnsSQL, quoteText(t.Database), quoteText(t.Table)))
	if err != nil {
		return err
	}
	t.columns, t.unknown, t.primary = nil, "", nil
	for i := range rows {
		f := columnFacts{
			name: rows.text(i, 0), data: strings.ToLower(rows.text(i, 1)), full: rows.text(i, 2), octets: rows.int(i, 3), precision: rows.int(i, 4), scale: rows.int(i, 5),
			fraction: rows.int(i, 6), collation: rows.text(i, 7), nullable: rows.int(i, 8) == 1, charset: rows.text(i, 9),
		}
		col, ok := f.column(c)
		if !ok && t.unknown == "" {
			t.unknown = f.name + " " + f.data
		}
		t.columns = append(t.columns, col)
	}
	return t.keys(ctx, s)
}

// keys reads the unique keys over whole columns.
func (t *tableInfo) keys(ctx context.Context, s *session) error {
	rows, err := s.query(ctx, fmt.Sprintf(keysSQL, quoteText(t.Database), quoteText(t.Table)))
	if err != nil {
		return err
	}
	partial := map[string]bool{}
	for i := range rows {
		name := rows.text(i, 0)
		t.uniques[name] = append(t.uniques[name], rows.text(i, 1))
		if rows.int(i, 2) > 0 || rows.text(i, 1) == "" {
			partial[name] = true
		}
	}
	for name := range partial {
		delete(t.uniques, name)
	}
	t.primary = t.uniques["PRIMARY"]
	return nil
}

// columnFacts is a row of information_schema.COLUMNS.
type columnFacts struct {
	name, data, full, collation, charset string
	octets, precision, scale, fraction   int
	nullable                             bool
}

// column gives the column as the log will describe it. ok is false for a type that
// is not known.
func (f *columnFacts) column(all *collations) (c binlogvalue.Column, ok bool) {
	c = binlogvalue.Column{Name: f.name, Nullable: f.nullable, Unsigned: strings.Contains(f.full, " unsigned")}
	if f.charset != "" {
		c.Charset, c.Collate = f.charset, f.collation
		if !strings.HasPrefix(c.Collate, c.Charset) { // uca1400_ai_ci of MariaDB goes with several
			c.Collate = c.Charset + "_" + c.Collate
		}
		c.MaxLen = all.byName[c.Collate].maxLen
	}
	return c, f.number(&c) || f.time(&c) || f.text(&c) || f.other(&c, all.mariaDB)
}

func (f *columnFacts) number(c *binlogvalue.Column) bool {
	types := map[string]binlogvalue.Type{
		"tinyint": binlogvalue.Tiny, "smallint": binlogvalue.Short, "mediumint": binlogvalue.Int24, "int": binlogvalue.Long, "bigint": binlogvalue.LongLong,
		"float": binlogvalue.Float, "double": binlogvalue.Double, "decimal": binlogvalue.NewDecimal, "year": binlogvalue.Year, "bit": binlogvalue.Bit,
	}
	var ok bool
	c.Type, ok = types[f.data]
	switch c.Type {
	case binlogvalue.NewDecimal:
		c.Precise, c.Scale = f.precision, f.scale
	case binlogvalue.Bit:
		c.Size = f.precision
	case binlogvalue.Year:
		c.Unsigned = false
	}
	return ok
}

func (f *columnFacts) time(c *binlogvalue.Column) bool {
	types := map[string]binlogvalue.Type{
		"date": binlogvalue.Date, "time": binlogvalue.Time2, "datetime": binlogvalue.Datetime2, "timestamp": binlogvalue.Timestamp2,
	}
	t, ok := types[f.data]
	if ok {
		c.Type, c.Precise = t, f.fraction
	}
	return ok
}

func (f *columnFacts) text(c *binlogvalue.Column) bool {
	compressed := strings.Contains(f.full, "COMPRESSED")
	blobs := [][]string{{"tinytext", "tinyblob"}, {"text", "blob"}, {"mediumtext", "mediumblob"}, {"longtext", "longblob"}}
	for i, names := range blobs {
		if slices.Contains(names, f.data) {
			c.Type, c.Size = binlogvalue.Blob, i+1
			if compressed {
				c.Type = binlogvalue.BlobCompressed
			}
			return true
		}
	}
	switch f.data {
	case "char", "binary":
		c.Type, c.Size = binlogvalue.String, f.octets
	case "varchar", "varbinary":
		c.Type, c.Size = binlogvalue.Varchar, f.octets
		if compressed {
			c.Type, c.Size = binlogvalue.VarcharCompressed, f.octets+1
		}
	default:
		return false
	}
	return true
}

func (f *columnFacts) other(c *binlogvalue.Column, mariaDB bool) bool {
	switch f.data {
	case "enum":
		c.Type, c.Labels = binlogvalue.Enum, labelsOf(f.full)
		c.Size = 1 + len(c.Labels)/256
	case "set":
		c.Type, c.Labels = binlogvalue.Set, labelsOf(f.full)
		if c.Size = (len(c.Labels) + 7) / 8; c.Size > 4 {
			c.Size = 8
		}
	case "json":
		c.Type, c.Size, c.Charset, c.Collate, c.MaxLen = binlogvalue.JSON, 4, "", "", 0
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		c.Type, c.Size = binlogvalue.Geometry, 4
	case "vector":
		c.Type, c.Size = binlogvalue.Vector, 4
		if mariaDB { // whose log has it as a varbinary
			c.Type, c.Size = binlogvalue.Varchar, f.octets
		}
	case "uuid", "inet6":
		c.Type, c.Size, c.Special = binlogvalue.String, 16, binlogvalue.Special(f.data)
	case "inet4":
		c.Type, c.Size, c.Special = binlogvalue.String, 4, binlogvalue.INET4
	default:
		return false
	}
	return true
}

// labelsOf takes enum('a','it”s') apart.
func labelsOf(full string) []string {
	var out []string
	_, rest, _ := strings.Cut(full, "(")
	for strings.HasPrefix(rest, "'") {
		var label strings.Builder
		rest = rest[1:]
		for rest != "" {
			before, after, _ := strings.Cut(rest, "'")
			label.WriteString(before)
			rest = after
			if !strings.HasPrefix(rest, "'") {
				break
			}
			label.WriteByte('\'')
			rest = rest[1:]
		}
		out = append(out, label.String())
		rest = strings.TrimPrefix(rest, ",")
	}
	return out
}

// quoteName quotes an identifier.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// quoteText quotes a text; the sessions' sql_mode has no backslash escapes.
func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func (t TableName) sql() string { return quoteName(t.Database) + "." + quoteName(t.Table) }
