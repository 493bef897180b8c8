package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// zoo lists each supported type with values worth trying.
var zoo = []struct {
	typ    string
	values []string
}{
	{"boolean", []string{"true", "false"}},
	{"smallint", []string{"-32768", "0", "32767"}},
	{"integer", []string{"-2147483648", "2147483647"}},
	{"bigint", []string{"-9223372036854775808", "9223372036854775807"}},
	{"real", []string{"1.1", "'NaN'", "'-Infinity'", "3.4028235e38", "1e-45", "'-0'"}},
	{"double precision", []string{"0.1", "'NaN'", "'Infinity'", "1.7976931348623157e308", "5e-324", "'-0'"}},
	{"numeric", []string{"0", "-12.30", "'NaN'", "'Infinity'", "1e30", "1e-30", "123456789.000100", "10000", "0.00010000"}},
	{"numeric(12,2)", []string{"1.5", "-9999999999.99", "0"}},
	{"text", []string{"''", "'grüße'", `E'tab\there\nand\\back'`, `'\N'`}},
	{"varchar(20)", []string{"'twenty'"}},
	{"char(5)", []string{"'ab'"}},
	{"name", []string{"'a name'"}},
	{"bytea", []string{`'\x'`, `'\x00ff5c0a09'`}},
	{"date", []string{"'2026-11-22'", "'0044-03-15 BC'", "'infinity'", "'-infinity'", "'5874897-12-31'", "'4713-01-01 BC'"}},
	{"time", []string{"'00:00'", "'24:00'", "'12:34:56.789012'"}},
	{"time(3)", []string{"'12:34:56.789'"}},
	{"timestamp", []string{"'2026-11-22 10:00:00.000001'", "'294276-12-31 23:59:59.999999'", "'4713-01-01 00:00 BC'", "'infinity'"}},
	{"timestamptz", []string{"'2026-11-22 10:00:00+05'", "'0044-03-15 12:00+00 BC'", "'-infinity'"}},
	{"uuid", []string{"'2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11'"}},
	{"json", []string{`'{"a": 1,  "a":2, "s":"x\ty"}'`}},
	{"jsonb", []string{`'{"b": 1, "a": [1e400, "grüße"]}'`}},
	{"mood", []string{"'happy'", "'so so'"}},
	{"amount", []string{"5.25"}},
	{"citext", []string{"'MiXed'"}},
	{"boolean[]", []string{"'{t,f,NULL}'"}},
	{"bigint[]", []string{"'{}'", "'{1,-2,NULL}'"}},
	{"real[]", []string{"'{1.1,NaN}'"}},
	{"numeric[]", []string{"'{1.50,NaN,-0.001}'"}},
	{"text[]", []string{`'{a,"b c","","NULL",NULL,"q\"\\q"}'`}},
	{"bytea[]", []string{`ARRAY['\x00ff'::bytea, '\x']`}},
	{"date[]", []string{"'{2026-11-22,infinity}'"}},
	{"time[]", []string{"'{24:00}'"}},
	{"timestamptz[]", []string{"'{2026-11-22 10:00+02,infinity}'"}},
	{"uuid[]", []string{"'{2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11}'"}},
	{"jsonb[]", []string{`ARRAY['{"a": 1}'::jsonb]`}},
	{"mood[]", []string{`'{happy,"so so"}'`}},
}

const zooTypes = `CREATE EXTENSION IF NOT EXISTS citext; CREATE TYPE mood AS ENUM ('happy', 'so so'); CREATE DOMAIN amount AS numeric(10,3);`

// zooTable makes a table with a column for each type; extra is one more column.
func zooTable(name, extra string) string {
	cols := []string{"id int PRIMARY KEY"}
	for i, z := range zoo {
		cols = append(cols, fmt.Sprintf("c%d %s", i, z.typ))
	}
	if extra != "" {
		cols = append(cols, extra)
	}
	return "CREATE TABLE " + name + " (" + strings.Join(cols, ", ") + ");"
}

