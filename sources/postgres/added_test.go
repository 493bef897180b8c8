package postgres

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// done reports whether a batch says that a copy is done.
func done(b pipeline.Batch) bool {
	return slices.ContainsFunc(b.Copies, func(c pipeline.TableCopy) bool { return c.Done })
}

func TestTableThatCameLater(t *testing.T) {
	t.Parallel()
	t.Run("P35 while the source runs, and while it does not", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		writer := dbAt(t, d.url)
		blind := locked(t, d, "pg_publication") // until the writer is there, nobody looks
		d.do("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1), (2); CREATE TEMP TABLE later (id int PRIMARY KEY)")
		writer.do("BEGIN; INSERT INTO late VALUES (3)") // is waited for, and not for long
		blind.do("ROLLBACK")
		eventually(t, "the writer to be noticed", func() bool { return strings.Contains(r.source.Stats().WaitingFor, "somebody uses the table") })
		d.do("INSERT INTO t VALUES (1)")
		wantLines(t, r.sync(d), "c t 1")
		writer.do("COMMIT")
		lines := r.until(done)
		slices.Sort(lines)
		wantLines(t, lines, "r late 1", "r late 2", "r late 3")
		d.do("INSERT INTO late VALUES (4)")
		wantLines(t, r.sync(d), "c late 4")
		from := r.close()

		d.do("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (5)")
		if d.major() < 13 {
			return // partitions are published under their own names
		}
		r = open(t, d.config(), from)
		wantLines(t, r.until(done), "r p 5")
		d.do("INSERT INTO p VALUES (6); UPDATE t SET id = 7")
		wantLines(t, r.sync(d), "c p 6", "u t 1 → 7")
		r = open(t, d.config(), r.close())
		d.do("INSERT INTO p VALUES (8)")
		wantLines(t, r.sync(d), "c p 8")
	})
	t.Run("P35 that the user may not publish", func(t *testing.T) {
		d := newDB(t)
		d.do(`CREATE TABLE t (id int PRIMARY KEY); DROP ROLE IF EXISTS late_follower; CREATE ROLE late_follower LOGIN REPLICATION PASSWORD 'follower';
			GRANT SELECT ON t TO late_follower; CREATE PUBLICATION evert_pub FOR TABLE t`)
		t.Cleanup(func() { d.do("DROP OWNED BY late_follower; DROP ROLE late_follower") })
		c := d.config()
		as := strings.Replace(d.url, "postgres://"+userInfo(d.url), "postgres://late_follower:follower", 1)
		c.URL = func(context.Context) (string, error) { return as, nil }
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		d.do("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1); GRANT SELECT ON late TO late_follower")
		told := func() string { return strings.Join(r.source.Stats().NotCaptured, "\n") }
		const add = `ALTER PUBLICATION "evert_pub" ADD TABLE "public"."late";`
		eventually(t, "the table to be told of", func() bool { return strings.Contains(told(), "mend: "+add) })
		named := c
		named.Named = []pgsql.TableName{{Schema: "public", Name: "late"}}
		wantCode(t, refusedWith(t, named, r.close(), CodeTableAdded), CodeTableAdded)
		r = open(t, c, r.resume)
		d.do("%s", add)
		wantLines(t, r.until(done), "r late 1")
		_ = r.source.Close()
	})
}

func userInfo(url string) string {
	info, _, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), "@")
	return info
}
