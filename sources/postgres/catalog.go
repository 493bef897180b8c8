package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A tableInfo is what the catalog says about one table now.
type tableInfo struct {
	pgsql.TableName
	oid       uint32
	kind      string // r ordinary, p partitioned
	identity  string // pg_class.relreplident: d, n, f, i
	unlogged  bool   // or temporary
	partition bool   // of another table
	root      string // of a partition, as SQL
	secured   bool   // row level security applies to us
	canSelect bool
	canUse    bool // USAGE on its schema
	owned     bool // by a role that we are
	database  string
	bytes     int64
	rows      int64 // the planner's estimate
	columns   []columnInfo
	most      int // the highest number that a column of it has or had
	indexes   []indexInfo

	published bool
	attnames  []string // column list of the publication; nil: all
	exact     bool     // it lists generated columns, too
	filter    string   // row filter of the publication
}

// A columnInfo is one live column, in the order of attnum.
type columnInfo struct {
	num       int
	name      string
	typ       uint32
	typmod    int32
	typeName  string // as format_type prints it
	notNull   bool
	generated bool
	defaults  bool // has a default, so that rows from before the column was added may hold it unseen
	printed   bool // if it is an array it is carried as text, in which dimensions and bounds are kept
	collation collationInfo
}

type collationInfo struct {
	name, provider string
	deterministic  bool
}

// An indexInfo is a unique, valid, immediate index over plain columns of all rows.
type indexInfo struct {
	name     string
	primary  bool
	identity bool
	columns  []int // attnums, in key order
}

// A typeInfo is one row of pg_type, as far as reading values needs it.
type typeInfo struct {
	oid      uint32
	name     string
	kind     string // typtype: b base, d domain, e enum, …
	category string
	base     uint32 // of a domain
	typmod   int32  // of a domain
	elem     uint32 // of an array
	delim    byte   // between its elements
	unsent   bool   // it has no send function
	schema   string
	labels   []string
}

const tablesSQL = `
SELECT current_database(), c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.relpersistence <> 'p', c.relispartition,
       has_table_privilege(c.oid, 'SELECT'), has_schema_privilege(n.oid, 'USAGE'), pg_has_role(c.relowner, 'USAGE'),
       CASE WHEN $1::bool THEN (SELECT coalesce(sum(pg_table_size(t.relid)), 0) FROM pg_partition_tree(c.oid) t WHERE t.isleaf)
         + CASE WHEN c.relkind = 'r' AND NOT c.relispartition THEN pg_table_size(c.oid) ELSE 0 END ELSE 0 END,
       CASE WHEN c.relkind = 'p' AND $1::bool
            THEN (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf)
            ELSE greatest(c.reltuples, 0) END::bigint,
       row_security_active(c.oid), CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::text END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname`

// loadTables lists all tables of the database that a user could mean. Their sizes
// are asked for by those only that may wait for whoever changes one of them.
func loadTables(ctx context.Context, s *side, sizes bool) ([]*tableInfo, error) {
	rs, err := s.query(ctx, tablesSQL, strconv.FormatBool(sizes))
	if err != nil {
		return nil, err
	}
	var out []*tableInfo
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		out = append(out, &tableInfo{
			database: r.Text(), oid: r.OID(), TableName: pgsql.TableName{Schema: r.Text(), Name: r.Text()}, kind: r.Text(), identity: r.Text(), unlogged: r.Bool(), partition: r.Bool(),
			canSelect: r.Bool(), canUse: r.Bool(), owned: r.Bool(), bytes: r.Int(), rows: r.Int(),
			secured: r.Bool(), root: r.Text(),
		})
	}
	return out, nil
}

// describe fills in the columns and usable keys of the given tables.
func describe(ctx context.Context, s *side, tables []*tableInfo) error {
	byOID := map[uint32]*tableInfo{}
	var oids []uint32
	for _, t := range tables {
		t.columns, t.indexes = nil, nil
		byOID[t.oid] = t
		oids = append(oids, t.oid)
	}
	if err := loadColumns(ctx, s, oids, byOID); err != nil {
		return err
	}
	return loadIndexes(ctx, s, oids, byOID)
}

const columnsSQL = `
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.attgenerated <> '', a.atthasmissing OR a.atthasdef, a.attndims > 1,
       coalesce(c.collname, ''), coalesce(c.collprovider, ''), coalesce(c.collisdeterministic, true),
       (SELECT r.relnatts FROM pg_class r WHERE r.oid = a.attrelid)
FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum`

func loadColumns(ctx context.Context, s *side, oids []uint32, byOID map[uint32]*tableInfo) error {
	rs, err := s.query(ctx, columnsSQL, pgsql.OIDList(oids))
	if err != nil {
		return err
	}
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		t := byOID[r.OID()]
		t.columns = append(t.columns, columnInfo{
			num: int(r.Int()), name: r.Text(), typ: r.OID(), typmod: int32(r.Int()), typeName: r.Text(), notNull: r.Bool(),
			generated: r.Bool(), defaults: r.Bool(), printed: r.Bool() || s.config.printsArrays(t.TableName),
			collation: collationInfo{name: r.Text(), provider: r.Text(), deterministic: r.Bool()},
		})
		t.most = int(r.Int())
	}
	return nil
}

const indexesSQL = `
SELECT i.indrelid, c.relname, i.indisprimary, i.indisreplident, i.indkey::text, i.indnkeyatts
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY i.indrelid, i.indisprimary DESC, c.relname`

