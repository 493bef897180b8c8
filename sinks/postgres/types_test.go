package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	source "github.com/evertdb/evert/sources/postgres"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// zoo lists types with values worth trying, and what the type becomes where the
// target does not have it.
var zoo = []struct {
	typ, without string
	values       []string
}{
	{"boolean", "", []string{"true", "false"}},
	{"smallint", "", []string{"-32768", "0", "32767"}},
	{"integer", "", []string{"-2147483648", "2147483647"}},
	{"bigint", "", []string{"-9223372036854775808", "9223372036854775807"}},
	{"real", "", []string{"1.1", "'NaN'", "'-Infinity'", "3.4028235e38", "1e-45", "'-0'"}},
	{"double precision", "", []string{"0.1", "'NaN'", "'Infinity'", "1.7976931348623157e308", "5e-324", "'-0'"}},
	{"numeric", "", []string{"0", "-12.30", "'NaN'", "'Infinity'", "1e30", "1e-30", "123456789.000100", "1e500"}},
	{"numeric(12,2)", "", []string{"1.5", "-9999999999.99", "0", "'NaN'"}},
	{"text", "", []string{"''", "'grüße'", `E'tab\there\nand\\back\rand\vmore\f\b'`, `'\N'`, `'\.'`, "'NULL'"}},
	{"character varying(20)", "", []string{"'twenty'", "''", "'spaces  '"}},
	{"character(5)", "", []string{"'ab'", "''"}},
	{"name", "", []string{"'a name'"}},
	{`"char"`, "", []string{"'x'"}},
	{"bytea", "", []string{`'\x'`, `'\x00ff5c0a09'`}},
	{"date", "", []string{"'2026-11-22'", "'0044-03-15 BC'", "'infinity'", "'-infinity'", "'5874897-12-31'", "'4713-01-01 BC'"}},
	{"time without time zone", "", []string{"'00:00'", "'24:00'", "'12:34:56.789012'"}},
	{"time(3) without time zone", "", []string{"'12:34:56.789'"}},
	{"time with time zone", "", []string{"'12:34:56.789+05:30'"}},
	{"timestamp without time zone", "", []string{"'2026-11-22 10:00:00.000001'", "'294276-12-31 23:59:59.999999'", "'4713-01-01 00:00 BC'", "'infinity'"}},
	{"timestamp with time zone", "", []string{"'2026-11-22 10:00:00+05'", "'0044-03-15 12:00+00 BC'", "'-infinity'"}},
	{"timestamp(0) with time zone", "", []string{"'2026-11-22 10:00:00+05'"}},
	{"interval", "", []string{"'1 day 2 hours'", "'-1 year +2 days -03:04:05.6'", "'178000000 years'"}},
	{"uuid", "", []string{"'2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11'"}},
	{"json", "", []string{`'{"a": 1,  "a":2, "s":"x\ty"}'`, `'null'`}},
	{"jsonb", "", []string{`'{"b": 1, "a": [1e400, "grüße"]}'`, `'1.00'`}},
	{"public.mood", "text", []string{"'happy'", "'so so'"}},
	{"public.citext", "text", []string{"'MiXed'"}},
	{"public.amount", "numeric(10,3)", []string{"5.25"}},
	{"inet", "", []string{"'10.0.0.1/8'", "'::1'"}},
	{"macaddr", "", []string{"'08:00:2b:01:02:03'"}},
	{"point", "", []string{"'(1.5,-2)'"}},
	{"bit(8)", "", []string{"B'10101010'"}},
	{"bit varying(5)", "", []string{"B'101'"}},
	{"money", "", []string{"'12.34'"}},
	{"tsvector", "", []string{"'a:1 fat:2 cat:3'"}},
	{"int4range", "", []string{"'[1,5)'", "'empty'"}},
	{"xml", "", []string{"'<a>b</a>'"}},
	{"oid", "", []string{"'4294967295'"}},
	{"public.pair", "text", []string{`'(1,"two, three")'`}},
	{"boolean[]", "", []string{"'{t,f,NULL}'"}},
	{"bigint[]", "", []string{"'{}'", "'{1,-2,NULL}'"}},
	{"real[]", "", []string{"'{1.1,NaN}'"}},
	{"numeric[]", "", []string{"'{1.50,NaN,-0.001}'"}},
	{"text[]", "", []string{`'{a,"b c","","NULL",NULL,"q\"\\q"}'`}},
	{"bytea[]", "", []string{`ARRAY['\x00ff'::bytea, '\x']`}},
	{"date[]", "", []string{"'{2026-11-22,infinity}'"}},
	{"timestamp with time zone[]", "", []string{"'{2026-11-22 10:00+02,infinity}'"}},
	{"uuid[]", "", []string{"'{2f1e6a52-6d6b-4b52-a3a5-8a6f7d0a0b11}'"}},
	{"jsonb[]", "", []string{`ARRAY['{"a": 1}'::jsonb]`}},
	{"public.mood[]", "text[]", []string{`'{happy,"so so"}'`}},
}

