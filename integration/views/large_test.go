//go:build unix

package views

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
)

// TestLargeTransaction reads two views all the while that transactions of
// 300,000 rows come, each above every limit of a commit, and kills the daemon inside
// them: while capture writes its parts, and while a view commits its own. Every read
// has all of a transaction or nothing: I3 I7, R01 R11.
func TestLargeTransaction(t *testing.T) {
	t.Parallel()
	l := newLarge(t, harness.Options{}, 300_000, 15)
	l.start()
	readers := l.readers()
	for range (harness.Number(t, "EVERT_CRASH_RUNS", 4) + 19) / 20 {
		l.killInside("capture wrote a part", l.captureParts)
		l.killInside("the view committed a part", l.viewParts)
	}
	l.end()
	readers.stop()
	t.Logf("%d transactions of %d rows; %d reads of the totals, %d of rows", l.done, l.rows, readers.totals.Load(), readers.copies.Load())
}

// TestLargeTransactionApacheKafka is the same over Apache Kafka, where a foreign
// reader sees the parts; with fewer rows in smaller parts, of which the view makes
// one commit.
func TestLargeTransactionApacheKafka(t *testing.T) {
	t.Parallel()
	l := newLarge(t, harness.OnKafka(kafka.Cluster(t)), 30_000, 10)
	l.start()
	readers := l.readers()
	l.killInside("capture wrote a part", l.captureParts)
	l.end()
	readers.stop()
	t.Logf("%d transactions of %d rows; %d reads of the totals, %d of rows", l.done, l.rows, readers.totals.Load(), readers.copies.Load())
}

// large is a table whose rows all hold the number of transactions so far, each of
// which touches every row; and two views of it.
type large struct {
	*story
	rows, parts int
	done        int // transactions
}

func newLarge(t *testing.T, o harness.Options, rows, parts int) *large {
	t.Helper()
	o.Tables = `["public.large"]` // on a cluster that other stories share
	o.Source = brisk + fmt.Sprintf("max_commit_rows: %d\n", rows/parts)
	l := &large{story: newStory(t, ownServer(t), o), rows: rows, parts: parts}
	l.SQL(l.Database, "CREATE TABLE large (id int PRIMARY KEY, n int NOT NULL)", "ALTER TABLE large OWNER TO capture")
	l.views["totals"], l.extra["totals"] = "SELECT count(*) AS count, min(n) AS least, max(n) AS most, 1 AS id FROM db.public.large", "key: [id]"
	l.views["copies"], l.extra["copies"] = "SELECT id, n FROM db.public.large", "key: [id]"
	return l
}

// start starts a daemon and waits until both views follow.
func (l *large) start() {
	l.Helper()
	l.story.start()
	l.streaming("totals")
	l.streaming("copies")
}

// killInside kills the daemon inside transactions until one was not whole in the
// log or in the view yet, and lets each be finished by the next
// daemon. A machine that is fast enough may be through before it is killed.
func (l *large) killInside(what string, at inside) {
	l.Helper()
	for range 30 {
		hit := l.transact(at)
		l.caughtUp()
		if hit {
			return
		}
	}
	l.Errorf("no kill came when %s", what)
}

// An inside waits for a moment in the transaction that comes next, kills the daemon
// there and reports whether the transaction was not whole. It is made before the
// transaction begins, so that it knows what is of that.
type inside func(d *harness.Daemon) (killThere func() (hit bool))

// transact runs a transaction over all rows, and kills the daemon at a moment.
func (l *large) transact(at inside) (hit bool) {
	l.Helper()
	sql := "UPDATE large SET n = n + 1"
	if l.done == 0 {
		sql = fmt.Sprintf("INSERT INTO large SELECT i, 1 FROM generate_series(1, %d) AS i", l.rows)
	}
	kill, committed := at(l.daemon), make(chan error, 1)
	go func() { committed <- l.Postgres.Exec(l.Context(), l.Database, sql) }()
	hit = kill()
	if err := <-committed; err != nil {
		l.Fatal(err)
	}
	l.done++
	l.daemon = l.Run()
	return hit
}

// captureParts kills when capture has committed a part, and reports whether there
// are rows in the log that no frontier record covers.
func (l *large) captureParts(d *harness.Daemon) func() bool {
	had := l.status().Totals.Parts
	return func() bool {
		d.AwaitStatus("a part", func(s harness.Status) bool { return s.Totals.Parts > had })
		d.Kill()
		return l.beyondFrontier(log.FrontierTopic(l.Deployment(), harness.Prefix), harness.Topic("large"))
	}
}

// viewParts is the same of a view's parts.
func (l *large) viewParts(d *harness.Daemon) func() bool {
	part := func(line string) bool {
		return strings.Contains(line, "committed a part of a large epoch") && strings.Contains(line, `"copies"`)
	}
	had := d.Count(part)
	return func() bool {
		harness.Until(l, "a part of the view's", func() bool { return d.Count(part) > had })
		d.Kill()
		return l.beyondFrontier(log.FrontierTopic(l.Deployment(), log.ViewOwner("copies")), l.Deployment()+".views.copies")
	}
}

