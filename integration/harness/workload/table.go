package workload

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
)

// Canary stands in every text that the workload writes. No log may hold it.
const Canary = "canary-7c1f09"

// A Table is one table of the workload.
type Table struct {
	Name  string
	Key   []string // in the order of the primary key
	Large bool     // has body and raw, derived from seed
	ddl   string
}

// Tables are all tables, as schema public holds them.
func Tables() []Table {
	return []Table{
		{Name: "ledger", Key: []string{"tx"}, ddl: `CREATE TABLE ledger (tx bigint PRIMARY KEY, session int NOT NULL, note text NOT NULL)`},
		{Name: "accounts", Key: []string{"id"}, ddl: `CREATE TABLE accounts (id int PRIMARY KEY, ver int NOT NULL, tx bigint NOT NULL, seed bigint NOT NULL,
			balance numeric(12,2), name text, active boolean, born date, seen timestamptz, mood mood, small smallint)`},
		{Name: "documents", Key: []string{"part", "id"}, Large: true, ddl: `CREATE TABLE documents (part text, id bigint, ver int NOT NULL, tx bigint NOT NULL, seed bigint NOT NULL,
			body text, raw bytea, meta jsonb, tags text[], PRIMARY KEY (part, id));
			ALTER TABLE documents ALTER body SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL`},
		{Name: "events", Key: []string{"id"}, Large: true, ddl: `CREATE TABLE events (id uuid PRIMARY KEY, ver int NOT NULL, tx bigint NOT NULL, seed bigint NOT NULL,
			body text, raw bytea, at timestamp, clock time, amount double precision, ratio real, payload json, numbers int[]);
			ALTER TABLE events ALTER body SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;
			ALTER TABLE events REPLICA IDENTITY FULL`},
		{Name: "scratch", Key: []string{"id"}, Large: true, ddl: `CREATE TABLE scratch (id int PRIMARY KEY, ver int NOT NULL, tx bigint NOT NULL, seed bigint NOT NULL, body text, raw bytea);
			ALTER TABLE scratch ALTER body SET STORAGE EXTERNAL`},
		{Name: "bulk", Key: []string{"id"}, ddl: `CREATE TABLE bulk (id bigint PRIMARY KEY, ver int NOT NULL, tx bigint NOT NULL, seed bigint NOT NULL,
			name text, amount numeric(10,2), at timestamptz, flag boolean, note text)`},
	}
}

// Find gives the table called name.
func Find(name string) (Table, bool) {
	for _, t := range Tables() {
		if t.Name == name {
			return t, true
		}
	}
	return Table{}, false
}

// Body is what column body must hold beside a seed; ok is false for NULL.
func Body(seed int64) (text string, ok bool) {
	n := repeats(seed)
	return Canary + strings.Repeat(digest(seed), n), n > 0
}

// Raw is what column raw must hold beside a seed, in hexadecimal.
func Raw(seed int64) (hexText string, ok bool) {
	n := repeats(seed / 8)
	return strings.Repeat(digest(seed), n), n > 0
}

func digest(seed int64) string {
	sum := md5.Sum([]byte(fmt.Sprint(seed)))
	return hex.EncodeToString(sum[:])
}

// repeats chooses a size: NULL, in line, or out of line.
func repeats(seed int64) int { return [...]int{0, 1, 80, 200, 3, 120, 70, 90}[seed%8] }

func bodySQL(seed int64) string {
	if repeats(seed) == 0 {
		return "NULL"
	}
	return fmt.Sprintf("'%s'||repeat(md5('%d'),%d)", Canary, seed, repeats(seed))
}

func rawSQL(seed int64) string {
	n := repeats(seed / 8)
	if n == 0 {
		return "NULL"
	}
	return fmt.Sprintf("decode(repeat(md5('%d'),%d),'hex')", seed, n)
}

// columnsSQL gives the names and the values of the columns that follow from a
// seed, beside key, ver and tx.
func (t Table) columnsSQL(seed int64) (names []string, values []string) {
	add := func(name, value string) { names, values = append(names, name), append(values, value) }
	add("seed", fmt.Sprint(seed))
	if t.Large {
		add("body", bodySQL(seed))
		add("raw", rawSQL(seed))
	}
	switch t.Name {
	case "accounts":
		add("balance", fmt.Sprintf("%d.%02d", seed%1_000_000, seed%100))
		add("name", fmt.Sprintf("'%s é%d'", Canary, seed%1000))
		add("active", fmt.Sprint(seed%2 == 0))
		add("born", fmt.Sprintf("date '1970-01-01' + %d", seed%20_000))
		add("seen", fmt.Sprintf("timestamptz '2001-02-03 04:05:06+00' + %d * interval '1 microsecond'", seed%1_000_000_000))
		add("mood", [...]string{"'glad'", "'sad'", "'so so'", "NULL"}[seed%4])
		add("small", fmt.Sprint(seed%30_000-15_000))
	case "documents":
		add("meta", fmt.Sprintf(`'{"n": %d, "who": "%s"}'`, seed%100, Canary))
		add("tags", [...]string{"NULL", "'{}'", `ARRAY['a b','"q"',NULL]`, "ARRAY['" + Canary + "']"}[seed%4])
	case "events":
		add("at", fmt.Sprintf("timestamp '1999-12-31 23:59:59.5' + %d * interval '1 second'", seed%1_000_000_000))
		add("clock", fmt.Sprintf("time '00:00' + %d * interval '1 microsecond'", seed%86_400_000_000))
		add("amount", fmt.Sprintf("%d / 7.0::float8", seed%1_000_000))
		add("ratio", [...]string{"'NaN'", "'-Infinity'", "0.1", "1e-20", "3"}[seed%5])
		add("payload", fmt.Sprintf(`'{"a":  %d, "a": "%s"}'`, seed%100, Canary))
		add("numbers", fmt.Sprintf("ARRAY[%d,NULL,-1]", seed%1000))
	}
	return names, values
}
