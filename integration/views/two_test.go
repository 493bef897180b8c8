//go:build unix

package views

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
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

// TestTwoDaemonsShareViews shares views out between two daemons of one file, under traffic.
// The one that has them is killed, several times, and the other takes its views over
// and has their rows right (R08). Each change is in a view's topic once, whoever wrote
// it (I2, R01).
func TestTwoDaemonsShareViews(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.OnKafka(kafka.Cluster(t)))
	s.Options.DataRef = "${NODE_DIR}"
	for _, view := range []string{"a", "b", "c", "d"} {
		s.views[view], s.extra[view] = perShop, "key: [shop]"
	}
	s.defined()
	nodes := pair{story: s}
	nodes.run(0)
	nodes.run(1)
	stop := s.traffic()
	n := nodes.owner(0, 1)
	for range min(20, harness.Number(t, "EVERT_CRASH_RUNS", 4)/2) {
		nodes.follows(n)
		nodes.daemons[n].Kill()
		other := nodes.owner(1 - n)
		nodes.run(n)
		n = other
	}
	nodes.follows(n)
	stop()
	nodes.daemons[1-n].Terminate()
	nodes.owner(n)
	for view := range s.views {
		s.same(view)
	}
	s.end()
	epochs := 0
	for view := range s.views {
		epochs += s.noRepeats(view)
	}
	t.Logf("%d epochs in %d topics", epochs, len(s.views))
}

// A pair is two daemons of one story.
type pair struct {
	*story
	daemons [2]*harness.Daemon
}

// at turns to one of them.
func (p *pair) at(n int) {
	p.Options.DataDir, p.daemon = filepath.Join(p.Dir, fmt.Sprintf("node-%d", n)), p.daemons[n]
	p.Options.Env = []string{"NODE_DIR=" + p.Options.DataDir}
}

func (p *pair) run(n int) {
	p.Helper()
	p.at(n)
	p.daemons[n] = p.Run()
}

// owner waits until every view is kept current by one of those that are up, and
// gives the one that has more of them.
func (p *pair) owner(up ...int) (most int) {
	p.Helper()
	for end := time.Now().Add(harness.Patience); ; {
		if time.Now().After(end) {
			p.nobody(up)
		}
		var has [2][]string
		for _, n := range up {
			p.at(n)
			for view := range p.views {
				if p.healthOf(view).State == "streaming" {
					has[n] = append(has[n], view)
				}
			}
		}
		if len(has[0])+len(has[1]) == len(p.views) {
			p.Logf("node 0 has %v, node 1 %v", has[0], has[1])
			if len(has[1]) > len(has[0]) {
				return 1
			}
			return 0
		}
		<-time.After(20 * time.Millisecond) // the period of asking
	}
}

// nobody fails with what each node says of its views.
func (p *pair) nobody(up []int) {
	p.Helper()
	for _, n := range up {
		p.at(n)
		for view := range p.views {
			p.Logf("node %d, view %s: %+v", n, view, p.healthOf(view))
		}
		p.Logf("node %d, the last lines:\n%s", n, p.daemons[n].Last(60))
	}
	p.Fatal("nobody keeps all views current")
}

// follows waits until the views of a node have made some epochs more, or went to
// the other one, which has come back.
func (p *pair) follows(n int) {
	p.Helper()
	p.at(n)
	for view := range p.views {
		now := p.healthOf(view)
		p.health(view, func(h health) bool { return h.State != "streaming" || h.Epoch >= now.Epoch+5 })
	}
}

// traffic changes some sales, over and over, until stop is called.
func (s *story) traffic() (stop func()) {
	end, done := make(chan struct{}), make(chan error, 1)
	go func() {
		pace := time.NewTicker(trafficEvery)
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-end:
				done <- nil
				return
			case <-pace.C:
			}
			if err := s.Postgres.Exec(s.Context(), s.Database, fmt.Sprintf("UPDATE sales SET cents = cents + 1 WHERE id %% 50 = %d", n%50)); err != nil {
				done <- err
				return
			}
		}
	}()
	return func() {
		s.Helper()
		close(end)
		if err := <-done; err != nil {
			s.Fatalf("the traffic failed: %v", err)
		}
	}
}

// noRepeats reads what is committed of a view's topic, which both daemons wrote:
// no epoch says a key twice, no place is taken twice, and no record says of a key
// what the one before said. The newest record of each key is what is shown.
func (s *story) noRepeats(view string) (epochs int) {
	s.Helper()
	opened, closeLog, err := s.OpenLog()
	if err != nil {
		s.Fatal(err)
	}
	defer closeLog()
	topic := s.Deployment() + ".views." + view
	infos, err := opened.Admin().Topics(s.Context(), topic)
	if err != nil || len(infos) != 1 {
		s.Fatalf("topic %s: %v, %v", topic, infos, err)
	}
	fold, err := log.ReadFrontier(s.Context(), opened, log.FrontierTopic(s.Deployment(), log.ViewOwner(view)))
	if err != nil {
		s.Fatal(err)
	}
	newest, ok := fold.Frontier()
	if !ok {
		s.Fatalf("view %s has no frontier", view)
	}
	places, said, last, numbers := map[log.Pos]bool{}, map[string]bool{}, map[string]string{}, map[uint64]bool{}
	for p, ends := range infos[0].Ends {
		tp := log.TopicPartition{Topic: topic, Partition: int32(p)}
		if newest.Offsets[tp] > ends.Stable {
			s.Errorf("%s ends at %d, and the frontier is at %d", tp, ends.Stable, newest.Offsets[tp])
		}
		err := log.Scan(s.Context(), opened, tp, ends, func(r *log.Record) error {
			pos, err := log.ParsePos(r.Find(log.PosHeader))
			if err != nil {
				return err
			}
			key := fmt.Sprintf("%d %x", pos.Seq, r.Key)
			before, known := last[string(r.Key)]
			switch {
			case places[pos]:
				s.Errorf("I2: %s has the place %+v twice", tp, pos)
			case said[key]:
				s.Errorf("I2: %s says a key twice in epoch %d", tp, pos.Seq)
			case known && before == string(r.Value):
				s.Errorf("R01: %s says at %d of a key what it said before", tp, r.Offset)
			case pos.Incarnation != newest.Incarnation || pos.Seq > newest.Number+1:
				s.Errorf("%s has a record of %+v, and the frontier is at number %d of %x", tp, pos, newest.Number, newest.Incarnation)
			}
			places[pos], said[key], numbers[pos.Seq], last[string(r.Key)] = true, true, true, string(r.Value)
			return nil
		})
		if err != nil {
			s.Fatal(err)
		}
	}
	return len(numbers)
}