// zooRows inserts one row for each round of values.
func (d *db) zooRows(name string) string {
	infinities := d.major() >= 14 // of numeric
	var out strings.Builder
	for id := range 10 {
		cols, vals := []string{"id"}, []string{fmt.Sprint(id)}
		for i, z := range zoo {
			if id < len(z.values) {
				value := z.values[id]
				if z.typ == "numeric" && value == "'Infinity'" && !infinities {
					value = "'NaN'"
				}
				cols, vals = append(cols, fmt.Sprintf("c%d", i)), append(vals, value)
			}
		}
		fmt.Fprintf(&out, "INSERT INTO %s (%s) VALUES (%s);\n", name, strings.Join(cols, ", "), strings.Join(vals, ", "))
	}
	return out.String()
}

// collect gives the after images of a table by their first column, cloned.
func (r *run) collect(d *db, snapshot bool) map[string]map[int64]schema.Row {
	out := map[string]map[int64]schema.Row{}
	place := "0/1"
	if !snapshot {
		d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
		place = d.get("SELECT pg_current_wal_lsn()")
	}
	r.each(place, func(b pipeline.Batch) {
		for _, c := range b.Changes {
			if out[c.Table.Name] == nil {
				out[c.Table.Name] = map[int64]schema.Row{}
			}
			out[c.Table.Name][c.After[0].Int()] = c.After.Clone()
		}
	})
	return out
}

func TestSameValuesEitherWay(t *testing.T) {
	t.Parallel()
	t.Run("P44 hostile settings of role and database", func(t *testing.T) {
		d := newDB(t)
		name := d.get("SELECT current_database()")
		for setting, value := range map[string]string{
			"datestyle": "German", "intervalstyle": "iso_8601", "timezone": "Asia/Kathmandu", "bytea_output": "escape",
			"extra_float_digits": "-15", "lc_monetary": "C", "client_encoding": "LATIN1",
		} {
			d.do("ALTER DATABASE %s SET %s = '%s'", name, setting, value)
		}
		d.do("ALTER ROLE postgres IN DATABASE %s SET datestyle = 'SQL, DMY'", name)
		d.do(zooTypes)
		d.do(zooTable("zoo_binary", "") + zooTable("zoo_text", "why point DEFAULT '(1,2)', span interval DEFAULT '1 day 2 hours'"))
		d.do("%s", d.zooRows("zoo_binary")+d.zooRows("zoo_text"))
		r := open(t, d.config(), pipeline.Resume{})
		copied := r.collect(d, true)
		d.do(`UPDATE zoo_binary SET id = id; UPDATE zoo_text SET id = id`)
		streamed := r.collect(d, false)

		for _, table := range []string{"zoo_binary", "zoo_text"} {
			sameRows(t, r, table, copied[table], streamed[table])
		}
		for id, row := range copied["zoo_binary"] { // the binary and the text form of COPY agree as well
			if other := copied["zoo_text"][id][:len(row)]; !row.Identical(other) {
				t.Errorf("row %d: binary COPY %s, text COPY %s", id, showRow(r.tables[0], row), showRow(r.tables[0], other))
			}
		}
		if got := showValue(schema.Type{Kind: schema.KindText}, streamed["zoo_text"][0][len(zoo)+2]); got != "1 day 02:00:00" {
			t.Errorf("an interval is carried as %q", got)
		}
		serverAgrees(t, d, r, streamed["zoo_binary"])
	})
}

func sameRows(t *testing.T, r *run, name string, copied, streamed map[int64]schema.Row) {
	t.Helper()
	if len(copied) != 10 || len(streamed) != 10 {
		t.Fatalf("%s: %d rows copied, %d streamed, want 10", name, len(copied), len(streamed))
	}
	table := r.table(name)
	for id, row := range copied {
		for i := range row {
			if !row[i].Identical(streamed[id][i]) {
				t.Errorf("%s row %d column %s %s: copied as %s, streamed as %s", name, id, table.Columns[i].Name, table.Columns[i].Type.Name,
					showValue(table.Columns[i].Type, row[i]), showValue(table.Columns[i].Type, streamed[id][i]))
			}
		}
	}
}

