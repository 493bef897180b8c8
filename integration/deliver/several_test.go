//go:build unix

package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
)

// TestPostgresSeveralKill moves money between two tables that one sink keeps in another
// database, while the daemon is killed at random moments. Whoever reads both there sees
// whole transactions of the source: a cut of both tables at once (I3 I10). At rest the
// tables are equal.
func TestPostgresSeveralKill(t *testing.T) {
	t.Parallel()
	b := newPostgresBank(t)
	b.SQL(b.Database, "CREATE TABLE savings (id int PRIMARY KEY, balance numeric(12,2) NOT NULL, note text)", "INSERT INTO savings SELECT id, 0 FROM accounts", "ALTER TABLE savings OWNER TO capture")
	b.Options.More = fmt.Sprintf("sinks:\n  both:\n    from: [db.public.accounts, db.public.savings]\n    commit_interval: 10ms\n    postgres: {url: %q, schema: public}\n", b.targetURL())
	stop := b.saving()
	read := b.readers("(SELECT sum(balance) FROM accounts) + (SELECT sum(balance) FROM savings)")
	for n := range harness.Number(t, "EVERT_CRASH_RUNS", 3) {
		b.kill(n)
	}
	d := b.Run()
	stop()
	for _, table := range []string{"accounts", "savings"} {
		sql := "SELECT a::text FROM " + table + " a ORDER BY id"
		b.same("at rest", sql, sql)
	}
	d.Terminate()
	if read() == 0 {
		t.Error("no reader saw the target")
	}
}

// saving moves money between the tables, in both directions, until it is stopped.
func (b *postgresBank) saving() (stop func()) {
	end := make(chan struct{})
	conn, rng := b.dial(b.Postgres.URL(b.Database)), rand.New(rand.NewPCG(b.seed, 20))
	var wg sync.WaitGroup
	wg.Go(func() {
		pace := time.NewTicker(trafficEvery)
		defer pace.Stop()
		for {
			select {
			case <-end:
				return
			case <-pace.C:
			}
			from, to := "accounts", "savings"
			if rng.IntN(2) == 0 {
				from, to = to, from
			}
			amount := 1 + rng.IntN(10)
			sql := fmt.Sprintf("BEGIN; UPDATE %s SET balance = balance - %d WHERE id = %d; UPDATE %s SET balance = balance + %d WHERE id = %d; COMMIT",
				from, amount, 1+rng.IntN(bankAccounts), to, amount, 1+rng.IntN(bankAccounts))
			if _, err := conn.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
				b.Errorf("seed %d: the traffic failed: %v", b.seed, err)
				return
			}
		}
	})
	return func() { close(end); wg.Wait() }
}
