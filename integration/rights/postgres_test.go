//go:build unix

package rights

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

const (
	password = "canary-least-privilege"
	role     = "evert" // as `evert init` calls it
	database = "app"
	// hba lets the DBA in, and nobody else.
	hba = "local all postgres scram-sha-256\nhost all postgres 127.0.0.1/32 scram-sha-256\n"
)

// A guarded is a server of which everything that Postgres grants to PUBLIC by
// itself was taken away.
type guarded struct {
	*testing.T
	server *pgserver.Server
	hba    string // the file
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	dir := pgtest.Dir(t)
	settings := map[string]string{"max_slot_wal_keep_size": "1GB"}
	if strings.HasPrefix(pgtest.Binaries(t).Version, "12.") { // which cannot limit it
		settings = nil
	}
	g := &guarded{t, pgtest.Start(t, pgtest.Options{Dir: dir, Settings: settings}), filepath.Join(dir, "data", "pg_hba.conf")}
	g.allow("")
	g.dba("postgres", "CREATE DATABASE "+database, "REVOKE ALL ON DATABASE "+database+" FROM PUBLIC")
	g.dba(database, "REVOKE ALL ON SCHEMA public FROM PUBLIC", "CREATE SCHEMA sales",
		"CREATE TABLE public.customers (id int PRIMARY KEY, name text)", "INSERT INTO customers VALUES (1, 'one'), (2, 'two')",
		"CREATE TABLE sales.orders (id int PRIMARY KEY, total numeric)", "INSERT INTO sales.orders VALUES (1, 1.50)",
		"CREATE TABLE sales.payments (id int PRIMARY KEY, secret text)", "INSERT INTO sales.payments VALUES (1, 'canary row')",
		"ALTER TABLE sales.payments ENABLE ROW LEVEL SECURITY")
	return g
}

// allow writes pg_hba.conf: the DBA, and these lines.
func (g *guarded) allow(lines string) {
	g.Helper()
	if err := os.WriteFile(g.hba, []byte(hba+lines+"\n"), 0o600); err != nil {
		g.Fatal(err)
	}
	g.dba("postgres", "SELECT pg_reload_conf()")
	want := fmt.Sprint(strings.Count(strings.TrimSpace(hba+lines), "\n") + 1)
	if got := g.ask("SELECT count(*) FROM pg_hba_file_rules"); got != want {
		g.Fatalf("pg_hba.conf has %s rules, want %s", got, want)
	}
}

func (g *guarded) dba(db string, sql ...string) {
	g.Helper()
	if err := g.server.Exec(context.Background(), db, sql...); err != nil {
		g.Fatal(err)
	}
}

func (g *guarded) ask(sql string) (answer string) {
	g.Helper()
	conn, err := pgx.Connect(g.Context(), g.server.URL(database))
	if err != nil {
		conn, err = pgx.Connect(g.Context(), g.server.URL("postgres"))
	}
	if err != nil {
		g.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(g.Context(), "SELECT ("+sql+")::text").Scan(&answer); err != nil {
		g.Fatal(err)
	}
	return answer
}

// url is that of a role.
func (g *guarded) url(role string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", role, password, g.server.Port(), database)
}

// grant makes the role as the comments of a file of `evert init` say, and gives
// its line of pg_hba.conf. Only what they leave open is put in: password, address,
// and host for hostssl, because this server has no TLS.
func (g *guarded) grant(file string) (line string) {
	g.Helper()
	statements := regexp.MustCompile(`(?m)^#   ((?:CREATE|GRANT) .*;)$`).FindAllStringSubmatch(file, -1)
	if len(statements) != 5 {
		g.Fatalf("%d statements in:\n%s", len(statements), file)
	}
	for _, m := range statements {
		g.Log(m[1])
		g.dba(database, strings.ReplaceAll(m[1], "…", password))
	}
	m := regexp.MustCompile(`(?m)^#   pg_hba\.conf: (.*)$`).FindStringSubmatch(file)
	if m == nil {
		g.Fatalf("no line of pg_hba.conf in:\n%s", file)
	}
	return strings.NewReplacer("hostssl", "host", "ADDRESS", "127.0.0.1").Replace(m[1])
}

// TestLeastPrivilege gives a role what is documented, and takes each of it away.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	starter := newDeployment(t, "")
	if err := os.Remove(filepath.Join(starter.dir, "evert.yaml")); err != nil {
		t.Fatal(err)
	}
	line := g.grant(starter.works("init", g.server.URL(database), "--out", "-"))
	g.allow(line)
	d := newDeployment(t, "name: app\nsources: {app: {postgres: {url: \""+g.url(role)+"\", tables: [public.*, sales.*]}}}\nserve: {http: none}\n")

	t.Run("X03 everything works with the documented rights", func(t *testing.T) {
		d := &deployment{t, d.dir}
		if found := d.check(); len(found) > 0 {
			t.Errorf("a check finds:\n%s", show(found))
		}
		d.works("run", "--until-caught-up")
		g.dba(database, "UPDATE sales.payments SET secret = 'changed'", "DELETE FROM customers WHERE id = 1")
		d.works("run", "--until-caught-up")
		d.works("status")
		if out := d.works("tail", "sales.payments", "--until-end", "-o", "json"); !strings.Contains(out, "changed") {
			t.Errorf("the change is not in the topic:\n%s", out)
		}
		d.works("reset", "app", "--resnapshot", "--yes")
		d.works("run", "--until-caught-up")
		d.works("reset", "app", "--yes")
		d.works("run", "--until-caught-up")
		if found := d.check(); len(found) > 0 {
			t.Errorf("a check of what has run finds:\n%s", show(found))
		}
	})
	for _, r := range documented(line) {
		t.Run("X03 without "+r.what, func(t *testing.T) { r.prove(&deployment{t, d.dir}, &guarded{t, g.server, g.hba}) })
	}
}