// serverAgrees prints each value and lets the server read it back.
func serverAgrees(t *testing.T, d *db, r *run, rows map[int64]schema.Row) {
	t.Helper()
	d.do("SET datestyle = 'ISO'; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 3; SET client_encoding = 'UTF8'")
	table := r.table("zoo_binary")
	for id, row := range rows {
		for i, v := range row {
			if v.IsNull() {
				continue
			}
			c := table.Columns[i]
			text := showLong(c.Type, v)
			same := d.get("SELECT %s::text = %s::%s::text FROM zoo_binary WHERE id = %d", c.Name, pgsql.QuoteLiteral(text), c.Type.Name, id)
			if same != "t" {
				t.Errorf("%s: %q is not what the server has: %q", c.Type.Name, text, d.get("SELECT %s::text FROM zoo_binary WHERE id = %d", c.Name, id))
			}
		}
	}
}

func (r *run) table(name string) *schema.Table {
	i := slices.IndexFunc(r.tables, func(t *schema.Table) bool { return t.Name == name })
	if i < 0 {
		r.t.Fatalf("table %s was not announced", name)
	}
	return r.tables[i]
}

func TestTableDescriptions(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do(`CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('happy', 'a,b');
		CREATE TABLE t (b text COLLATE "C" NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, n numeric(10,2), v varchar(20), p char(3), ci citext, m mood,
		  ts timestamp(3), js jsonb, arr numeric(5,1)[], pt point, gen int GENERATED ALWAYS AS (1) STORED, PRIMARY KEY (id, b));`)
	r := open(t, d.config(), pipeline.Resume{})
	r.snapshot()
	table := r.table("t")
	var lines []string
	for i, c := range table.Columns {
		lines = append(lines, fmt.Sprintf("%s %s kind=%d bits=%d p=%d s=%d null=%v key=%v opaque=%v det=%v pad=%v %v",
			c.Name, c.Type.Name, c.Type.Kind, c.Type.Bits, c.Type.Precision, c.Type.Scale, c.Nullable, table.IsKey(i), c.Type.Opaque,
			c.Collation.Deterministic, c.Collation.Pad, c.Type.Labels))
	}
	wantLines(t, lines,
		"b text kind=6 bits=0 p=-1 s=-1 null=false key=true opaque=false det=true pad=false []",
		"id bigint kind=3 bits=64 p=-1 s=-1 null=false key=true opaque=false det=true pad=false []",
		"n numeric(10,2) kind=5 bits=0 p=10 s=2 null=true key=false opaque=false det=true pad=false []",
		"v character varying(20) kind=6 bits=0 p=-1 s=-1 null=true key=false opaque=false det=true pad=false []",
		"p character(3) kind=6 bits=0 p=-1 s=-1 null=true key=false opaque=false det=true pad=true []",
		"ci public.citext kind=6 bits=0 p=-1 s=-1 null=true key=false opaque=false det=false pad=false []",
		"m public.mood kind=6 bits=0 p=-1 s=-1 null=true key=false opaque=false det=true pad=false [happy a,b]",
		"ts timestamp(3) without time zone kind=10 bits=0 p=3 s=-1 null=true key=false opaque=false det=true pad=false []",
		"js jsonb kind=12 bits=0 p=-1 s=-1 null=true key=false opaque=false det=true pad=false []",
		"arr numeric(5,1)[] kind=13 bits=0 p=-1 s=-1 null=true key=false opaque=false det=true pad=false []",
		"pt point kind=6 bits=0 p=-1 s=-1 null=true key=false opaque=true det=true pad=false []",
	)
	if fmt.Sprint(table.Key) != "[1 0]" {
		t.Errorf("key %v, want the order of the index: id, b", table.Key)
	}
	if e := table.Columns[9].Type.Elem; e.Precision != 5 || e.Scale != 1 || e.Name != "numeric(5,1)" {
		t.Errorf("element type %+v", e)
	}
}
