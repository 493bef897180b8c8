//go:build unix

package views

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// TestTwoSources reads a view over two databases while numbers move within each:
// every read has whole transactions of both (I7). A view of that view agrees.
func TestTwoSources(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.Options{})
	far := s.Database + "_far"
	pgtest.Database(t, s.Postgres, far)
	s.SQL("postgres", "ALTER DATABASE "+far+" OWNER TO capture")
	s.SQL(far, "CREATE TABLE other (id int PRIMARY KEY, n int NOT NULL)", "INSERT INTO other SELECT i, i FROM generate_series(1, 10) AS i", "ALTER TABLE other OWNER TO capture")
	s.Options.Sources = fmt.Sprintf("  far: {postgres: {url: %q, tables: [public.*]}, commit_interval: 10ms, idle_interval: 100ms}\n", strings.Replace(s.URL(), "/"+s.Database, "/"+far, 1))
	s.waits = "far"
	s.views["sums"], s.extra["sums"] = `SELECT 1 AS id, sum(near) AS near, sum(far) AS far FROM (
		SELECT n AS near, 0 AS far FROM db.public.other UNION ALL SELECT 0 AS near, n AS far FROM far.public.other) AS everything`, "key: [id]"
	s.views["pairs"], s.extra["pairs"] = "SELECT o.id, o.n AS near, f.n AS far FROM db.public.other AS o LEFT JOIN far.public.other AS f ON f.id = o.id", "key: [id]"
	s.views["larger"], s.extra["larger"] = "SELECT near, count(*) AS n FROM pairs WHERE far > 3 GROUP BY near", "key: [near]"
	pairs := s.views["pairs"]
	s.oracle = func(sql string) string {
		sql = strings.ReplaceAll(sql, "FROM pairs", "FROM ("+pairs+") AS pairs")
		return strings.NewReplacer("db.public.", "public.", "far.public.other", "mirror").Replace(sql)
	}
	s.start()
	for n := range 40 {
		move := fmt.Sprintf("BEGIN; UPDATE other SET n = n + %d WHERE id = %d; UPDATE other SET n = n - %d WHERE id = %d; COMMIT", n, n%10+1, n, (n+3)%10+1)
		s.SQL([]string{s.Database, far}[n%2], move)
		answer := s.await("/v1/views/sums/rows/1")
		var body struct{ Row struct{ Near, Far int } }
		if err := answer.Decode(&body); err != nil || body.Row.Near != 55 || body.Row.Far != 55 {
			t.Fatalf("I7: the sums are %+v, not 55 and 55: %v", body.Row, err)
		}
	}
	s.SQL(s.Database, "CREATE TABLE mirror (id int PRIMARY KEY, n int NOT NULL)", "ALTER TABLE mirror OWNER TO capture")
	s.copyRows(far)
	for view := range s.views {
		s.same(view)
	}
	s.end()
}

// copyRows puts the rows of another database's table beside ours, for the oracle.
func (s *story) copyRows(from string) {
	s.Helper()
	here := s.Database
	s.Database = from
	rows := s.ask("SELECT json_agg(o)::text FROM other AS o")
	s.Database = here
	s.SQL(here, "INSERT INTO mirror SELECT * FROM json_populate_recordset(NULL::mirror, '"+rows+"')")
}

// TestTwoDaemons shares views out between two daemons of one file. One is killed,
// and the other takes its views over and has their rows right (R08).
func TestTwoDaemons(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.OnKafka(kafka.Cluster(t)))
	s.Options.DataRef = "${NODE_DIR}"
	for _, view := range []string{"a", "b", "c", "d"} {
		s.views[view], s.extra[view] = perShop, "key: [shop]"
	}
	s.defined()
	var nodes []*harness.Daemon
	for n := range 2 {
		s.Options.DataDir = filepath.Join(s.Dir, fmt.Sprintf("node-%d", n))
		s.Options.Env = []string{"NODE_DIR=" + s.Options.DataDir}
		nodes = append(nodes, s.Run())
	}
	owned := func(n int) (views []string) {
		s.Options.DataDir, s.daemon = filepath.Join(s.Dir, fmt.Sprintf("node-%d", n)), nodes[n]
		for view := range s.views {
			s.health(view, func(h health) bool {
				if h.State == "streaming" {
					views = append(views, view)
				}
				return h.State == "streaming" || h.State == "standby"
			})
		}
		return views
	}
	for len(owned(0))+len(owned(1)) < len(s.views) {
		<-time.After(20 * time.Millisecond) // the period of asking
	}
	t.Logf("one daemon has %v, the other %v", owned(0), owned(1))
	nodes[0].Kill()
	s.Options.DataDir, s.daemon = filepath.Join(s.Dir, "node-1"), nodes[1]
	s.SQL(s.Database, "UPDATE sales SET cents = cents + 1 WHERE id % 3 = 0")
	for view := range s.views {
		s.same(view)
	}
	s.end()
}