// A right is one of those that a role has.
type right struct {
	what string
	take []string // as the DBA
	hba  bool     // no SQL takes it: its line leaves pg_hba.conf
	code pipeline.Code
	mend string // what gives it back
}

func documented(line string) []right {
	publication := `"evert_app_app"`
	all := `"public"."customers", "sales"."orders", "sales"."payments"`
	return []right{
		{what: "LOGIN", take: []string{"ALTER ROLE evert NOLOGIN"}, code: "PG_RIGHT", mend: `ALTER ROLE "evert" LOGIN;`},
		{what: "REPLICATION", take: []string{"ALTER ROLE evert NOREPLICATION"}, code: "PG_RIGHT", mend: `ALTER ROLE "evert" REPLICATION;`},
		{what: "BYPASSRLS", take: []string{"ALTER ROLE evert NOBYPASSRLS"}, code: "PG_RIGHT", mend: `ALTER ROLE "evert" BYPASSRLS;`},
		{what: "CONNECT", take: []string{"REVOKE CONNECT ON DATABASE app FROM evert"}, code: "PG_RIGHT", mend: `GRANT CONNECT ON DATABASE "app" TO "evert";`},
		{what: "USAGE on a schema", take: []string{"REVOKE USAGE ON SCHEMA public FROM evert"}, code: "PG_RIGHT", mend: `GRANT USAGE ON SCHEMA "public" TO "evert";`},
		{what: "USAGE on another schema", take: []string{"REVOKE USAGE ON SCHEMA sales FROM evert"}, code: "PG_RIGHT", mend: `GRANT USAGE ON SCHEMA "sales" TO "evert";`},
		{what: "SELECT on a table", take: []string{"REVOKE SELECT ON customers FROM evert"}, code: "PG_RIGHT", mend: `GRANT SELECT ON "public"."customers" TO "evert";`},
		{what: "SELECT on another table", take: []string{"REVOKE SELECT ON sales.orders FROM evert"}, code: "PG_RIGHT", mend: `GRANT SELECT ON "sales"."orders" TO "evert";`},
		{what: "a table in the publication", take: []string{"ALTER PUBLICATION evert_app_app DROP TABLE sales.orders"}, code: "PG_TABLE_UNPUBLISHED",
			mend: "ALTER PUBLICATION " + publication + ` ADD TABLE "sales"."orders";`},
		{what: "the publication", take: []string{"DROP PUBLICATION evert_app_app"}, code: "PG_PUBLICATION",
			mend: "CREATE PUBLICATION " + publication + " FOR TABLE " + all},
		{what: "a line of pg_hba.conf", hba: true, code: "PG_AUTH", mend: "add to pg_hba.conf: " + line},
	}
}

