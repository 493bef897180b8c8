//go:build unix

package deliver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness/proxy"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// TestPostgresViews delivers a nested view, and one whose key may be NULL, over a
// network that breaks and a server that restarts. Their tables answer as the query
// does at the source.
func TestPostgresViews(t *testing.T) {
	t.Parallel()
	b := newPostgresBank(t)
	b.SQL(b.Database, "CREATE TABLE cards (id int PRIMARY KEY, account int NOT NULL, kind text)",
		fmt.Sprintf("INSERT INTO cards SELECT n, 1 + n %% %d, CASE n %% 3 WHEN 0 THEN 'debit' WHEN 1 THEN 'credit' END FROM generate_series(1, 300) n", bankAccounts),
		"ALTER TABLE cards OWNER TO capture")
	between := proxy.New(t, fmt.Sprintf("127.0.0.1:%d", b.Postgres.Port()))
	url := strings.Replace(b.targetURL(), fmt.Sprintf("127.0.0.1:%d", b.Postgres.Port()), between.Address(), 1)
	b.Options.More = fmt.Sprintf(`views:
  holders:
    key: [id]
    sql: |
%s
  kinds:
    key: [kind]
    sql: |
%s
sinks:
  holders:
    from: holders
    commit_interval: 10ms
    retry_max: 200ms
    postgres: {url: %q, table: public.holders}
  kinds:
    from: kinds
    commit_interval: 10ms
    retry_max: 200ms
    postgres: {url: %q, table: public.kinds}
`, indent(viewSQL("db.public.", holdersSQL)), indent(viewSQL("db.public.", kindsSQL)), url, url)
	d := b.Run()
	b.await("the first fill", d, b.moves(0))
	stop := b.traffic()
	for range 3 {
		between.Cut()
		b.await("the sinks go on", d, b.moves(4))
	}
	stop()
	if err := b.Postgres.Restart(t.Context(), pgserver.Immediate); err != nil {
		t.Fatal(err)
	}
	b.SQL(b.Database, "UPDATE accounts SET note = 'after the restart' WHERE id % 7 = 0", "DELETE FROM cards WHERE kind = 'debit'", "UPDATE cards SET kind = NULL WHERE id % 5 = 0")
	from, to := b.dial(b.Postgres.URL(b.Database)), b.dial(b.Postgres.URL(b.target))
	for table, sql := range map[string]string{"holders": holdersSQL, "kinds": kindsSQL} {
		want := all(from, "SELECT v::text FROM ("+viewSQL("", sql)+") v ORDER BY 1")
		b.await(table+" is equal", d, func() bool {
			return len(want) > 0 && strings.Join(want, "\n") == strings.Join(all(to, "SELECT v::text FROM "+table+" v ORDER BY 1"), "\n")
		})
	}
	b.types(to)
	d.Terminate()
}

const (
	holdersSQL = `SELECT a.id, a.balance, a.note, count(c.id) AS cards,
	jsonb_agg(jsonb_build_object('id', c.id, 'kind', c.kind) ORDER BY c.id) FILTER (WHERE c.id IS NOT NULL) AS list
FROM %saccounts AS a LEFT JOIN %scards AS c ON c.account = a.id GROUP BY a.id, a.balance, a.note`
	kindsSQL = `SELECT c.kind, count(*) AS n, sum(a.balance) AS total FROM %scards AS c JOIN %saccounts AS a ON a.id = c.account GROUP BY c.kind`
)

func viewSQL(prefix, sql string) string { return fmt.Sprintf(sql, prefix, prefix) }

func indent(text string) string { return "      " + strings.ReplaceAll(text, "\n", "\n      ") }

// types compares what the columns became with what the view says.
func (b *postgresBank) types(to *pgx.Conn) {
	b.Helper()
	got := strings.Join(all(to, "SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'holders'::regclass AND attnum > 0 ORDER BY attnum"), ", ")
	if want := "id integer, balance numeric(12,2), note text, cards bigint, list jsonb"; got != want {
		b.Errorf("the columns are %s, want %s", got, want)
	}
}