func loadIndexes(ctx context.Context, s *side, oids []uint32, byOID map[uint32]*tableInfo) error {
	rs, err := s.query(ctx, indexesSQL, pgsql.OIDList(oids))
	if err != nil {
		return err
	}
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		t := byOID[r.OID()]
		x := indexInfo{name: r.Text(), primary: r.Bool(), identity: r.Bool()}
		words, n := strings.Fields(r.Text()), int(r.Int())
		for _, w := range words[:min(n, len(words))] { // the rest is INCLUDEd
			num, _ := strconv.Atoi(w)
			x.columns = append(x.columns, num)
		}
		t.indexes = append(t.indexes, x)
	}
	return nil
}

const typesSQL = `
WITH RECURSIVE used(oid) AS (
  SELECT unnest($1::oid[])
  UNION
  SELECT next.oid FROM used JOIN pg_type t ON t.oid = used.oid
  CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem)) next(oid) WHERE next.oid <> 0)
SELECT t.oid, t.typname, t.typtype, t.typcategory, t.typbasetype, t.typtypmod, CASE WHEN t.typlen = -1 THEN t.typelem ELSE 0 END,
       ascii(coalesce(e.typdelim, ',')), t.typsend::oid = 0, n.nspname,
       (SELECT string_agg(encode(convert_to(e.enumlabel, 'UTF8'), 'hex'), ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
FROM used JOIN pg_type t ON t.oid = used.oid JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON e.oid = t.typelem`

// loadTypes reads the given types and those they are made of.
func loadTypes(ctx context.Context, s *side, oids []uint32) (map[uint32]*typeInfo, error) {
	rs, err := s.query(ctx, typesSQL, pgsql.OIDList(oids))
	if err != nil {
		return nil, err
	}
	out := map[uint32]*typeInfo{}
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		t := &typeInfo{
			oid: r.OID(), name: r.Text(), kind: r.Text(), category: r.Text(), base: r.OID(), typmod: int32(r.Int()), elem: r.OID(),
			delim: byte(r.Int()), unsent: r.Bool(), schema: r.Text(),
		}
		t.labels = hexWords(r.Text())
		out[t.oid] = t
	}
	return out, nil
}

// publishedSQL waits for nobody who changes a table, but for one with a row filter. It
// reads the catalog as JSON where its columns differ between versions.
const publishedSQL = `
SELECT c.oid,
       CASE WHEN to_jsonb(pr) ->> 'prattrs' IS NOT NULL OR to_jsonb(p) ->> 'pubgencols' = 's' THEN
         (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND coalesce(a.attnum::text = ANY (regexp_split_to_array(to_jsonb(pr) ->> 'prattrs', '[^0-9]+')), a.attgenerated IN ('', 's'))) END,
       %s,
       current_setting('server_version_num')::int >= 180000
FROM pg_publication p CROSS JOIN pg_class c
LEFT JOIN pg_publication_rel pr ON pr.prpubid = p.oid AND pr.prrelid = c.oid AND NOT p.puballtables
WHERE p.pubname = $1 AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND %s`

// inPublication says in SQL whether publication p sends changes of table c, under
// whatever name.
func inPublication(version int) string {
	const up = "(SELECT a.relid FROM pg_partition_ancestors(c.oid) a)"
	sql := "(p.puballtables OR EXISTS (SELECT FROM pg_publication_rel u WHERE u.prpubid = p.oid AND (u.prrelid = c.oid OR u.prrelid IN " + up + "))"
	if version >= 150000 {
		sql += " OR EXISTS (SELECT FROM pg_publication_namespace u WHERE u.pnpubid = p.oid AND (u.pnnspid = c.relnamespace OR u.pnnspid IN (SELECT r.relnamespace FROM pg_class r WHERE r.oid IN " + up + ")))"
	}
	return sql + ")"
}

// markPublished fills in what the publication sends of each table.
func markPublished(ctx context.Context, s *side, version int, publication string, tables []*tableInfo) error {
	filter := "NULL"
	if version >= 150000 {
		filter = "CASE WHEN pr.prqual IS NOT NULL THEN pg_get_expr(pr.prqual, c.oid) END"
	}
	rs, err := s.query(ctx, fmt.Sprintf(publishedSQL, filter, inPublication(version)), publication)
	if err != nil {
		return err
	}
	byOID := map[uint32]*tableInfo{}
	for _, t := range tables {
		t.published, t.attnames, t.filter, t.exact = false, nil, "", false
		byOID[t.oid] = t
	}
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		if t := byOID[r.OID()]; t != nil {
			t.published, t.attnames, t.filter = true, jsonStrings(r.Text()), r.Text()
			t.exact = r.Bool() && t.attnames != nil
		}
	}
	return nil
}

// columnNames names the columns that the publication sends.
func (t *tableInfo) columnNames() []string {
	var names []string
	for _, c := range t.sent() {
		names = append(names, c.name)
	}
	return names
}

// sent lists the columns that the publication sends, in the order of attnum. Stored
// generated columns are among them from version 18 on, if it says so (P25).
func (t *tableInfo) sent() []columnInfo {
	var out []columnInfo
	for _, c := range t.columns {
		listed := t.attnames == nil || slices.Contains(t.attnames, c.name)
		if (!c.generated || t.exact) && listed {
			out = append(out, c)
		}
	}
	return out
}

// sendsGenerated reports whether a generated column is sent; COPY takes none but in a
// query.
func (t *tableInfo) sendsGenerated() bool {
	return slices.ContainsFunc(t.sent(), func(c columnInfo) bool { return c.generated })
}

func (t *tableInfo) column(num int) *columnInfo {
	for i := range t.columns {
		if t.columns[i].num == num {
			return &t.columns[i]
		}
	}
	return nil
}

// names gives the names of the columns with the given attnums.
func (t *tableInfo) names(nums []int) []string {
	var out []string
	for _, n := range nums {
		if c := t.column(n); c != nil {
			out = append(out, c.name)
		}
	}
	return out
}
