//go:build unix

package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// TestPostgresKill moves money between the accounts of a table that a sink keeps
// in another database, while the daemon is killed at random moments. Whoever reads
// there sees whole transactions of the source, and at rest the tables are equal:
// S12 R16 I10. So it is after the data directory was lost. A second sink keys the
// rows by labels that accounts exchange.
func TestPostgresKill(t *testing.T) {
	t.Parallel()
	b := newPostgresBank(t)
	b.labels = true
	b.Options.More += fmt.Sprintf("  labels:\n    from: db.public.accounts\n    commit_interval: 10ms\n    transforms: [{rekey: [label]}]\n    postgres: {url: %q, table: public.labels}\n", b.targetURL())
	stop := b.traffic()
	read := b.readers(total)
	for n := range harness.Number(t, "EVERT_CRASH_RUNS", 3) {
		b.kill(n)
	}
	d := b.Run()
	stop()
	b.equal("at rest")
	d.Terminate()

	b.lose()
	stop = b.traffic()
	b.kill(0)
	d = b.Run()
	stop()
	b.equal("after the data directory was lost")
	d.Terminate()
	if n := read(); n == 0 {
		t.Error("no reader saw the target")
	} else {
		t.Logf("a reader looked %d times", n)
	}
}

const (
	bankAccounts = 200
	bankOpening  = 100
)

// A postgresBank is a source, and a database that its table is delivered to.
type postgresBank struct {
	*harness.World
	seed   uint64
	rng    *rand.Rand
	target string // the database
	labels bool   // a second sink keys the rows by their labels
}

func newPostgresBank(t *testing.T) *postgresBank {
	t.Helper()
	seed := harness.Seed(t)
	name := fmt.Sprintf("sink_%x", seed&0xffffff)
	server := pgtest.Start(t, pgtest.Options{})
	b := &postgresBank{World: suite.NewWorld(t, server, name), seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), target: name + "_target"}
	pgtest.Database(t, server, b.target)
	b.SQL("postgres", "ALTER DATABASE "+b.target+" OWNER TO capture")
	b.SQL(b.Database, "CREATE TABLE accounts (id int PRIMARY KEY, balance numeric(12,2) NOT NULL, note text, seen timestamptz NOT NULL DEFAULT now(), "+
		"label text NOT NULL DEFAULT gen_random_uuid() UNIQUE DEFERRABLE INITIALLY DEFERRED)",
		fmt.Sprintf("INSERT INTO accounts SELECT n, %d, 'opening ' || n FROM generate_series(1, %d) n", bankOpening, bankAccounts), "ALTER TABLE accounts OWNER TO capture")
	b.Options.Source = "commit_interval: 10ms\nidle_interval: 100ms\n"
	b.Options.More = fmt.Sprintf("sinks:\n  mirror:\n    from: db.public.accounts\n    commit_interval: 10ms\n    postgres: {url: %q, table: public.accounts}\n", b.targetURL())
	return b
}

// targetURL connects to the target as the role that delivers.
func (b *postgresBank) targetURL() string {
	u, err := url.Parse(b.URL())
	if err != nil {
		b.Fatal(err)
	}
	u.Path = "/" + b.target
	return u.String()
}

