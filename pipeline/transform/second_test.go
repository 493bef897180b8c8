package transform_test

import (
	"testing"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/schema"
)

const mendFull = ` | ALTER TABLE "public"."people" REPLICA IDENTITY FULL;`

func texts(list ...string) (out []transform.Text) {
	for _, s := range list {
		out = append(out, text(s))
	}
	return out
}

func TestRekey(t *testing.T) {
	by := transform.Rekey{Columns: texts("city", "id")}
	for _, c := range []tale{
		{"whole old rows", by, `
			r +(1 Ada Bern 30 a)
			c +(2 Bo Rome 17 b)
			u -(2 Bo Rome 17 b) +(2 Bo Bern 17 b)
			u -(2 Bo Bern 17 b) +(3 Bo Bern 17 b)
			d -(3 Bo Bern 17 b)
			t`, `
			public.people(id bigint not null, name text, city text, age integer, bio text) key city id
			r +(1 Ada Bern 30 a)
			c +(2 Bo Rome 17 b)
			u -(2 Bo Rome 17 b) +(2 Bo Bern 17 b)
			u -(2 Bo Bern 17 b) +(3 Bo Bern 17 b)
			d -(3 Bo Bern 17 b)
			t`},
		{"an update without its old row", by, `u +(1 Ada Bern 3 a)`, `stopped public.people TRANSFORM_OLD_ROW: an update needs the columns of the new key as they were, and the source did not send the old row` + mendFull},
		{"a change of key without its old row", by, `u -(2 ? ? ? ?) +(1 Ada Bern 3 a)`, `stopped public.people TRANSFORM_OLD_ROW: an update needs the columns of the new key as they were, and the source did not send the old row` + mendFull},
		{"a delete without its old row", by, `d -(2 ? ? ? ?)`, `stopped public.people TRANSFORM_OLD_ROW: a delete needs the columns of the new key, and the source did not send the old row` + mendFull},
		{"a part of the key is always known", transform.Rekey{Columns: texts("id")}, `
			u +(1 Ada Bern 3 ?)
			u -(1 ? ? ? ?) +(2 Ada Bern 3 a)
			d -(2 ? ? ? ?)`, `
			u -(1 ? ? ? ?) +(1 Ada Bern 3 ?)
			u -(1 ? ? ? ?) +(2 Ada Bern 3 a)
			d -(2 ? ? ? ?)`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}

func TestDropUnchanged(t *testing.T) {
	for _, c := range []tale{
		{"any column", transform.DropUnchanged{}, `
			u -(1 Ada Bern 3 a) +(1 Ada Bern 3 a)
			u -(1 Ada Bern 3 a) +(1 Ada Bern 4 a)
			u -(1 Ada Bern 3 a) +(1 Ada Bern 3 ?)
			u +(1 Ada Bern 3 a)
			u -(1 ? ? ? ?) +(2 Ada Bern 3 a)
			r +(1 Ada Bern 3 a)
			c +(1 Ada Bern 3 a)
			d -(1 Ada Bern 3 a)
			t`, `
			u -(1 Ada Bern 3 a) +(1 Ada Bern 4 a)
			u +(1 Ada Bern 3 a)
			u -(1 ? ? ? ?) +(2 Ada Bern 3 a)
			r +(1 Ada Bern 3 a)
			c +(1 Ada Bern 3 a)
			d -(1 Ada Bern 3 a)
			t`},
		{"some columns", transform.DropUnchanged{Columns: texts("name", "bio")}, `
			u -(1 Ada Bern 3 a) +(1 Ada Rome 4 a)
			u -(1 Ada Bern 3 a) +(1 Eve Bern 3 a)
			u -(1 Ada Bern 3 a) +(2 Ada Bern 3 a)`, `
			u -(1 Ada Bern 3 a) +(1 Eve Bern 3 a)
			u -(1 Ada Bern 3 a) +(2 Ada Bern 3 a)`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}

func TestMetadata(t *testing.T) {
	for _, c := range []tale{
		{"as columns", transform.Metadata{Columns: named("_op", "op", "_seq", "sequence")}, `
			r +(1 Ada Bern 3 a)
			u -(1 Ada Bern 3 a) +(1 Ada Bern 4 ?)
			u -(1 ? ? ? ?) +(2 Ada Bern 4 a)
			d -(2 ? ? ? ?)
			t`, `
			public.people(id bigint not null, name text, city text, age integer, bio text, _op text not null, _seq bigint) key id
			r +(1 Ada Bern 3 a r ~)
			u -(1 Ada Bern 3 a u 7) +(1 Ada Bern 4 a u 7)
			u -(1 ? ? ? ? u 7) +(2 Ada Bern 4 a u 7)
			d -(2 ? ? ? ? d 7)
			t`},
		{"as headers", transform.Metadata{Headers: named("x-op", "op", "x-position", "position", "x-time", "time")}, `
			r +(1 Ada Bern 3 a)
			d -(1 ? ? ? ?)
			t`, `
			r +(1 Ada Bern 3 a) x-op=r x-time=2001-09-09 01:46:40+00
			d -(1 ? ? ? ?) x-op=d x-position=0/70 x-time=2001-09-09 01:46:40+00
			t`},
		{"of fields that there are", transform.Metadata{Headers: named("evert-pos", "op")}, ``, `stopped public.people TRANSFORM_COLUMN: header "evert-pos" is Evert's own | choose another name`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}

// documents is a table of lists and objects: id tags address lines.
func documents() *schema.Table {
	t := people()
	t.Columns = t.Columns[:1:1]
	for _, c := range []schema.Column{{Name: "tags", Type: scalar.ArrayOf(scalar.Text.Type())}, {Name: "address", Type: scalar.JSONB.Type()}, {Name: "lines", Type: scalar.JSON.Type()}} {
		c.Nullable = true
		t.Columns = append(t.Columns, c)
	}
	return t
}

func TestNestAndFlatten(t *testing.T) {
	nest := tale{"nest", transform.Nest{Into: text("home"), Columns: texts("city", "bio")}, `
		r +(1 Ada Bern 3 a)
		u -(1 ? ? ? ?) +(2 Ada Bern ~ ~)
		u +(2 ~ Bern 3 a)
		d -(2 Ada Bern 3 a)
		t`, `
		public.people(id bigint not null, name text, home jsonb, age integer) key id
		r +(1 Ada {"bio": "a", "city": "Bern"} 3)
		u -(1 ? ? ?) +(2 Ada {"bio": null, "city": "Bern"} ~)
		u +(2 ~ {"bio": "a", "city": "Bern"} 3)
		d -(2 Ada {"bio": "a", "city": "Bern"} 3)
		t`}
	t.Run(nest.name, func(t *testing.T) { nest.tell(t, people()) })
	unknown := tale{"P13 nest of an unknown value", nest.step, `u +(1 Ada Bern 3 ?)`, `stopped public.people TRANSFORM_UNKNOWN: it needs the value of column "bio", which the source did not send because it did not change` + mendFull}
	t.Run(unknown.name, func(t *testing.T) { unknown.tell(t, people()) })
	for _, c := range []tale{
		{"flatten into columns", transform.Flatten{Column: text("address"), Fields: texts("street text", "geo.lat double precision", "geo json")}, `
			c +(1 ~ {"street":"Main","geo":{"lat":1.5},"x":1} ~)
			c +(2 ~ {} ~)
			u -(1 ? ? ?) +(3 ~ ~ ~)
			u +(1 ~ ? ~)
			d -(3 ? ? ?)
			t`, `
			public.people(id bigint not null, tags text[], address_street text, address_geo_lat double precision, address_geo json, lines json) key id
			c +(1 ~ Main 1.5 {"lat": 1.5} ~)
			c +(2 ~ ~ ~ ~ ~)
			u -(1 ? ? ? ? ?) +(3 ~ ~ ~ ~ ~)
			u +(1 ~ ? ? ? ~)
			d -(3 ? ? ? ? ?)
			t`},
		{"S05 flatten to one level, so deep and no deeper", transform.Flatten{Column: text("address"), Separator: ".", Depth: 2}, `
			c +(1 ~ {"a":{"b":{"c":1}},"d":[{"e":2}],"f":{}} ~)
			c +(2 ~ [1] ~)
			c +(3 ~ ~ ~)
			u +(4 ~ ? ~)`, `
			public.people(id bigint not null, tags text[], address jsonb, lines json) key id
			c +(1 ~ {"d": [{"e": 2}], "a.b": {"c": 1}} ~)
			c +(2 ~ [1] ~)
			c +(3 ~ ~ ~)
			u +(4 ~ ? ~)`},
		{"S05 a field below the bound", transform.Flatten{Column: text("address"), Fields: texts("a.b.c text"), Depth: 2}, ``,
			`stopped public.people TRANSFORM_COLUMN: field "a.b.c" lies more than 2 levels deep | raise depth, or nest less`},
		{"a field whose value does not fit", transform.Flatten{Column: text("address"), Fields: texts("n integer")}, `c +(1 ~ {"n":"x"} ~)`,
			`stopped public.people TRANSFORM_VALUE: the expression (address #>> ARRAY['n']::text[])::integer has no value for a row: invalid input syntax for type integer (SQLSTATE 22P02) | guard the expression, as with CASE or NULLIF, or correct the row in the source`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, documents()) })
	}
}

func TestUnnest(t *testing.T) {
	for _, c := range []tale{
		{"an array", transform.Unnest{Column: text("tags"), As: "tag"}, `
			r +(1 {a,b} ~ ~)
			u -(1 {a,b} ~ ~) +(1 {c,b,d} ~ ~)
			u -(1 {c,b,d} ~ ~) +(1 {c} ~ ~)
			u -(1 {c} ~ ~) +(2 {c,NULL} ~ ~)
			u -(2 {c,NULL} ~ ~) +(2 ~ ~ ~)
			c +(3 {z} ~ ~)
			d -(3 {z} ~ ~)
			t`, `
			public.people(id bigint not null, tag text, address jsonb, lines json, tags_ordinal integer not null) key id tags_ordinal
			r +(1 a ~ ~ 1)
			r +(1 b ~ ~ 2)
			u -(1 a ~ ~ 1) +(1 c ~ ~ 1)
			u -(1 b ~ ~ 2) +(1 b ~ ~ 2)
			c +(1 d ~ ~ 3)
			u -(1 c ~ ~ 1) +(1 c ~ ~ 1)
			d -(1 b ~ ~ 2)
			d -(1 d ~ ~ 3)
			u -(1 c ~ ~ 1) +(2 c ~ ~ 1)
			c +(2 ~ ~ ~ 2)
			d -(2 c ~ ~ 1)
			d -(2 ~ ~ ~ 2)
			c +(3 z ~ ~ 1)
			d -(3 z ~ ~ 1)
			t`},
		{"an array of two dimensions has its elements row by row", transform.Unnest{Column: text("tags"), As: "tag"}, `
			c +(1 {{a,b},{c,NULL}} ~ ~)
			u -(1 {{a,b},{c,NULL}} ~ ~) +(1 {{a},{d}} ~ ~)`, `
			public.people(id bigint not null, tag text, address jsonb, lines json, tags_ordinal integer not null) key id tags_ordinal
			c +(1 a ~ ~ 1)
			c +(1 b ~ ~ 2)
			c +(1 c ~ ~ 3)
			c +(1 ~ ~ ~ 4)
			u -(1 a ~ ~ 1) +(1 a ~ ~ 1)
			u -(1 b ~ ~ 2) +(1 d ~ ~ 2)
			d -(1 c ~ ~ 3)
			d -(1 ~ ~ ~ 4)`},
		{"an array of JSON", transform.Unnest{Column: text("lines"), Ordinal: "n"}, `
			c +(1 ~ ~ [{"a":1},2,null])
			c +(2 ~ ~ null)
			c +(3 ~ ~ [])`, `
			public.people(id bigint not null, tags text[], address jsonb, lines json, n integer not null) key id n
			c +(1 ~ ~ {"a":1} 1)
			c +(1 ~ ~ 2 2)
			c +(1 ~ ~ null 3)`},
		{"no array", transform.Unnest{Column: text("lines")}, `c +(1 ~ ~ {"a":1})`,
			`stopped public.people TRANSFORM_VALUE: the column holds JSON that is no array for a row | filter such rows out before, or correct the row in the source`},
		{"an update without its old row", transform.Unnest{Column: text("tags")}, `u +(1 {a} ~ ~)`,
			`stopped public.people TRANSFORM_OLD_ROW: how many elements there were has to be known of an update or delete, and the source did not send the old row` + mendFull},
		{"P13 a list that was not sent is that of the old row", transform.Unnest{Column: text("tags")}, `u -(1 {a} ~ ~) +(1 ? ~ [1])`, `u -(1 a ~ ~ 1) +(1 a ~ [1] 1)`},
		{"no more than the bound", transform.Unnest{Column: text("tags"), Most: 2}, `c +(1 {a,b,c} ~ ~)`, `stopped public.people TRANSFORM_LIMIT: a row has a list of more than 2 elements | max_elements: 20`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, documents()) })
	}
}

func TestRoute(t *testing.T) {
	bern, rome := transform.Name{Schema: "public", Table: "in_Bern"}, transform.Name{Schema: "public", Table: "in_Rome"}
	by := transform.Route{To: text("'in_' || city"), Tables: []transform.Name{bern, rome}}
	const columns = `(id bigint not null, name text, city text, age integer, bio text) key id`
	for _, c := range []tale{
		{"by a column", by, `
			r +(1 Ada Bern 3 a)
			c +(2 Bo Rome 4 b)
			u -(2 Bo Rome 4 b) +(2 Bo Rome 5 b)
			u -(2 Bo Rome 5 b) +(2 Bo Bern 5 b)
			u -(2 Bo Bern 5 b) +(3 Bo Bern 5 b)
			u -(3 Bo Bern 5 b) +(4 Bo Rome 5 b)
			d -(4 Bo Rome 5 b)
			t`, `
			public.in_Bern` + columns + `
			public.in_Rome` + columns + `
			public.in_Bern r +(1 Ada Bern 3 a)
			public.in_Rome c +(2 Bo Rome 4 b)
			public.in_Rome u -(2 Bo Rome 4 b) +(2 Bo Rome 5 b)
			public.in_Rome d -(2 Bo Rome 5 b)
			public.in_Bern c +(2 Bo Bern 5 b)
			public.in_Bern u -(2 Bo Bern 5 b) +(3 Bo Bern 5 b)
			public.in_Bern d -(3 Bo Bern 5 b)
			public.in_Rome c +(4 Bo Rome 5 b)
			public.in_Rome d -(4 Bo Rome 5 b)
			public.in_Bern t
			public.in_Rome t`},
		{"by the key alone, old rows are not needed", transform.Route{To: text("'in_' || CASE WHEN id > 1 THEN 'Rome' ELSE 'Bern' END"), Tables: by.Tables}, `
			u +(1 Ada Bern 3 a)
			u -(1 ? ? ? ?) +(2 Ada Bern 3 a)
			d -(2 ? ? ? ?)`, `
			public.in_Bern u +(1 Ada Bern 3 a)
			public.in_Bern d -(1 ? ? ? ?)
			public.in_Rome c +(2 Ada Bern 3 a)
			public.in_Rome d -(2 ? ? ? ?)`},
		{"by the table", transform.Route{To: text("'other.' || change.table"), Tables: []transform.Name{{Schema: "other", Table: "people"}}}, `
			u +(1 Ada Bern 3 ?)
			d -(1 ? ? ? ?)`, `
			other.people u +(1 Ada Bern 3 ?)
			other.people d -(1 ? ? ? ?)`},
		{"an update without its old row", by, `u +(1 Ada Bern 3 a)`, `
			stopped public.in_Bern TRANSFORM_OLD_ROW: an update needs the columns that the route depends on as they were, and the source did not send the old row` + mendFull + `
			stopped public.in_Rome TRANSFORM_OLD_ROW: an update needs the columns that the route depends on as they were, and the source did not send the old row` + mendFull},
		{"nowhere", transform.Route{To: text("city"), Tables: []transform.Name{bern}}, `c +(1 Ada Oslo 3 a)`, `
			stopped public.in_Bern TRANSFORM_ROUTE: a row would go to a table that topics does not name | add it to topics, or filter such rows out before`},
		{"by a pattern", transform.Route{To: text("'in_' || city"), Allows: func(_, table string) bool { return table != "in_Oslo" }, Most: 2}, `
			c +(1 Ada Bern 3 a)
			c +(2 Ada Rome 3 a)
			c +(3 Ada Bern 3 a)`, `
			public.in_Bern` + columns + `
			public.in_Rome` + columns + `
			public.in_Bern c +(1 Ada Bern 3 a)
			public.in_Rome c +(2 Ada Rome 3 a)
			public.in_Bern c +(3 Ada Bern 3 a)`},
		{"no more than the bound", transform.Route{To: text("'in_' || city"), Allows: func(_, table string) bool { return true }, Most: 1}, `
			c +(1 Ada Bern 3 a)
			c +(2 Ada Rome 3 a)`, `
			stopped public.in_Bern TRANSFORM_LIMIT: a row would go to one more than 1 topics | max_topics: 10`},
		{"X10 a name that a row makes is a plain one", transform.Route{To: text("'other.' || city"), Allows: func(string, string) bool { return true }, Most: 9}, `c +(1 Ada ../x 3 a)`, `
			stopped public.people TRANSFORM_ROUTE: a row would go to a table whose name is made of more than letters, digits, _ and -, or is too long | make such a name in the expression, or name the table in topics without *`},
		{"X10 and comes to no topic beside another's", transform.Route{To: text("'other.' || city"), Allows: func(string, string) bool { return true }, Most: 9}, `
			c +(1 Ada Bern 3 a)
			c +(2 Ada Bern.dlq 3 a)`, `
			stopped other.Bern TRANSFORM_ROUTE: a row would go to a table whose name is made of more than letters, digits, _ and -, or is too long | make such a name in the expression, or name the table in topics without *`},
		{"what a change says of itself is no route", transform.Route{To: text("change.op")}, ``, `
			stopped public.people TRANSFORM_COLUMN: the route depends on change.op: a later change of the row would not find it | name columns, change.schema and change.table alone`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}

func TestOutbox(t *testing.T) {
	events := people()
	events.Columns = events.Columns[:0:0]
	for _, name := range []string{"id", "aggregatetype", "aggregateid", "type", "payload"} {
		c := people().Columns[1]
		c.Name, c.Nullable = name, name == "payload"
		events.Columns = append(events.Columns, c)
	}
	any := func(string, string) bool { return true }
	for _, c := range []tale{
		{"events by the type of their aggregate", transform.Outbox{Allows: any, Most: 9}, `
			r +(e1 order 7 created x)
			c +(e2 customer 3 named y)
			c +(e3 order 7 paid ~)
			d -(e3 ? ? ? ?)
			t`, `
			outbox."event.order"(id text not null, aggregateid text not null, type text not null, payload text) key aggregateid
			outbox."event.customer"(id text not null, aggregateid text not null, type text not null, payload text) key aggregateid
			outbox."event.order" r +(e1 7 created x) id=e1
			outbox."event.customer" c +(e2 3 named y) id=e2
			outbox."event.order" c +(e3 7 paid ~) id=e3`},
		{"an event does not change", transform.Outbox{Tables: []string{"order"}}, `u +(e1 order 7 created x)`, `
			stopped outbox."event.order" TRANSFORM_OUTBOX: an event that was published was updated in the table | on_update: skip   # below outbox; or insert events and never update them`},
		{"or is left out", transform.Outbox{Tables: []string{"order"}, SkipUpdates: true}, `u +(e1 order 7 created x)`, ``},
		{"a type that is not named", transform.Outbox{Tables: []string{"order"}}, `c +(e1 customer 7 created x)`, `
			stopped outbox."event.order" TRANSFORM_ROUTE: an event has a type of aggregate that topics does not name | add it to topics, or leave topics out`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, events) })
	}
}

func TestScript(t *testing.T) {
	const code = `def transform(row):
    if row.age < 18:
        return None
    row.name = row.name.upper()
    row.adult = True
    return row`
	adults := transform.Script{Code: text(code), Columns: named("adult", "boolean")}
	for _, c := range []tale{
		{"rows that it makes", adults, `
			r +(1 Ada Bern 30 a)
			c +(2 Bo Rome 17 b)
			u +(2 Bo Rome 18 b)
			u -(2 Bo Rome 18 b) +(2 Bo Rome 19 ?)
			u -(2 ? ? ? ?) +(3 Bo Rome 19 b)
			u -(3 Bo Rome 19 b) +(3 Bo Rome 1 b)
			u -(3 Bo Rome 1 b) +(3 Bo Rome 2 b)
			u -(3 Bo Rome 2 b) +(3 Bo Rome 20 b)
			u +(3 Bo Rome 2 b)
			d -(3 Bo Rome 2 b)
			d -(1 Ada Bern 30 a)
			d -(4 ? ? ? ?)
			t`, `
			public.people(id bigint not null, name text, city text, age integer, bio text, adult boolean) key id
			r +(1 ADA Bern 30 a t)
			u +(2 BO Rome 18 b t)
			u -(2 BO Rome 18 b t) +(2 BO Rome 19 b t)
			u -(2 ? ? ? ? ?) +(3 BO Rome 19 b t)
			d -(3 BO Rome 19 b t)
			c +(3 BO Rome 20 b t)
			d -(3 ? ? ? ? ?)
			d -(1 ADA Bern 30 a t)
			d -(4 ? ? ? ? ?)
			t`},
		{"P13 a column that it does not name may be unknown", adults, `u +(1 Ada Bern 30 ?)`, `u +(1 ADA Bern 30 ? t)`},
		{"P13 one that it names may not", adults, `u +(1 ? Bern 30 a)`, `stopped public.people TRANSFORM_UNKNOWN: it needs the value of column "name", which the source did not send because it did not change` + mendFull},
		{"X12 an old row that it cannot make shows its key alone", transform.Script{Code: text("def transform(row):\n    row.name = \"x\" * (10 // row.age)\n    return row")}, `u -(1 Ada Bern 0 a) +(1 Ada Bern 10 a)`, `u -(1 ? ? ? ?) +(1 x Bern 10 a)`},
		{"a row at which it fails", adults, `c +(1 ~ Bern 30 a)`, `stopped public.people TRANSFORM_SCRIPT: the script fails for a row here | mend the script, or filter such rows out before`},
		{"a row that takes too long", transform.Script{Code: text("def transform(row):\n    for i in range(100):\n        pass"), Steps: 100}, `c +(1 Ada Bern 30 a)`,
			`stopped public.people TRANSFORM_LIMIT: the script takes more than 100 steps for a row | max_steps and max_bytes below script bound it; make it do less, or raise them`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}