func (l *large) status() harness.Status {
	l.Helper()
	return l.daemon.AwaitStatus("an answer", func(harness.Status) bool { return true })
}

// beyondFrontier reports whether a topic holds rows that a frontier does not speak
// of; no daemon runs.
func (l *large) beyondFrontier(frontier, topic string) bool {
	l.Helper()
	opened, closeLog, err := l.OpenLog()
	if err != nil {
		l.Fatal(err)
	}
	defer closeLog()
	fold, err := log.ReadFrontier(l.Context(), opened, frontier)
	if err != nil {
		l.Fatal(err)
	}
	infos, err := opened.Admin().Topics(l.Context(), topic)
	if err != nil || len(infos) != 1 {
		l.Fatal(err)
	}
	newest, ok := fold.Frontier()
	return ok && infos[0].Ends[0].Stable > newest.Offsets[log.TopicPartition{Topic: topic}]
}

// caughtUp waits until both views contain all transactions.
func (l *large) caughtUp() {
	l.Helper()
	wait := "?timeout=30s&wait_for=db:" + url.QueryEscape(l.ask("SELECT pg_current_wal_flush_lsn()::text"))
	n, err := l.totals(l.await("/v1/views/totals/rows/1" + wait))
	if err != nil || n != l.done {
		l.Fatalf("the totals are of transaction %d, %v; there were %d", n, err, l.done)
	}
	if n, err = l.copies(l.await("/v1/views/copies/rows" + wait + l.some())); err != nil || n != l.done {
		l.Fatalf("the copies are of transaction %d, %v; there were %d", n, err, l.done)
	}
}

// some asks for the rows at the ends and in each part.
func (l *large) some() string {
	ids := []string{"1"}
	for p := 1; p <= l.parts; p++ {
		ids = append(ids, fmt.Sprint(p*l.rows/l.parts))
	}
	return "&id=in.(" + strings.Join(ids, ",") + ")"
}

// totals gives the transaction of an answer: every row has to be of it.
func (l *large) totals(a harness.Answer) (int, error) {
	var body struct {
		Row struct{ Count, Least, Most int }
	}
	if err := a.Decode(&body); err != nil {
		return 0, err
	}
	row := body.Row
	if row.Least != row.Most || row.Count != l.rows && (row.Count != 0 || row.Most != 0) {
		return 0, fmt.Errorf("a part of a transaction: %s", a.Body)
	}
	return row.Most, nil
}

func (l *large) copies(a harness.Answer) (int, error) {
	var body struct{ Rows []struct{ N int } }
	if err := a.Decode(&body); err != nil {
		return 0, err
	}
	if len(body.Rows) == 0 {
		return 0, nil
	}
	for _, row := range body.Rows {
		if row.N != body.Rows[0].N {
			return 0, fmt.Errorf("a part of a transaction: %s", a.Body)
		}
	}
	if len(body.Rows) != l.parts+1 {
		return 0, fmt.Errorf("%d rows of %d: %s", len(body.Rows), l.parts+1, a.Body)
	}
	return body.Rows[0].N, nil
}

// largeReaders read until they are stopped.
type largeReaders struct {
	stop           func()
	totals, copies atomic.Int64
}

func (l *large) readers() *largeReaders {
	ctx, cancel := context.WithCancel(l.Context())
	door := harness.NewDoor(l.Data())
	var all sync.WaitGroup
	r := &largeReaders{}
	r.stop = func() { cancel(); all.Wait(); door.Close() }
	l.Cleanup(r.stop)
	all.Go(func() { l.watch(ctx, door, "/v1/views/totals/rows/1?", l.totals, &r.totals) })
	all.Go(func() { l.watch(ctx, door, "/v1/views/copies/rows?"+l.some(), l.copies, &r.copies) })
	return r
}

// watch reads again and again, each time with the position of the answer before:
// the transaction that it sees never goes back (R21).
func (l *large) watch(ctx context.Context, door *harness.Door, path string, of func(harness.Answer) (int, error), reads *atomic.Int64) {
	last, position := 0, ""
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for ; ctx.Err() == nil; <-look.C {
		at := path
		if position != "" {
			at += "&timeout=5s&wait_for=" + url.QueryEscape(position)
		}
		answer, err := door.Get(ctx, at)
		if err != nil || answer.Status == 503 || answer.Status == 504 { // no daemon; it hydrates; it has not come so far
			pauseReader(ctx)
			continue
		}
		n, err := of(answer)
		if answer.Status != 200 || err != nil || n < last {
			l.Errorf("R11, R21: %s is of transaction %d after %d, status %d: %v", path, n, last, answer.Status, err)
			return
		}
		last, position = n, answer.Header.Get("Evert-Position")
		reads.Add(1)
	}
}

func pauseReader(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond): // the period of asking
	}
}