func (b *postgresBank) dial(url string) *pgx.Conn {
	b.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// traffic moves money, closes accounts and opens them again, until it is stopped.
func (b *postgresBank) traffic() (stop func()) {
	end := make(chan struct{})
	var wg sync.WaitGroup
	for n := range uint64(2) {
		conn, rng := b.dial(b.Postgres.URL(b.Database)), rand.New(rand.NewPCG(b.seed, 10+n))
		wg.Go(func() {
			pace := time.NewTicker(trafficEvery)
			defer pace.Stop()
			for {
				select {
				case <-end:
					return
				case <-pace.C:
				}
				if _, err := conn.PgConn().Exec(context.Background(), transfer(rng)).ReadAll(); err != nil && !strings.Contains(err.Error(), "40P01") {
					b.Errorf("seed %d: the traffic failed: %v", b.seed, err)
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { close(end); wg.Wait() })
	b.Cleanup(stop) // also when the test has failed
	return stop
}

// transfer is one transaction. It moves what an account has, or some of it, and
// closes or opens accounts; the sum stays.
func transfer(rng *rand.Rand) string {
	from, to := 1+rng.IntN(bankAccounts), 1+rng.IntN(bankAccounts)
	if from == to {
		to = 1 + to%bankAccounts
	}
	move := "UPDATE accounts SET balance = balance - %[3]d.25, note = NULL WHERE id = %[1]d"
	amount := rng.IntN(10)
	switch rng.IntN(6) {
	case 0: // close it
		return fmt.Sprintf(`BEGIN; SELECT FROM accounts WHERE id IN (%[1]d, %[2]d) ORDER BY id FOR UPDATE;
			WITH closed AS (DELETE FROM accounts WHERE id = %[1]d AND EXISTS (SELECT FROM accounts WHERE id = %[2]d) RETURNING balance)
			UPDATE accounts SET balance = accounts.balance + closed.balance FROM closed WHERE id = %[2]d; COMMIT`, from, to)
	case 2: // exchange labels
		return fmt.Sprintf(`BEGIN; SELECT FROM accounts WHERE id IN (%[1]d, %[2]d) ORDER BY id FOR UPDATE;
			UPDATE accounts a SET label = b.label FROM accounts b WHERE a.id IN (%[1]d, %[2]d) AND b.id = %[1]d + %[2]d - a.id; COMMIT`, from, to)
	case 1: // open it with half of another
		return fmt.Sprintf(`BEGIN; INSERT INTO accounts SELECT %[1]d, 0, 'opened' WHERE NOT EXISTS (SELECT FROM accounts WHERE id = %[1]d) ON CONFLICT (id) DO NOTHING; COMMIT`, from)
	}
	return fmt.Sprintf(`BEGIN; SELECT FROM accounts WHERE id IN (%[1]d, %[2]d) ORDER BY id FOR UPDATE;
		WITH paid AS (`+move+` AND EXISTS (SELECT FROM accounts WHERE id = %[2]d) RETURNING 1)
		UPDATE accounts SET balance = balance + %[3]d.25, seen = now() WHERE id = %[2]d AND EXISTS (SELECT FROM paid); COMMIT`, from, to, amount)
}

// total is all the money of the bank, as the target has it.
const total = "(SELECT coalesce(sum(balance), 0) FROM accounts)"

// lookEvery is the pace of a reader: some looks for each commit of a sink.
const lookEvery = 2 * time.Millisecond

// readers ask the target for its total in one statement, all the time; the returned
// function ends that and tells how often they saw it.
func (b *postgresBank) readers(total string) (stop func() int) {
	conn := b.dial(b.Postgres.URL(b.target))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	looks, want := 0, fmt.Sprintf("%d.00", bankAccounts*bankOpening)
	wg.Go(func() {
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		for ; ctx.Err() == nil; <-look.C {
			var sum string
			err := conn.QueryRow(ctx, "SELECT ("+total+")::text").Scan(&sum)
			switch {
			case ctx.Err() != nil, err != nil && strings.Contains(err.Error(), "42P01"): // there are no tables before the first fill is whole
			case err != nil:
				b.Errorf("seed %d: read the target: %v", b.seed, err)
				return
			case sum != want:
				b.Errorf("seed %d: a reader of the target sees a sum of %s, want %s", b.seed, sum, want)
				return
			default:
				looks++
			}
		}
	})
	var once sync.Once
	stop = func() int {
		once.Do(func() { cancel(); wg.Wait() })
		return looks
	}
	b.Cleanup(func() { stop() })
	return stop
}

// kill starts the daemon and kills it when its sink has moved on some commits, or
// at once.
func (b *postgresBank) kill(n int) {
	b.Helper()
	d := b.Run()
	if n%4 != 3 {
		b.await("the sink moves on", d, b.moves(1+b.rng.IntN(20)))
	}
	d.KillSoon(b, time.Duration(b.rng.Int64N(int64(20*time.Millisecond))))
}

// moves reports whether the sink's position was moved so many times since it was
// first asked.
func (b *postgresBank) moves(times int) func() bool {
	conn, last := b.dial(b.Postgres.URL(b.target)), ""
	return func() bool {
		var now string
		err := conn.QueryRow(context.Background(), "SELECT coalesce(max(updated)::text, '') FROM evert_sinks").Scan(&now)
		if err == nil && now != last {
			times, last = times-1, now
		}
		return times < 0
	}
}

func (b *postgresBank) await(what string, d *harness.Daemon, is func() bool) {
	b.Helper()
	limit, look := time.After(harness.Patience), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C: // the period of looking
		case <-d.Exited():
			b.Fatalf("seed %d: waiting until %s: the daemon ended by itself; its last lines:\n%s", b.seed, what, d.Last(12))
		case <-limit:
			b.Fatalf("seed %d: waiting until %s: in vain; the daemon's last lines:\n%s", b.seed, what, d.Last(20))
		}
	}
}

// equal waits until the tables are equal, row by row and to the last digit.
func (b *postgresBank) equal(when string) {
	b.Helper()
	b.same(when, "SELECT a::text FROM accounts a ORDER BY id", "SELECT a::text FROM accounts a ORDER BY id")
	if b.labels {
		b.same(when, "SELECT a::text FROM accounts a ORDER BY id", "SELECT a::text FROM labels a ORDER BY id")
	}
}

func (b *postgresBank) same(when, source, rows string) {
	b.Helper()
	from, to := b.dial(b.Postgres.URL(b.Database)), b.dial(b.Postgres.URL(b.target))
	want := all(from, source)
	var got []string
	limit, look := time.After(harness.Patience), time.NewTicker(20*time.Millisecond)
	defer look.Stop()
	for got = all(to, rows); strings.Join(got, "\n") != strings.Join(want, "\n"); got = all(to, rows) {
		select {
		case <-look.C: // the period of looking
		case <-limit:
			missing, surplus := except(want, got), except(got, want)
			b.Fatalf("seed %d, %s: only in the source: %q; only in the target: %q", b.seed, when, missing, surplus)
		}
	}
}

func all(conn *pgx.Conn, sql string) []string {
	rows, err := conn.Query(context.Background(), sql)
	if err != nil {
		return nil
	}
	out, _ := pgx.CollectRows(rows, pgx.RowTo[string])
	return out
}

// except gives what of a is not in b.
func except(a, b []string) (out []string) {
	has := map[string]bool{}
	for _, x := range b {
		has[x] = true
	}
	for _, x := range a {
		if !has[x] {
			out = append(out, x)
		}
	}
	return out
}

// lose deletes the data directory, as after a disk was lost, and what the source
// kept at its server for it.
func (b *postgresBank) lose() {
	b.Helper()
	if err := os.RemoveAll(b.Data()); err != nil {
		b.Fatal(err)
	}
	b.SQL(b.Database, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
}
