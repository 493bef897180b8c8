package sql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline/sql/syntax"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// arranged makes the tables and views of shop.
func arranged(t *testing.T) *pgx.Conn {
	conn, err := pgx.Connect(t.Context(), pg.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	statements := []string{
		"CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
		"CREATE COLLATION nd (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
	}
	for _, table := range shop().tables {
		var columns []string
		for i := range table.Columns {
			c := &table.Columns[i]
			collate := ""
			if c.Collation.Name != "" && c.Collation.Name != "default" {
				collate = " COLLATE \"" + c.Collation.Name + "\""
			}
			columns = append(columns, c.Name+" "+c.Type.Name+collate)
		}
		var key []string
		for _, k := range table.Key {
			key = append(key, table.Columns[k].Name)
		}
		if len(key) > 0 {
			columns = append(columns, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
		}
		statements = append(statements, "CREATE TABLE "+table.Name+" ("+strings.Join(columns, ", ")+")")
	}
	for _, view := range []string{"big_orders", "order_totals"} {
		statements = append(statements, "CREATE VIEW "+view+" AS "+inDatabase(shop().views[view]))
	}
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s\n%v", s, err)
		}
	}
	return conn
}

// inDatabase names tables as the database does.
func inDatabase(text string) string {
	return strings.NewReplacer("shop.public.", "public.", "crm.public.", "public.").Replace(text)
}

// shape gives the names and types of a query's columns, as Postgres sees them.
func shape(ctx context.Context, conn *pgx.Conn, text string) (string, error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, "CREATE VIEW probe AS "+inDatabase(text)); err != nil {
		return "", err
	}
	var columns string
	err = tx.QueryRow(ctx, `SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = 'probe'::regclass AND attnum > 0`).Scan(&columns)
	return columns, err
}

func shapeHere(text string) (string, error) {
	v, err := Compile(text, shop(), Options{Key: []string{}})
	if err != nil {
		return "", err
	}
	columns := make([]string, len(v.Columns))
	for i, c := range v.Columns {
		columns[i] = c.Name + " " + c.Type.Name
	}
	return strings.Join(columns, ", "), nil
}

// agree holds that what is accepted here is accepted by Postgres, with the same
// columns, and that a type is not refused here that Postgres has.
func agree(ctx context.Context, conn *pgx.Conn, text string) error {
	here, refused := shapeHere(text)
	var list syntax.Errors
	if errors.As(refused, &list) && list[0].Code != codeType && list[0].Code != codeName && list[0].Code != codeGroup {
		return nil
	}
	there, err := shape(ctx, conn, text)
	switch {
	case refused == nil && err != nil:
		return fmt.Errorf("accepted here, and Postgres says: %w\n%s", err, text)
	case refused != nil && err == nil:
		return fmt.Errorf("Postgres accepts it, and here: %w\n%s", refused, text)
	case here != there:
		return fmt.Errorf("other columns\nhere  %s\nthere %s\n%s", here, there, text)
	}
	return nil
}

func TestColumnsAgainstPostgres(t *testing.T) {
	conn := arranged(t)
	for _, text := range seeds(t) {
		if strings.Contains(text, "loop") || strings.Contains(text, "broken") || strings.Contains(text, "loose") || strings.Contains(text, "'(a'") {
			continue // views that exist here alone, a table without a key, and what Postgres refuses when it runs
		}
		if err := agree(t.Context(), conn, text); err != nil {
			t.Error(err)
		}
	}
}

// TestTypesAgainstPostgres asks for the types of random expressions over all
// columns; those that are refused for their types are refused by Postgres too.
func TestTypesAgainstPostgres(t *testing.T) {
	count := 400
	if os.Getenv("EVERT_FULL") != "" {
		count = 20_000
	}
	conn, seed := arranged(t), rand.Uint64()
	g := typist{rand.New(rand.NewPCG(seed, 0))}
	accepted := 0
	for range count {
		text := "SELECT o.id AS k1, p.id AS k2, " + g.expr(3) + " AS x, " + g.expr(2) +
			" FROM shop.public.orders o JOIN crm.public.people p ON o.customer_id = p.age JOIN shop.public.customers c ON c.id = p.age"
		if g.IntN(3) == 0 {
			text = "SELECT " + g.aggregate() + " AS x, " + g.aggregate() + text[strings.Index(text, " FROM"):]
		}
		if _, err := shapeHere(text); err == nil {
			accepted++
		}
		if err := agree(t.Context(), conn, text); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	t.Logf("%d of %d were accepted", accepted, count)
}

type typist struct{ *rand.Rand }

func (g typist) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g typist) expr(depth int) string {
	if depth <= 0 || g.IntN(4) == 0 {
		return g.pick("o.id", "o.customer_id", "o.total", "o.state", "o.placed", "o.sent", "o.mood", "p.age", "p.born", "p.span", "p.name", "c.code", "c.vip",
			"c.city", "p.id", "1", "2.5", "'x'", "'7'", "NULL", "TRUE", "3000000000", "'2024-01-01'::date", "interval '1 hour'", "'a'::varchar(5)", "1.5::real", "o.note")
	}
	a, b := g.expr(depth-1), g.expr(depth-1)
	switch g.IntN(9) {
	case 0:
		return "coalesce(" + a + ", " + b + ")"
	case 1:
		return "CASE WHEN " + g.pick("c.vip", "o.id > 1") + " THEN " + a + g.pick("", " ELSE "+b) + " END"
	case 2:
		return "nullif(" + a + ", " + b + ")"
	case 3:
		return "(" + a + ")::" + g.pick("integer", "text", "numeric", "numeric(8,3)", "varchar(4)", "bigint", "float8", "date", "boolean", "smallint", "char(3)", "timestamp", "interval", "jsonb")
	case 4:
		return g.pick("greatest", "least") + "(" + a + ", " + b + ")"
	case 5:
		return g.pick("abs", "length", "trim", "round", "concat", "md5", "to_jsonb", "floor") + "(" + a + ")"
	case 6:
		return "(" + a + g.pick(" IN (", " NOT IN (") + b + ", " + g.expr(0) + "))"
	case 7:
		return "ARRAY[" + a + ", " + b + "]"
	}
	return "(" + a + g.pick(" + ", " - ", " * ", " / ", " % ", " || ", " = ", " <> ", " < ", " AND ", " IS DISTINCT FROM ") + b + ")"
}

func (g typist) aggregate() string {
	return g.pick("sum", "avg", "min", "max", "count", "array_agg", "bool_or", "count") + "(" + g.expr(1) + ")"
}
