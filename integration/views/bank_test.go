//go:build unix

package views

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var (
	suite harness.Suite
	kafka kafkatest.Shared
)

func TestMain(m *testing.M) {
	code := suite.Main(m)
	os.Exit(max(code, kafka.Close()))
}

// TestBankEmbedded moves money between the accounts of two tables, and within
// them, while the daemon is killed at random moments. The total is the same on
// every read, whoever reads and whenever: R01 R02 R11. A reader that sends back
// its position never goes back: R21.
func TestBankEmbedded(t *testing.T) { runBank(t, harness.Options{}) }

// TestBankApacheKafka is the same over Apache Kafka.
func TestBankApacheKafka(t *testing.T) { runBank(t, harness.OnKafka(kafka.Cluster(t))) }

const (
	owners  = 50
	opening = 100 // of each account, of which everybody has two
)

// bankViews are the total over everything, with the number of transfers so far,
// and what each owner has on both accounts.
const bankViews = `views:
  ledger:
    key: [id]
    sql: |
      SELECT 1 AS id, sum(balance) AS total, sum(n) AS transfers
      FROM (SELECT balance, 0 AS n FROM db.public.checking
            UNION ALL SELECT balance, 0 AS n FROM db.public.savings
            UNION ALL SELECT 0::numeric AS balance, 1 AS n FROM db.public.transfers) AS everything
  wealth:
    key: [id]
    sql: |
      SELECT c.id, c.balance + s.balance AS both
      FROM db.public.checking AS c JOIN db.public.savings AS s ON s.id = c.id
`

func runBank(t *testing.T, o harness.Options) {
	t.Parallel()
	seed := harness.Seed(t)
	server := pgtest.Start(t, pgtest.Options{})
	o.Source, o.More = "commit_interval: 10ms\nidle_interval: 100ms\n", bankViews
	b := &bank{World: suite.NewWorld(t, server, fmt.Sprintf("bank_%x", seed&0xffffff)), rng: rand.New(rand.NewPCG(seed, 7))}
	b.Options = o
	b.open()
	stop := b.traffic(seed)
	d := b.Run()
	readers := b.readers()
	for range harness.Number(t, "EVERT_CRASH_RUNS", 4) {
		d = b.killAndGoOn(d)
	}
	stop()
	b.settled()
	readers.stop()
	d.Terminate()
	t.Logf("%d reads of the ledger, %d of all owners", readers.ledger.Load(), readers.wealth.Load())
}

// A bank is a database whose money only moves.
type bank struct {
	*harness.World
	rng  *rand.Rand
	read atomic.Int64 // reads of the ledger that were answered
}

func (b *bank) open() {
	b.SQL(b.Database,
		"CREATE TABLE checking (id int PRIMARY KEY, balance numeric(12,2) NOT NULL)",
		"CREATE TABLE savings (id int PRIMARY KEY, balance numeric(12,2) NOT NULL)",
		"CREATE TABLE transfers (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
		fmt.Sprintf("INSERT INTO checking SELECT n, %d FROM generate_series(1, %d) AS n", opening, owners),
		fmt.Sprintf("INSERT INTO savings SELECT n, %d FROM generate_series(1, %d) AS n", opening, owners),
		"ALTER TABLE checking OWNER TO capture; ALTER TABLE savings OWNER TO capture; ALTER TABLE transfers OWNER TO capture")
}

// trafficEvery is the pace of each client, which a busy machine can follow.
const trafficEvery = 5 * time.Millisecond

// traffic transfers until the returned function is called; then every transfer
// has ended, committed or not.
func (b *bank) traffic(seed uint64) (stop func()) {
	end, done := make(chan struct{}), make(chan error, 2)
	for n := range uint64(2) {
		go func() { done <- b.transfer(end, rand.New(rand.NewPCG(seed, n))) }()
	}
	return func() {
		b.Helper()
		close(end)
		for range 2 {
			if err := <-done; err != nil {
				b.Errorf("the traffic failed: %v", err)
			}
		}
	}
}

func (b *bank) transfer(end <-chan struct{}, rng *rand.Rand) error {
	conn, err := pgx.Connect(b.Context(), b.Postgres.URL(b.Database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	tables := []string{"checking", "savings"}
	pace := time.NewTicker(trafficEvery)
	defer pace.Stop()
	for {
		select {
		case <-end:
			return nil
		case <-pace.C:
		}
		from, to := rng.IntN(owners)+1, rng.IntN(owners)+1
		sql := fmt.Sprintf(`BEGIN; UPDATE %s SET balance = balance - %d WHERE id = %d; UPDATE %s SET balance = balance + %d WHERE id = %d;
			INSERT INTO transfers DEFAULT VALUES; COMMIT`, tables[rng.IntN(2)], 7, from, tables[rng.IntN(2)], 7, to)
		if _, err := conn.Exec(b.Context(), sql); err == nil {
			continue
		}
		if _, err := conn.Exec(b.Context(), "ROLLBACK"); err != nil { // from a deadlock between the two
			return err
		}
	}
}

// killAndGoOn kills the daemon after some more reads, and starts the next.
func (b *bank) killAndGoOn(d *harness.Daemon) *harness.Daemon {
	b.Helper()
	want := b.read.Load() + 1 + b.rng.Int64N(200)
	b.await("reads", d, func() bool { return b.read.Load() >= want })
	d.Kill()
	return b.Run()
}

func (b *bank) await(what string, d *harness.Daemon, done func() bool) {
	b.Helper()
	timeout := time.After(harness.Patience)
	for !done() {
		select {
		case <-timeout:
			b.Fatalf("no %s; the daemon's last lines:\n%s", what, d.Last(30))
		case <-d.Exited():
			b.Fatalf("the daemon ended by itself; its last lines:\n%s", d.Last(30))
		case <-time.After(5 * time.Millisecond): // the period of asking
		}
	}
}

// settled waits until the ledger has counted every transfer, by waiting for the
// position at which the server is now: a read that waits contains every write.
func (b *bank) settled() {
	b.Helper()
	door := harness.NewDoor(b.Data())
	defer door.Close()
	lsn, transfers := b.committed()
	for deadline := time.Now().Add(harness.Patience); ; {
		answer, err := door.Get(b.Context(), "/v1/views/ledger/rows/1?timeout=30s&wait_for="+url.QueryEscape("db:"+lsn))
		if err == nil && answer.Status == 200 {
			l, err := ledgerOf(answer)
			if err != nil {
				b.Fatal(err)
			}
			if l.transfers != transfers {
				b.Errorf("the read that waited for %s counts %d transfers of %d", lsn, l.transfers, transfers)
			}
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("no answer that contains everything: %v %d %s", err, answer.Status, answer.Body)
		}
		<-time.After(20 * time.Millisecond) // the period of asking
	}
}

// committed gives where the server is now, and how many transfers there are.
func (b *bank) committed() (lsn string, transfers int64) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), b.Postgres.URL(b.Database))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	err = conn.QueryRow(b.Context(), "SELECT pg_current_wal_insert_lsn()::text, (SELECT count(*) FROM transfers)").Scan(&lsn, &transfers)
	if err != nil {
		b.Fatal(err)
	}
	return lsn, transfers
}
