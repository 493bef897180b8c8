//go:build unix

package security

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// TestNamesake runs two deployments of one name on one cluster. With sources of
// one name, over two servers, the second stands by, and refuses to go on where
// the first was when it takes over; with sources of other names and one topic
// prefix, the second does not write the topics of the first. In both the topics
// hold what the first wrote, and neither fences the other while it works.
func TestNamesake(t *testing.T) {
	t.Parallel()
	b, servers := theBroker(t), [...]*pgserver.Server{pg.Server(t), pgtest.Start(t, pgtest.Options{})}
	world := func(t *testing.T, row int) *harness.World {
		w := suite.NewWorld(t, servers[row-1], fmt.Sprintf("door_%d", doors.Add(1)))
		w.SQL(w.Database, "CREATE TABLE t (id int PRIMARY KEY)", fmt.Sprintf("INSERT INTO t VALUES (%d)", row), "ALTER TABLE t OWNER TO capture")
		return w
	}
	file := func(w *harness.World, name, source string) string {
		text := fmt.Sprintf(`name: %s
data_dir: %s
kafka: {brokers: ["%s"], topics: {replication_factor: 1}, session_timeout: 2s}
sources: {%s: {topic_prefix: %[1]s, postgres: {url: "%[5]s", slot: %[6]s, publication: %[6]s, tables: [public.*]}}}
serve: {http: none}
`, name, w.Data(), b.Brokers()[0], source, w.URL(), w.Database)
		path := filepath.Join(w.Dir, "evert.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rows := func(t *testing.T, path, topic, want string) {
		t.Helper()
		out, errs, exit := harness.Run(t, suite.Evert(t), "tail", "--until-end", "-o", "json", "-c", path, topic)
		if exit != 0 || strings.Count(out, `"op":"r"`) != 1 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want one row with %s:\n%s%s", exit, want, out, errs)
		}
	}
	t.Run("K12 two deployments with one name, and sources of one name", func(t *testing.T) {
		first, second := world(t, 1), world(t, 2)
		name := first.Database
		one, two := file(first, name, "db"), file(second, name, "db")
		p := harness.Start(t, harness.Launch{Path: suite.Evert(t), Args: []string{"run", "-c", one}})
		p.Await(t, "the copy", func(line string) bool { return strings.Contains(line, "every table is in its topic") })
		q := harness.Start(t, harness.Launch{Path: suite.Evert(t), Args: []string{"run", "-c", two}})
		q.Await(t, "its start", func(line string) bool { return strings.Contains(line, `"msg":"started"`) })
		first.SQL(first.Database, "INSERT INTO t VALUES (11)")
		p.Signal(syscall.SIGTERM)
		p.Wait(t, harness.Patience)
		q.Await(t, "the refusal", func(line string) bool { return strings.Contains(line, "PG_OTHER_SERVER") })
		q.Signal(syscall.SIGTERM)
		q.Wait(t, harness.Patience)
		rows(t, one, name+".public.t", `"id":1}`)
	})
	t.Run("K12 two deployments with one name, and one topic prefix", func(t *testing.T) {
		first, second := world(t, 1), world(t, 2)
		name := first.Database
		one, two := file(first, name, "one"), file(second, name, "two")
		if _, errs, exit := harness.Run(t, suite.Evert(t), "run", "--until-caught-up", "-c", one); exit != 0 {
			t.Fatal(errs)
		}
		_, errs, exit := harness.Run(t, suite.Evert(t), "run", "--until-caught-up", "-c", two)
		if exit == 0 || !strings.Contains(errs, "it belongs to source one of deployment "+name) || !strings.Contains(errs, "[TOPIC_OWNED]") {
			t.Errorf("exit code %d:\n%s", exit, errs)
		}
		rows(t, one, name+".public.t", `"id":1}`)
	})
}
