//go:build unix

package mysqlroad

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

const bothFile = `name: bothroad
data_dir: %[1]s/data
logging: {format: json}
sources:
  pgside: {postgres: {url: %[2]q, tables: [public.people]}}
  myside: {mysql: {url: %[3]q, tables: [shared.orders]}}
views:
  people_orders:
    key: [id]
    sql: SELECT p.id, p.name, count(o.id) AS orders, coalesce(sum(o.total), 0) AS spent FROM pgside.public.people p LEFT JOIN myside.shared.orders o ON o.person = p.id GROUP BY p.id, p.name
sinks:
  found: {from: people_orders, bleve: {}}
  copied: {from: myside.shared.orders, postgres: {url: %[2]q, table: public.orders_copy}}
  written: {from: myside.shared.orders, files: {path: %[1]s/out}}
serve: {http: none}
`

// A pair is a deployment over two databases.
type pair struct {
	*testing.T
	dir string
}

// evert runs a verb.
func (p *pair) evert(args ...string) (out string, code int) {
	p.Helper()
	out, said, code := harness.Run(p, suite.Evert(p), append(args, "-c", filepath.Join(p.dir, "evert.yaml"))...)
	return out + said, code
}

// until repeats a verb until it says something.
func (p *pair) until(what string, args ...string) {
	p.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(harness.Patience)
	defer limit.Stop()
	for {
		out, _ := p.evert(args...)
		if strings.Contains(strings.Join(strings.Fields(out), ""), what) {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			p.Fatalf("evert %v does not say %s, but\n%s", args, what, out)
		}
	}
}

// a Postgres and a MariaDB · a view over both, sinks of the MariaDB's · the MariaDB is
// killed → the Postgres flows, the view keeps the other's rows, status says why · it
// comes back → all is caught up, and every sink equals its topic
func TestTwoSources(t *testing.T) {
	pg, mortal := pgtest.Start(t, pgtest.Options{}), mysqltest.Start(t, mysqltest.Options{})
	dir, err := os.MkdirTemp("", "evert-both-") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &pair{t, dir}
	inPostgres := func(sql ...string) {
		t.Helper()
		if err := pg.Exec(t.Context(), "postgres", sql...); err != nil {
			t.Fatal(err)
		}
	}
	inMariaDB := func(sql ...string) {
		t.Helper()
		if _, err := mortal.Exec(t.Context(), "", sql...); err != nil {
			t.Fatal(err)
		}
	}
	inPostgres("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)", "INSERT INTO people VALUES (1, 'one'), (2, 'two')")
	inMariaDB("CREATE DATABASE shared", "CREATE TABLE shared.orders (id int PRIMARY KEY, person int NOT NULL, total decimal(9,2) NOT NULL, note varchar(20))",
		"INSERT INTO shared.orders VALUES (1, 1, 1.50, 'a'), (2, 1, 2.25, NULL), (3, 2, 9, 'ä')")
	text := fmt.Sprintf(bothFile, dir, pg.URL("postgres"), mortal.URL("shared"))
	if err := os.WriteFile(filepath.Join(dir, "evert.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := harness.Start(t, harness.Launch{Path: suite.Evert(t), Args: []string{"run", "-c", filepath.Join(dir, "evert.yaml")}})
	p.until(`"orders":2,"spent":3.75`, "get", "people_orders", "1", "-o", "json")
	mortal.Kill()
	inPostgres("INSERT INTO people VALUES (3, 'three')", "UPDATE people SET name = 'uno' WHERE id = 1")
	p.until(`"name":"three","orders":0,"spent":0`, "get", "people_orders", "3", "-o", "json")
	p.until(`"name":"uno","orders":2,"spent":3.75`, "get", "people_orders", "1", "-o", "json")
	p.until("MY_CONNECT", "status", "-o", "json")
	if err := mortal.Restart(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	inMariaDB("INSERT INTO shared.orders VALUES (4, 3, 7.00, 'late')", "UPDATE shared.orders SET total = 2.50 WHERE id = 1", "DELETE FROM shared.orders WHERE id = 3")
	p.until(`"name":"three","orders":1,"spent":7.00`, "get", "people_orders", "3", "-o", "json")
	p.until(`"name":"uno","orders":2,"spent":4.75`, "get", "people_orders", "1", "-o", "json")
	for _, name := range []string{"sinks.found", "sinks.copied", "shared.orders", "public.people"} {
		if out, code := p.evert("verify", name); code != 0 {
			t.Errorf("evert verify %s: exit code %d:\n%s", name, code, out)
		}
	}
	harness.Until(t, "the sink of files has written some", func() bool {
		written, _ := filepath.Glob(filepath.Join(dir, "out", "*"))
		return len(written) > 0
	})
	daemon.Signal(syscall.SIGTERM)
	if code := daemon.Wait(t, harness.Patience); code != 0 {
		t.Errorf("SIGTERM: exit code %d:\n%s", code, daemon.Last(12))
	}
}
