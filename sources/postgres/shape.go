package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A shape is one version of a captured table together with how its values are
// read. It is immutable.
type shape struct {
	table   *schema.Table
	oid     uint32
	codecs  []pgvalue.Codec
	columns []shapeColumn
	carried []bool // by old rows, of each column

	outdated bool // the catalog had other columns by the time it was made
}

// A shapeColumn is what tells one version from the next.
type shapeColumn struct {
	num    int // attnum; 0 if the catalog no longer knows the column
	name   string
	typ    uint32
	typmod int32
}

// shapeOf makes the shape of a table as the catalog has it now.
func shapeOf(t *tableInfo, ts types, key []string, version uint32) *shape {
	sent := t.sent()
	s := &shape{
		oid:   t.oid,
		table: &schema.Table{Database: t.database, Schema: t.Schema, Name: t.Name, Native: strconv.FormatUint(uint64(t.oid), 10), Version: version},
	}
	for _, c := range sent {
		s.add(c, ts)
	}
	carried := t.carried()
	for _, c := range sent {
		s.carried = append(s.carried, carried == nil || slices.Contains(carried, c.name))
	}
	s.setKey(key)
	return s
}

func (s *shape) add(c columnInfo, ts types) {
	codec, typ := ts.column(c)
	typ.Name = c.typeName
	if typ.Elem != nil {
		typ.Elem.Name = strings.TrimSuffix(c.typeName, "[]")
	}
	s.codecs = append(s.codecs, codec)
	s.columns = append(s.columns, shapeColumn{num: c.num, name: c.name, typ: c.typ, typmod: c.typmod})
	s.table.Columns = append(s.table.Columns, schema.Column{
		Name: c.name, Type: typ, Nullable: !c.notNull, Collation: collationOf(c, ts),
	})
}

func collationOf(c columnInfo, ts types) schema.Collation {
	if c.collation.name == "" {
		return schema.Collation{Deterministic: true}
	}
	out := schema.Collation{Name: c.collation.name, Provider: c.collation.provider, Deterministic: c.collation.deterministic}
	base := ts[c.typ]
	for base != nil && base.kind == "d" {
		base = ts[base.base]
	}
	if base != nil {
		out.Pad = base.oid == oidBpchar
		out.Deterministic = out.Deterministic && base.name != "citext" // equal without regard to case
	}
	return out
}

func (s *shape) setKey(key []string) {
	for _, name := range key {
		s.table.Key = append(s.table.Key, s.table.Column(name))
	}
}

// opaque lists the columns whose type is carried as text, with the type.
func (s *shape) opaque() []string {
	var out []string
	for _, c := range s.table.Columns {
		if c.Type.Opaque {
			out = append(out, c.Name+" "+c.Type.Name)
		}
	}
	return out
}

// matches reports whether rows of a relation are read with s, and old rows carry
// the same columns.
func (s *shape) matches(m *pgoutput.RelationMessage) bool {
	if s.oid != m.ID || len(s.columns) != len(m.Columns) ||
		s.table.Name != string(m.Name) || s.table.Schema != string(m.Namespace) {
		return false
	}
	for i, c := range m.Columns {
		mine := &s.columns[i]
		if mine.typ != c.OID || mine.typmod != c.TypMod || s.table.Columns[i].Name != string(c.Name) || s.carried[i] != c.Carried() {
			return false
		}
	}
	return true
}

// keyNames names the columns of the key.
func (s *shape) keyNames() []string {
	var names []string
	for _, k := range s.table.Key {
		names = append(names, s.table.Columns[k].Name)
	}
	return names
}

// keyCarried reports whether old rows of m carry every key column.
func (s *shape) keyCarried(m *pgoutput.RelationMessage) bool {
	for _, k := range s.table.Key {
		if !m.Columns[k].Carried() {
			return false
		}
	}
	return true
}

// How often, and for how long, the catalog is read again that may not show yet
// what a message tells of.
const (
	lateReads = 10
	lateRead  = 20 * time.Millisecond
)