const zooTypes = `CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('happy', 'so so'); CREATE DOMAIN amount AS numeric(10,3); CREATE TYPE pair AS (a int, b text);`

const zooRounds = 8

// zooTable makes a table with a column for each type, and a row for each round of
// values.
func (d *db) zooTable() {
	d.t.Helper()
	columns := []string{"id int PRIMARY KEY"}
	for i, z := range zoo {
		columns = append(columns, fmt.Sprintf("c%d %s", i, z.typ))
	}
	d.do("CREATE TABLE zoo (" + strings.Join(columns, ", ") + ")")
	for id := range zooRounds {
		names, values := []string{"id"}, []string{fmt.Sprint(id)}
		for i, z := range zoo {
			if id < len(z.values) {
				names, values = append(names, fmt.Sprintf("c%d", i)), append(values, d.value(z.typ, z.values[id]))
			}
		}
		d.do("INSERT INTO zoo (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")")
	}
}

// value leaves out what an older server does not know.
func (d *db) value(typ, value string) string {
	if typ == "numeric" && value == "'Infinity'" && d.get("SELECT current_setting('server_version_num')::int < 140000") == "t" {
		return "'NaN'"
	}
	return value
}

// capture gives the rows of a table as the Postgres source does.
func (d *db) capture(table string) (changes []pipeline.Change) {
	d.t.Helper()
	slot := "evert_" + d.get("SELECT current_database()")
	s := source.New(source.Config{Name: "zoo", Slot: slot, Publication: slot, SpillDir: d.t.TempDir(), Named: []pgsql.TableName{{Schema: "public", Name: table}},
		URL: func(context.Context) (string, error) { return d.url, nil }})
	defer s.Close()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	if err := s.Open(ctx, pipeline.Resume{}); err != nil {
		d.t.Fatal(err)
	}
	for {
		b, err := s.Next(ctx)
		if err != nil {
			d.t.Fatal(err)
		}
		for i := range b.Changes {
			c := b.Changes[i]
			c.After = c.After.Clone()
			changes = append(changes, c)
		}
		if b.End == nil {
			continue
		}
		if err := s.Ack(ctx, b.End.At); err != nil { // the slot is made when its intent is durable
			d.t.Fatal(err)
		}
		if !b.End.At.IsZero() {
			return changes
		}
	}
}

// texts prints every row of a table, value by value, as the server does.
func (d *db) texts(table string) string {
	d.do("SET DateStyle = 'ISO, MDY'; SET bytea_output = 'hex'; SET extra_float_digits = 3; SET IntervalStyle = 'postgres'")
	return d.get("SELECT * FROM " + table + " ORDER BY id")
}

func TestTypes(t *testing.T) {
	from := newDB(t)
	from.do(zooTypes)
	from.zooTable()
	changes := from.capture("zoo")
	if len(changes) != zooRounds {
		t.Fatalf("%d rows were captured", len(changes))
	}
	want := from.texts("zoo")
	for _, there := range []bool{true, false} {
		for _, road := range []struct {
			name   string
			change func(*Config)
			fill   bool // by COPY into the fill
		}{
			{"small", func(*Config) {}, false},
			{"by the temporary table", func(c *Config) { c.BufferBytes, c.SmallRows = 1, 1 }, false},
			{"in a fill", func(*Config) {}, true},
		} {
			name := "a target with the same types"
			if !there {
				name = "a target without them"
			}
			t.Run("every type, "+name+", "+road.name, func(t *testing.T) {
				to := newDB(t)
				if there {
					to.do(zooTypes)
				}
				r := to.run(road.change, func(c *Config) { c.Table.Name = "zoo" })
				r.open()
				if !road.fill {
					r.write()
					r.commit()
				}
				r.write(changes...)
				r.commit()
				sameLines(t, to.texts("zoo"), want)
				to.zooTypesAre(t, there)
				r.write(changes...) // over itself
				r.commit()
				sameLines(t, to.texts("zoo"), want)
				again := to.get("SELECT xmin FROM zoo ORDER BY id")
				r.renew()
				r.open()
				r.write(changes...)
				r.commit()
				to.wants("SELECT xmin FROM zoo ORDER BY id", again) // no value differs from itself
			})
		}
	}
}

