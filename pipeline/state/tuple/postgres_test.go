package tuple_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var postgres pgtest.Shared

func TestMain(m *testing.M) { os.Exit(postgres.Run(m)) }

// Postgres compares values of every type as their bytes compare.
func TestPostgresAgrees(t *testing.T) {
	db, err := pgx.Connect(t.Context(), postgres.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Exec(t.Context(), "CREATE TYPE mood AS ENUM ('sad', '', 'happy', E'a\\x01b')"); err != nil {
		t.Fatal(err)
	}
	for _, c := range sqlColumns() {
		t.Run(c.Name, func(t *testing.T) {
			values := distinct(&c, 60)
			checkOrder(t, db, &c, values)
		})
	}
}

// distinct draws n values that are not NULL, the same in every run.
func distinct(c *schema.Column, n int) []schema.Value {
	gen := rapid.Custom(func(rt *rapid.T) schema.Value { return genValue(rt, &c.Type) })
	var values []schema.Value
	for seed := range n {
		if v := gen.Example(seed); !v.IsNull() {
			values = append(values, v)
		}
	}
	return values
}

// checkOrder has the server compare every value with every other.
func checkOrder(t *testing.T, db *pgx.Conn, c *schema.Column, values []schema.Value) {
	k := newKey(t, []schema.Column{*c})
	var texts []string
	var keys [][]byte
	for _, v := range values {
		texts = append(texts, string(c.Type.AppendText(nil, v)))
		keys = append(keys, k.Append(nil, schema.Row{v}, nil))
	}
	collate := ""
	if c.Collation.Name != "" {
		collate = `COLLATE "C"`
	}
	sql := fmt.Sprintf(`WITH v AS (SELECT i, t::%s %s AS v FROM unnest($1::text[]) WITH ORDINALITY u(t, i))
		SELECT a.i, b.i, (a.v > b.v)::int - (a.v < b.v)::int, a.v = b.v FROM v a, v b`, c.Name, collate)
	rows, err := db.Query(t.Context(), sql, texts)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	pairs := 0
	for ; rows.Next(); pairs++ {
		var i, j, want int
		var equal bool
		if err := rows.Scan(&i, &j, &want, &equal); err != nil {
			t.Fatal(err)
		}
		if got := bytes.Compare(keys[i-1], keys[j-1]); got != want || equal != (got == 0) {
			t.Errorf("%s and %s compare as %d, in Postgres as %d", texts[i-1], texts[j-1], got, want)
		}
	}
	if rows.Err() != nil || pairs != len(values)*len(values) || pairs == 0 {
		t.Errorf("compared %d pairs of %d values: %v", pairs, len(values), rows.Err())
	}
}