// called finds the table of a message as it is called now. A commit can be in the
// stream before a snapshot shows it: a catalog that has the name of earlier rows,
// while the message has another, is read again. It stays so if the table was
// renamed back since.
func (cat *catalog) called(ctx context.Context, m *pgoutput.RelationMessage, name pgsql.TableName) (all []*tableInfo, info *tableInfo, err error) {
	said := pgsql.TableName{Schema: string(m.Namespace), Name: string(m.Name)}
	for try := 1; ; try++ {
		if all, err = loadTables(ctx, cat.side, false); err != nil {
			return nil, nil, err
		}
		info = withOID(all, m.ID)
		if info == nil || said == name || info.TableName != name || try == lateReads {
			return all, info, nil
		}
		select {
		case <-time.After(lateRead):
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// shapeFromRelation makes the shape that a Relation message announces. The
// message has names and types of its own time; the rest comes from the catalog
// of now, by number. name is that of the table's earlier rows. A table that was dropped since gives nil.
func (cat *catalog) shapeFromRelation(ctx context.Context, m *pgoutput.RelationMessage, name pgsql.TableName, was written) (*shape, error) {
	all, info, err := cat.called(ctx, m, name)
	if err != nil {
		return nil, err
	}
	if info == nil {
		return nil, nil // dropped since
	}
	if info.TableName != name {
		return nil, cat.config.renamed(name, info.TableName, all)
	}
	if err := describe(ctx, cat.side, []*tableInfo{info}); err != nil {
		return nil, err
	}
	ts, err := loadTypes(ctx, cat.side, typeOIDs(m))
	if err != nil {
		return nil, err
	}
	s := &shape{oid: m.ID, table: &schema.Table{Database: info.database, Schema: name.Schema, Name: name.Name, Native: strconv.FormatUint(uint64(m.ID), 10), Version: cat.nextVersion(m.ID)}}
	nums, twin := info.numbers(m, was)
	if twin != "" {
		return nil, cat.config.changed(name, "nobody can tell whether column "+twin+" of its rows is the one of now: a column was dropped since, maybe one of that name")
	}
	s.outdated = !info.hasColumns(m, nums)
	for i, c := range m.Columns {
		s.add(columnAt(info, c, nums[i]), ts)
		s.carried = append(s.carried, c.Carried())
	}
	s.remember(was.columns)
	key, refusal := info.key(cat.config.keyOf(name))
	if refusal != nil {
		return nil, refusal
	}
	for _, k := range key {
		if s.table.Column(k) < 0 {
			return nil, cat.config.changed(name, "its key column "+k+" did not exist at this place of the log")
		}
	}
	s.setKey(key)
	if !s.keyCarried(m) {
		return nil, info.refuse(CodeIdentity, "at this place of the log updates and deletes did not carry the key", cat.config.copyAgain(name))
	}
	return s, cat.allowed(was.columns, s, info)
}

// hasColumns reports whether the catalog has the columns of a message, which have these
// numbers, as it tells them.
func (t *tableInfo) hasColumns(m *pgoutput.RelationMessage, nums []int) bool {
	for i, c := range m.Columns {
		if !slices.ContainsFunc(t.columns, func(now columnInfo) bool {
			return now.num == nums[i] && now.name == string(c.Name) && now.typ == c.OID && now.typmod == c.TypMod
		}) {
			return false
		}
	}
	return true
}

// columnAt describes a column of a Relation message by what the catalog says of
// the column of that number and name. A column that is gone since may hold NULL.
func columnAt(info *tableInfo, c pgoutput.RelationColumn, num int) columnInfo {
	out := columnInfo{num: num, name: string(c.Name), typ: c.OID, typmod: c.TypMod, typeName: "type " + strconv.FormatUint(uint64(c.OID), 10)}
	for _, now := range info.columns {
		if now.num == num && now.name == out.name {
			out.collation, out.defaults, out.printed = now.collation, now.defaults, now.printed
			if now.typ == c.OID && now.typmod == c.TypMod {
				out.notNull, out.typeName = now.notNull, now.typeName
			}
		}
	}
	return out
}

// allowed reports whether rows written under before may stay as they are now
// that later ones come as after: columns may go, and nullable ones without a
// default may come. What else happens to a table changes its earlier rows without
// a word in the log (P21).
func (cat *catalog) allowed(before []shapeColumn, after *shape, info *tableInfo) error {
	if before == nil {
		return nil
	}
	name := info.TableName
	gone, come := strange(before, after.columns), strange(after.columns, before)
	if gone != nil && come != nil && (gone.num == 0 || come.num == 0) {
		return cat.config.changed(name, "column "+gone.name+" was renamed to "+come.name+", or one was dropped and the other added")
	}
	for i, is := range after.columns {
		was, c := named(before, is.name), after.table.Columns[i]
		if was == nil {
			if err := cat.mayAdd(before, is, info); err != nil {
				return err
			}
			continue
		}
		if was.typ != is.typ || was.typmod != is.typmod && is.typ != oidVarchar {
			return cat.config.changed(name, "column "+c.Name+" became "+c.Type.Name)
		}
		if was.num != 0 && is.num != 0 && was.num != is.num {
			return cat.config.changed(name, "column "+c.Name+" was dropped and added again")
		}
	}
	return nil
}

// strange gives a column of a whose name b does not have. With num 0 nobody can
// tell whether it lives on under another name.
func strange(a, b []shapeColumn) *shapeColumn {
	for i := range a {
		if named(b, a[i].name) == nil {
			return &a[i]
		}
	}
	return nil
}

func named(columns []shapeColumn, name string) *shapeColumn {
	for i := range columns {
		if columns[i].name == name {
			return &columns[i]
		}
	}
	return nil
}

// remember takes the numbers of columns that the catalog has forgotten from what
// was known before.
func (s *shape) remember(before []shapeColumn) {
	for i := range s.columns {
		if was := named(before, s.columns[i].name); was != nil && s.columns[i].num == 0 {
			s.columns[i].num = was.num
		}
	}
}

func (cat *catalog) mayAdd(before []shapeColumn, is shapeColumn, info *tableInfo) error {
	for _, was := range before {
		if was.num == is.num && is.num != 0 {
			return cat.config.changed(info.TableName, fmt.Sprintf("column %s was renamed to %s", was.name, is.name))
		}
	}
	now := info.column(is.num)
	if now != nil && (now.defaults || now.notNull) {
		return cat.config.changed(info.TableName, "column "+is.name+" was added with a default or NOT NULL, which fills earlier rows unseen")
	}
	return nil
}

// changed refuses a table whose earlier rows do not follow what happened to it.
func (c *Config) changed(name pgsql.TableName, how string) *pipeline.Refusal {
	return &pipeline.Refusal{
		Code: CodeTableChanged, Where: name.Schema + "." + name.Name,
		What: "the table was changed: " + how, Mend: c.copyAgain(name),
	}
}

func (c *Config) keyChanged(name pgsql.TableName, now *shape) *pipeline.Refusal {
	return c.changed(name, "its key became ("+strings.Join(now.keyNames(), ", ")+")")
}

// copyAgain copies a table again, for messages.
func (c *Config) copyAgain(t pgsql.TableName) string {
	return c.CopyCommand + schema.QuotePart(t.Schema) + "." + schema.QuotePart(t.Name)
}

func typeOIDs(m *pgoutput.RelationMessage) []uint32 {
	var oids []uint32
	for _, c := range m.Columns {
		oids = append(oids, c.OID)
	}
	return oids
}

// A catalog answers what the stream asks about tables. Used by one goroutine at
// a time.
type catalog struct {
	config   *Config
	side     *side
	versions map[uint32]uint32
	version  int // of the server
}

func (cat *catalog) nextVersion(oid uint32) uint32 {
	cat.versions[oid]++
	return cat.versions[oid]
}

// withOID finds a table; nil if it is gone.
func withOID(tables []*tableInfo, oid uint32) *tableInfo {
	for _, t := range tables {
		if t.oid == oid {
			return t
		}
	}
	return nil
}

// clone copies a Relation message out of the reader's buffer.
func cloneRelation(m *pgoutput.RelationMessage) *pgoutput.RelationMessage {
	c := *m
	c.Namespace, c.Name = bytes.Clone(m.Namespace), bytes.Clone(m.Name)
	c.Columns = make([]pgoutput.RelationColumn, len(m.Columns))
	for i, col := range m.Columns {
		c.Columns[i] = col
		c.Columns[i].Name = bytes.Clone(col.Name)
	}
	return &c
}