// zooTypesAre compares the types of the columns with those of the source.
func (d *db) zooTypesAre(t *testing.T, there bool) {
	t.Helper()
	got := strings.Split(d.get("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'zoo'::regclass AND attnum > 1 ORDER BY attnum"), "\n")
	for i, z := range zoo {
		want := z.typ
		if z.without != "" && (!there || want == "public.amount") {
			want = z.without // a domain counts as what it is over
		}
		if strings.TrimPrefix(want, "public.") != strings.TrimPrefix(got[i], "public.") {
			t.Errorf("%s became %s, want %s", z.typ, got[i], want)
		}
	}
}

func sameLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "|"), strings.Split(want, "|")
	if len(g) != len(w) {
		t.Fatalf("got %d values, want %d", len(g), len(w))
	}
	for i := range w {
		if g[i] != w[i] {
			t.Errorf("value %d of a row: got %q, want %q", i%len(zoo), g[i], w[i])
		}
	}
}

func TestWantedTypes(t *testing.T) {
	d := newDB(t)
	d.do("CREATE TYPE mood AS ENUM ('happy')")
	c := d.config().withDefaults()
	conn, err := c.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer goodbye(conn)
	ts, foreign := types{conn: conn}, types{conn: conn, foreign: true}
	for _, c := range []struct {
		typ           schema.Type
		want, foreign string
	}{
		{schema.Type{Kind: schema.KindInt, Bits: 16}, "smallint", ""},
		{schema.Type{Kind: schema.KindInt}, "bigint", ""},
		{schema.Type{Kind: schema.KindDecimal, Precision: 2000, Scale: 1}, "numeric", ""},
		{schema.Type{Kind: schema.KindDecimal, Precision: 5, Scale: -2}, "numeric", ""},
		{schema.Type{Kind: schema.KindDecimal, Precision: -1, Scale: -1}, "numeric", ""},
		{schema.Type{Kind: schema.KindDecimal, Name: "bigint unsigned", Precision: 20}, "numeric(20,0)", ""},
		{schema.Type{Kind: schema.KindText, Name: "character varying(20)"}, "character varying(20)", ""},
		{schema.Type{Kind: schema.KindText, Name: "varchar(20)"}, "character varying(20)", ""},
		{schema.Type{Kind: schema.KindText, Name: "varchar(99999999)"}, "text", ""},
		{schema.Type{Kind: schema.KindText, Name: "char"}, "character(1)", ""},
		{schema.Type{Kind: schema.KindText, Name: "longtext"}, "text", ""},
		{schema.Type{Kind: schema.KindText, Name: "enum('a','b')"}, "text", ""},
		{schema.Type{Kind: schema.KindText, Name: "public.mood", Labels: []string{"happy"}}, "public.mood", "text"},
		{schema.Type{Kind: schema.KindText, Name: "bit(8)", Opaque: true}, "bit(8)", "text"},
		{schema.Type{Kind: schema.KindText, Name: "int); DROP TABLE items; --", Opaque: true}, "text", "text"},
		{schema.Type{Kind: schema.KindText, Name: "record", Opaque: true}, "text", "text"},
		{schema.Type{Kind: schema.KindText, Name: "nonesuch(3)", Opaque: true}, "text", "text"},
		{schema.Type{Kind: schema.KindArray}, "text[]", ""},
	} {
		got, err := ts.of(t.Context(), &c.typ)
		if err != nil || got != c.want {
			t.Errorf("%+v became %s, %v; want %s", c.typ, got, err, c.want)
		}
		if got, err := foreign.of(t.Context(), &c.typ); c.foreign != "" && (err != nil || got != c.foreign) {
			t.Errorf("%+v of another kind of database became %s, %v; want %s", c.typ, got, err, c.foreign)
		}
	}
}