// prove takes the right from a deployment that has not begun, sees it named by
// check and by run, and gives it back as printed.
func (r *right) prove(d *deployment, g *guarded) {
	d.works("reset", "app", "--yes")
	if err := os.RemoveAll(filepath.Join(d.dir, "data")); err != nil {
		d.Fatal(err)
	}
	if r.hba {
		g.allow("")
	} else {
		g.dba(database, r.take...)
	}
	found := errorsOf(d.check())
	if !mentions(found, r.code, r.mend) {
		d.Errorf("check does not say %s with %s, but:\n%s", r.code, r.mend, show(found))
	}
	for _, args := range [][]string{{"run", "--fail-fast"}, {"run", "--until-caught-up"}} {
		out, exit := d.evert(args...)
		if exit != 3 || !strings.Contains(out, "["+string(r.code)+"]") || !strings.Contains(out, r.mend) {
			d.Errorf("evert %v: exit code %d, want 3, %s and %s:\n%s", args, exit, r.code, r.mend, out)
		}
	}
	r.obey(g, found)
	if left := d.check(); len(left) > 0 {
		d.Errorf("not mended:\n%s", show(left))
	}
	d.works("run", "--until-caught-up")
}

// obey runs what the findings printed.
func (r *right) obey(g *guarded, found []finding) {
	for _, f := range found {
		for line := range strings.Lines(f.Mend) {
			line = strings.TrimSpace(line)
			if entry, ok := strings.CutPrefix(line, "add to pg_hba.conf: "); ok {
				g.allow(entry)
			} else {
				g.dba(database, line)
			}
		}
	}
}

// TestReplicationIsPowerful shows what the attribute REPLICATION gives beyond
// all grants, and that pg_hba.conf alone keeps it from the rest (X05).
func TestReplicationIsPowerful(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.dba(database, "CREATE ROLE peek LOGIN REPLICATION PASSWORD '"+password+"'", "GRANT CONNECT ON DATABASE app TO peek",
		"CREATE PUBLICATION p FOR TABLE sales.payments", "SELECT pg_create_logical_replication_slot('of_somebody', 'pgoutput')")
	g.allow("host app peek 127.0.0.1/32 scram-sha-256")
	conn, err := pgx.Connect(t.Context(), g.url("peek"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	sql := func(text string) (got string, err error) {
		err = conn.QueryRow(t.Context(), text).Scan(&got)
		return got, err
	}
	t.Run("X05 reads every published row without SELECT, under row level security", func(t *testing.T) {
		if _, err := sql("SELECT secret FROM sales.payments"); err == nil {
			t.Fatal("the role may read the table")
		}
		if _, err := sql("SELECT pg_create_logical_replication_slot('of_peek', 'pgoutput')::text"); err != nil {
			t.Fatal(err)
		}
		g.dba(database, "INSERT INTO sales.payments VALUES (2, 'canary streamed')")
		got, err := sql("SELECT string_agg(encode(data, 'escape'), '') FROM pg_logical_slot_get_binary_changes('of_peek', NULL, NULL, 'proto_version', '1', 'publication_names', 'p')")
		if err != nil || !strings.Contains(got, "canary streamed") {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("X05 drops slots of others", func(t *testing.T) {
		if _, err := sql("SELECT pg_drop_replication_slot('of_somebody')::text"); err != nil {
			t.Error(err)
		}
	})
	t.Run("X05 a base backup takes a line with the keyword replication", func(t *testing.T) {
		if err := baseBackup(t, g.url("peek")); err == nil || !strings.Contains(err.Error(), "no pg_hba.conf entry for replication connection") {
			t.Errorf("without the line: %v", err)
		}
		g.allow("host app peek 127.0.0.1/32 scram-sha-256\nhost replication peek 127.0.0.1/32 scram-sha-256")
		if err := baseBackup(t, g.url("peek")); err != nil {
			t.Errorf("with the line: %v", err)
		}
		d := newDeployment(t, "name: app\nsources: {app: {postgres: {url: \""+g.url("peek")+"\", tables: [sales.payments]}}}\nserve: {http: none}\n")
		if found := d.check(); !mentions(found, "PG_BASE_BACKUP", "take that line out of pg_hba.conf") {
			t.Errorf("check does not warn, but says:\n%s", show(found))
		}
		g.allow("host app peek 127.0.0.1/32 scram-sha-256")
		if found := d.check(); mentions(found, "PG_BASE_BACKUP", "") {
			t.Errorf("check warns without the line:\n%s", show(found))
		}
	})
}

// baseBackup copies the cluster, to nowhere.
func baseBackup(t *testing.T, url string) error {
	conn, err := pgconn.Connect(t.Context(), url+"&replication=true")
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "BASE_BACKUP (CHECKPOINT 'fast')").ReadAll()
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.Code == "42601" { // before Postgres 15
		_, err = conn.Exec(t.Context(), "BASE_BACKUP FAST").ReadAll()
	}
	return err
}
