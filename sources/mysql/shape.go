package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// A shape is one version of a captured table, and how its rows are read.
type shape struct {
	TableName
	table   *schema.Table
	columns []binlogvalue.Column
	codec   *binlogvalue.Codec
}

func (s *shape) kept() keptTable {
	return keptTable{TableName: s.TableName, Key: s.keyNames(), Columns: s.columns}
}

func (s *shape) keyNames() []string {
	var out []string
	for _, i := range s.table.Key {
		out = append(out, s.columns[i].Name)
	}
	return out
}

// newShape makes a version of a table.
func (s *Source) newShape(name TableName, columns []binlogvalue.Column, key []string) (*shape, error) {
	codec, err := binlogvalue.Compile(columns, s.collations.charsets, s.config.ZeroDates)
	if err != nil {
		return nil, &pipeline.Refusal{Code: CodeType, Where: name.String(), What: "a column cannot be captured", Err: err, Mend: "exclude_tables: [" + name.String() + "]"}
	}
	s.versions[name]++
	t := &schema.Table{Database: name.Database, Schema: name.Database, Name: name.Table, Native: name.String(), Version: s.versions[name]}
	for i := range columns {
		c, err := columns[i].Schema()
		if err != nil {
			return nil, err // Compile has read the same types
		}
		t.Columns = append(t.Columns, c)
	}
	for _, k := range key {
		i := t.Column(k)
		if i < 0 {
			return nil, s.changed(name, "its key column "+k+" is gone")
		}
		t.Columns[i].Nullable = false
		t.Key = append(t.Key, i)
	}
	return &shape{TableName: name, table: t, columns: columns, codec: codec}, nil
}

// selects is the query for the rows that conditions hold for; none: all.
func (s *shape) selects(conds ...string) string {
	list := make([]string, len(s.columns))
	for i := range s.columns {
		list[i] = s.codec.Select(i, quoteName(s.columns[i].Name))
	}
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + s.sql()
	if len(conds) > 0 {
		sql += " WHERE " + strings.Join(conds, " AND ")
	}
	return sql
}

func (s *Source) changed(name TableName, what string) *pipeline.Refusal {
	return &pipeline.Refusal{Code: CodeTableChanged, Where: name.String(), What: what, Mend: s.config.again(name)}
}

// follows says why earlier rows of a table do not follow from an old shape to a new
// one without a word in the log, or "". added lists the columns that came.
//
//	dropped                             its values are not needed any more
//	added, may be NULL, no default      it is NULL in earlier rows; the caller looks for the default
//	wider of the same kind              earlier values stay what they are
//	anything else                       earlier values may have been rewritten
func (s *shape) follows(columns []binlogvalue.Column) (added []string, why string) {
	gone := 0
	for i := range s.columns {
		was := &s.columns[i]
		now := find(columns, was.Name)
		switch {
		case now == nil && s.table.IsKey(i):
			return nil, "its key column " + was.Name + " is gone"
		case now == nil:
			gone++
		case !now.Equal(was):
			if why := widened(was, now, s.table.IsKey(i)); why != "" {
				return nil, "column " + was.Name + " " + why + "; earlier rows may have been rewritten"
			}
		}
	}
	for i := range columns {
		if find(s.columns, columns[i].Name) == nil {
			added = append(added, columns[i].Name)
			if !columns[i].Nullable {
				return nil, "column " + columns[i].Name + " came and is NOT NULL; what it is in earlier rows is not in the log"
			}
		}
	}
	if gone > 0 && len(added) > 0 {
		return nil, fmt.Sprintf("columns went and column %s came, which may be one that was renamed", added[0])
	}
	return added, ""
}

func find(columns []binlogvalue.Column, name string) *binlogvalue.Column {
	for i := range columns {
		if columns[i].Name == name {
			return &columns[i]
		}
	}
	return nil
}

// widened says what is wrong with a change of a column, or "".
func widened(was, now *binlogvalue.Column, key bool) string {
	c := *now
	c.Nullable = was.Nullable
	switch {
	case was.Nullable && !now.Nullable:
		return "became NOT NULL"
	case c.Equal(was):
		return ""
	case now.Special != was.Special || now.Unsigned != was.Unsigned || now.Precise != was.Precise && was.Type != binlogvalue.NewDecimal:
		return "has another type"
	case key && now.Collate != was.Collate:
		return "is of the key and has another collation"
	case now.Charset != was.Charset && now.Charset != "utf8mb4":
		return "has another character set"
	case wider(was, now):
		return ""
	}
	return "has another type"
}

// wider reports whether every value of one type prints the same in the other.
func wider(was, now *binlogvalue.Column) bool {
	whole := []binlogvalue.Type{binlogvalue.Tiny, binlogvalue.Short, binlogvalue.Int24, binlogvalue.Long, binlogvalue.LongLong}
	i, j := slices.Index(whole, was.Type), slices.Index(whole, now.Type)
	isBytes := was.Charset == ""
	text := func(t binlogvalue.Type) bool {
		return t == binlogvalue.Varchar || t == binlogvalue.Blob || t == binlogvalue.String && !isBytes || t == binlogvalue.BlobCompressed || t == binlogvalue.VarcharCompressed
	}
	switch {
	case i >= 0 && j >= i:
		return true
	case was.Type == binlogvalue.NewDecimal && now.Type == was.Type:
		return now.Scale == was.Scale && now.Precise >= was.Precise
	case was.Type == now.Type && (was.Type == binlogvalue.Enum || was.Type == binlogvalue.Set):
		return len(now.Labels) >= len(was.Labels) && slices.Equal(now.Labels[:len(was.Labels)], was.Labels)
	case text(was.Type) && text(now.Type) && isBytes == (now.Charset == ""):
		return capacity(now) >= capacity(was)
	}
	return false
}

// capacity is how many characters, or bytes, a column holds.
func capacity(c *binlogvalue.Column) int {
	if c.Type == binlogvalue.Blob || c.Type == binlogvalue.BlobCompressed {
		return (1<<(8*c.Size) - 1) / max(c.MaxLen, 1)
	}
	return c.Size / max(c.MaxLen, 1)
}

// sameImage reports whether a Table_map that names no columns can be of a shape: as
// many columns, stored alike.
func (s *shape) sameImage(m *tableMap) bool {
	if len(m.columns) != len(s.columns) {
		return false
	}
	for i := range m.columns {
		a, b := &m.columns[i], &s.columns[i]
		if a.Type != b.Type || a.Size != b.Size || a.Precise != b.Precise || a.Scale != b.Scale || a.Nullable != b.Nullable || m.signs && a.Unsigned != b.Unsigned {
			return false
		}
	}
	return true
}

// specials gives the columns of the log what it does not say: which bytes are
// MariaDB's own types. Columns of before keep what they were.
func specials(columns, known []binlogvalue.Column) {
	for i := range columns {
		if k := find(known, columns[i].Name); k != nil && k.Type == columns[i].Type && k.Size == columns[i].Size && columns[i].Charset == "" {
			columns[i].Special = k.Special
		}
	}
}

func equalColumns(a, b []binlogvalue.Column) bool {
	return slices.EqualFunc(a, b, func(x, y binlogvalue.Column) bool { return x.Equal(&y) })
}

func listed(names []string) string { return strings.Join(names, ", ") }
