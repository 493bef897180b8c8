package transform_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/evertdb/evert/pipeline/transform"
)

const life = `
	r +(1 Ada Bern 30 a)
	c +(2 Bo Rome 17 b)
	u +(2 Bo Bern 18 b)
	u -(2 ? ? ? ?) +(3 Bo Bern 18 b)
	u -(3 Bo Bern 18 b) +(3 Bo Rome 18 b)
	d -(3 ? ? ? ?)
	d -(1 Ada Bern 30 a)
	t`

// Every transform says what becomes of reads, creates, updates, deletes, changes
// of key and truncations.
func TestFilter(t *testing.T) {
	for _, c := range []tale{
		{"rows that fit pass, others do not", transform.Filter{Where: text("city = 'Bern'")}, life, `
			r +(1 Ada Bern 30 a)
			u +(2 Bo Bern 18 b)
			u -(2 ? ? ? ?) +(3 Bo Bern 18 b)
			d -(3 Bo Bern 18 b)
			d -(3 ? ? ? ?)
			d -(1 Ada Bern 30 a)
			t`},
		{"an update enters, stays, leaves", transform.Filter{Where: text("age >= 18")}, `
			u -(1 Ada Bern 17 a) +(1 Ada Bern 18 a)
			u -(1 Ada Bern 18 a) +(1 Ada Bern 19 a)
			u -(1 Ada Bern 19 a) +(1 Ada Bern 3 a)
			u -(1 Ada Bern 3 a) +(1 Ada Bern 4 a)
			u +(1 Ada Bern 5 a)`, `
			c +(1 Ada Bern 18 a)
			u -(1 Ada Bern 18 a) +(1 Ada Bern 19 a)
			d -(1 Ada Bern 19 a)
			d -(1 ? ? ? ?)`},
		{"a change of key enters and leaves", transform.Filter{Where: text("age >= 18")}, `
			u -(1 ? ? ? ?) +(2 Ada Bern 3 a)
			u -(2 Ada Bern 3 a) +(3 Ada Bern 20 a)
			u -(3 Ada Bern 20 a) +(4 Ada Bern 2 a)`, `
			d -(1 ? ? ? ?)
			c +(3 Ada Bern 20 a)
			d -(3 Ada Bern 20 a)`},
		{"NULL does not fit", transform.Filter{Where: text("age > 3")}, `c +(1 Ada Bern ~ a)`, ``},
		{"a delete of a row that did not fit is none", transform.Filter{Where: text("age > 3")}, `d -(1 Ada Bern 1 a)`, ``},
		{"a condition on the change judges it alone", transform.Filter{Where: text("change.op <> 'd'")}, `
			c +(1 Ada Bern 3 a)
			u -(1 Ada Bern 3 a) +(1 Ada Bern 4 a)
			d -(1 Ada Bern 4 a)`, `
			c +(1 Ada Bern 3 a)
			u -(1 Ada Bern 3 a) +(1 Ada Bern 4 a)`},
		{"P13 what is not looked at may be unknown", transform.Filter{Where: text("age > 3")}, `u +(1 Ada Bern 4 ?)`, `u +(1 Ada Bern 4 ?)`},
		{"P13 the old row says what did not change", transform.Filter{Where: text("bio = 'x'")}, `u -(1 Ada Bern 4 x) +(1 Eve Bern 4 ?)`, `u -(1 Ada Bern 4 x) +(1 Eve Bern 4 x)`},
		{"P13 else the table stops", transform.Filter{Where: text("bio = 'x'")}, `
			c +(1 Ada Bern 4 x)
			u +(1 Eve Bern 4 ?)
			c +(2 Ada Bern 4 x)`, `
			stopped public.people TRANSFORM_UNKNOWN: it needs the value of column "bio", which the source did not send because it did not change | ALTER TABLE "public"."people" REPLICA IDENTITY FULL;`},
		{"an expression without a value stops the table", transform.Filter{Where: text("10 / age > 1")}, `c +(1 Ada Bern 0 x)`, `
			stopped public.people TRANSFORM_VALUE: the expression 10 / age > 1 has no value for a row: division by zero (SQLSTATE 22012) | guard the expression, as with CASE or NULLIF, or correct the row in the source`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}

func TestProject(t *testing.T) {
	for _, c := range []tale{
		{"columns and expressions", transform.Project{Items: []transform.Text{text("upper(name COLLATE \"C\") AS n"), text("id"), text("age + 1 AS next")}}, life, `
			public.people(n text, id bigint not null, next integer) key id
			r +(ADA 1 31)
			c +(BO 2 18)
			u +(BO 2 19)
			u -(? 2 ?) +(BO 3 19)
			u -(BO 3 19) +(BO 3 19)
			d -(? 3 ?)
			d -(ADA 1 31)
			t`},
		{"P13 unknown values pass, and what is made of nothing else", transform.Project{Items: []transform.Text{text("*"), text("bio || '!' AS loud")}}, `
			u +(1 Ada Bern 4 ?)
			u -(1 Ada Bern 4 x) +(1 Eve Bern 4 ?)`, `
			u +(1 Ada Bern 4 ? ?)
			u -(1 Ada Bern 4 x x!) +(1 Eve Bern 4 x x!)`},
		{"P13 what is made of more cannot be made", transform.Project{Items: []transform.Text{text("id"), text("name || bio AS both")}}, `u +(1 Ada Bern 4 ?)`, `
			stopped public.people TRANSFORM_UNKNOWN: it needs the value of column "bio", which the source did not send because it did not change | ALTER TABLE "public"."people" REPLICA IDENTITY FULL;`},
		{"an old row without a value is no reason to stop", transform.Project{Items: []transform.Text{text("id"), text("10 / age AS x")}}, `u -(1 Ada Bern 0 a) +(1 Ada Bern 2 a)`, `
			u -(1 ?) +(1 5)`},
		{"fields of the change", transform.Project{Items: []transform.Text{text("id"), text("change.op"), text("change.position"), text("change.sequence"), text("change.transaction"), text("change.time"), text("change.table")}}, `
			r +(1 Ada Bern 4 a)
			c +(1 Ada Bern 4 a)`, `
			public.people(id bigint not null, op text not null, position text, sequence bigint, transaction bigint, time timestamp with time zone, table text not null) key id
			r +(1 r ~ ~ ~ 2001-09-09 01:46:40+00 people)
			c +(1 c 0/70 7 99 2001-09-09 01:46:40+00 people)`},
		{"the key stays", transform.Project{Items: []transform.Text{text("name")}}, `c +(1 Ada Bern 4 a)`, `
			stopped public.people TRANSFORM_COLUMN: column "id" is part of the key of table public.people, and would be left out or made anew | keep the column as it is; or choose another key before, with rekey`},
		{"names stand once", transform.Project{Items: []transform.Text{text("id"), text("name"), text("city AS name")}}, ``, `
			stopped public.people TRANSFORM_COLUMN: two columns of table public.people would be called "name" | give one of them another name`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}

func TestMapAndRename(t *testing.T) {
	for _, c := range []tale{
		{"map replaces and adds", transform.Map{Columns: named("name", "city", "older", "age + 1")}, life, `
			public.people(id bigint not null, name text, city text, age integer, bio text, older integer) key id
			r +(1 Bern Bern 30 a 31)
			c +(2 Rome Rome 17 b 18)
			u +(2 Bern Bern 18 b 19)
			u -(2 ? ? ? ? ?) +(3 Bern Bern 18 b 19)
			u -(3 Bern Bern 18 b 19) +(3 Rome Rome 18 b 19)
			d -(3 ? ? ? ? ?)
			d -(1 Bern Bern 30 a 31)
			t`},
		{"map leaves the key", transform.Map{Columns: named("id", "age")}, ``, `
			stopped public.people TRANSFORM_COLUMN: column "id" is part of the key of table public.people, and would be left out or made anew | keep the column as it is; or choose another key before, with rekey`},
		{"rename", transform.Rename{Columns: named("id", "person", "name", "city", "city", "name")}, life, `
			public.people(person bigint not null, city text, name text, age integer, bio text) key person
			r +(1 Ada Bern 30 a)
			c +(2 Bo Rome 17 b)
			u +(2 Bo Bern 18 b)
			u -(2 ? ? ? ?) +(3 Bo Bern 18 b)
			u -(3 Bo Bern 18 b) +(3 Bo Rome 18 b)
			d -(3 ? ? ? ?)
			d -(1 Ada Bern 30 a)
			t`},
		{"P13 rename passes unknown values", transform.Rename{Columns: named("bio", "story")}, `u +(1 Ada Bern 4 ?)`, `u +(1 Ada Bern 4 ?)`},
		{"rename of nothing", transform.Rename{Columns: named("nick", "x")}, ``, `
			stopped public.people TRANSFORM_COLUMN: table public.people has no column "nick" at this step | there are id, name, city, age, bio; name the tables that the step is for with tables:`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}

func masked(name string, way transform.Way) transform.Masked {
	return transform.Masked{Named: transform.Named{Name: name}, Way: way, Key: []byte("k"), Keep: 2}
}

func TestMask(t *testing.T) {
	for _, c := range []tale{
		{"X12 in new rows and old ones", transform.Mask{Columns: []transform.Masked{masked("name", transform.Redact), masked("city", transform.Nullify), masked("age", transform.Redact), masked("bio", transform.Drop)}}, life, `
			public.people(id bigint not null, name text, city text, age text) key id
			r +(1 [redacted] ~ [redacted])
			c +(2 [redacted] ~ [redacted])
			u +(2 [redacted] ~ [redacted])
			u -(2 ? ? ?) +(3 [redacted] ~ [redacted])
			u -(3 [redacted] ~ [redacted]) +(3 [redacted] ~ [redacted])
			d -(3 ? ? ?)
			d -(1 [redacted] ~ [redacted])
			t`},
		{"a keyed hash keeps equal values equal, in keys too", transform.Mask{Columns: []transform.Masked{masked("id", transform.HMAC), masked("age", transform.HMAC)}}, `
			c +(1 Ada Bern 1 a)
			u -(1 ? ? ? ?) +(2 Ada Bern 2 a)
			d -(2 ? ? ? ?)`, `
			public.people(id text not null, name text, city text, age text, bio text) key id
			c +(` + digest("1") + ` Ada Bern ` + digest("1") + ` a)
			u -(` + digest("1") + ` ? ? ? ?) +(` + digest("2") + ` Ada Bern ` + digest("2") + ` a)
			d -(` + digest("2") + ` ? ? ? ?)`},
		{"partial", transform.Mask{Columns: []transform.Masked{masked("name", transform.Partial), masked("age", transform.Partial)}}, `
			c +(1 Margarethe Bern 4 a)
			c +(1 Zoé Bern 1204 ~)`, `
			c +(1 ********he Bern * a)
			c +(1 *** Bern **04 ~)`},
		{"P13 what is unknown stays unknown, NULL stays NULL", transform.Mask{Columns: []transform.Masked{masked("bio", transform.HMAC), masked("name", transform.Redact)}}, `u +(1 ~ Bern 4 ?)`, `u +(1 ~ Bern 4 ?)`},
		{"a key is not made one", transform.Mask{Columns: []transform.Masked{masked("id", transform.Redact)}}, ``, `
			stopped public.people TRANSFORM_COLUMN: column "id" is part of the key of table public.people: rows would have one key, or none | write mask: hmac-sha256, which keeps different values different; or choose another key`},
	} {
		t.Run(c.name, func(t *testing.T) { c.tell(t, people()) })
	}
}

func digest(text string) string {
	m := hmac.New(sha256.New, []byte("k"))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}
