package query_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var postgres pgtest.Shared

func TestMain(m *testing.M) { os.Exit(postgres.Run(m)) }

// Values look as Postgres's to_json makes them look, and what a URL says is what
// Postgres reads.
func TestPostgresWritesTheSameJSON(t *testing.T) {
	db, err := pgx.Connect(t.Context(), postgres.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Exec(t.Context(), "SET TimeZone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	kind := func(k schema.Kind, name string) schema.Type { return schema.Type{Kind: k, Name: name} }
	zoned, single := kind(schema.KindTimestamp, "timestamptz"), kind(schema.KindFloat, "real")
	zoned.Zoned, single.Bits = true, 32
	double := kind(schema.KindFloat, "double precision")
	for _, c := range []struct {
		t     schema.Type
		texts []string
	}{
		{kind(schema.KindBool, "boolean"), []string{"true", "f"}},
		{typeInt, []string{"0", "-9223372036854775808", "9007199254740993"}},
		{typeDecimal, []string{"0", "-12.30", "12345678901234567890.0000000001", "NaN", "Infinity", "-Infinity"}},
		{double, []string{"0", "-0", "1e20", "0.1", "1e-7", "123456789012345680", "NaN", "Infinity", "-Infinity"}},
		{single, []string{"0.1", "1e10", "3.4e38"}},
		{typeText, []string{"", "a \"quoted\" \\ text\n\t\r\b\f\x01 é 🦉 <&>"}},
		{kind(schema.KindBytes, "bytea"), []string{`\x`, `\x00ff5c`}},
		{kind(schema.KindUUID, "uuid"), []string{"0F8FAD5B-D9CB-469F-A165-70867728950E"}},
		{kind(schema.KindDate, "date"), []string{"2024-02-29", "0044-03-15 BC", "infinity", "-infinity", "99999-01-01"}},
		{kind(schema.KindTime, "time"), []string{"00:00:00", "24:00:00", "12:34:56.7"}},
		{kind(schema.KindTimestamp, "timestamp"), []string{"2024-02-29T12:34:56.000001", "0044-03-15T12:00:00 BC", "infinity", "1999-12-31 23:59:59.999999"}},
		{zoned, []string{"2024-02-29T12:34:56Z", "2024-02-29T12:34:56.5+05:30", "-infinity", "0044-03-15T12:00:00Z BC"}},
	} {
		for _, text := range c.texts {
			v, how := query.ParseValue(&c.t, text)
			if how != "" {
				t.Errorf("%s %q: %s", c.t.Name, text, how)
				continue
			}
			var want string
			if err := db.QueryRow(t.Context(), "SELECT to_json($1::text::"+c.t.Name+")::text", text).Scan(&want); err != nil {
				t.Fatalf("%s %q: %v", c.t.Name, text, err)
			}
			if got := string(document.AppendValue(nil, &c.t, v)); !same(t, got, want) {
				t.Errorf("%s %q: %s, Postgres has %s", c.t.Name, text, got, want)
			}
		}
	}
}

// same compares JSON texts; strings may be escaped otherwise, numbers may not.
func same(t *testing.T, a, b string) bool {
	t.Helper()
	var texts [2]string
	for i, s := range []string{a, b} {
		if s[0] != '"' {
			texts[i] = s
			continue
		}
		d := json.NewDecoder(bytes.NewReader([]byte(s)))
		if err := d.Decode(&texts[i]); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return texts[0] == texts[1]
}
