//go:build unix

package faults

import (
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/check"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// Postgres crashes under load, twice: P07 slot position, P06 acknowledged only
// what is durable.
func TestPostgresCrashes(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t, pgtest.Options{})
	s := open(t, pg, harness.Options{})
	stop := s.Traffic()
	d := s.Run()
	for range 2 {
		d.AwaitStatus("the stream", harness.Flowing(5))
		s.AwaitTransactions(50)
		during(t, d, func() {
			if err := pg.Restart(t.Context(), pgserver.Immediate); err != nil {
				t.Fatal(err)
			}
			s.AwaitTransactions(50)
			goesOn(s, d)
		})
	}
	st, err := d.Status()
	if err != nil || st.Restarts > 20 {
		t.Errorf("%d restarts of the source, %v: a storm", st.Restarts, err)
	}
	checkMemory(t, d)
	stop()
	s.MustEnd(d)
}

// A network that swallows everything without a sign: P32 silently dead
// connection. The daemon has to notice by itself, try again at its own pace, and
// go on when the network is back.
func TestBlackhole(t *testing.T) {
	t.Parallel()
	p, s, d, end := behindProxy(t)
	before := p.Accepted()
	during(t, d, func() {
		p.Blackhole()
		d.AwaitStatus("noticing the silence", func(st harness.Status) bool { return st.State != "streaming" })
		s.AwaitTransactions(100)
		p.Pass()
		goesOn(s, d)
	})
	during(t, d, func() { // a network that says so, and in a long run is silent while the daemon connects again
		p.Cut()
		if harness.Full() {
			p.AwaitAccepted(t, p.Accepted()+1, harness.Patience)
			p.Blackhole()
			p.AwaitAccepted(t, p.Accepted()+2, harness.Patience) // it gave up twice
			p.Pass()
		}
		s.AwaitTransactions(50)
		goesOn(s, d)
	})
	if n := p.Accepted() - before; n > 200 {
		t.Errorf("%d connections during two faults: a storm", n)
	}
	end()
}

// P04 idle and a busy neighbour: the server writes much, none of it ours, and
// must not keep it for us. The position that we acknowledge while idle was
// committed before, so a kill in between is no gap.
func TestIdleBesideBusyNeighbour(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t, pgtest.Options{Initdb: []string{"--wal-segsize=1"}, Settings: map[string]string{
		"min_wal_size": "2MB", "max_wal_size": "16MB",
	}})
	s := open(t, pg, harness.Options{})
	pgtest.Database(t, pg, "neighbour")
	d := s.Run()
	d.AwaitStatus("the stream", harness.Streaming(1))
	s.SQL("neighbour", "CREATE TABLE busy (id int, text text)")
	for range 6 {
		s.SQL("neighbour", "INSERT INTO busy SELECT g, repeat('x', 500) FROM generate_series(1, 15000) g")
		goesOn(s, d)
		d.Kill()
		d = s.Run()
		d.AwaitStatus("the stream", harness.Streaming(0))
	}
	goesOn(s, d)
	const mostRetained = 32 << 20
	timeout := time.After(harness.Patience)
	for {
		s.SQL("neighbour", "CHECKPOINT")
		kept := scene.Ask[int64](s, "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots WHERE database = current_database()")
		if kept < mostRetained/4 {
			break
		}
		select {
		case <-timeout:
			t.Fatalf("the server keeps %d MiB for an idle source", kept>>20)
		case <-time.After(20 * time.Millisecond): // the period of asking
		}
	}
	if wrote := scene.Ask[int64](s, "SELECT (pg_current_wal_lsn() - '0/0')::bigint"); wrote < mostRetained {
		t.Fatalf("the neighbour wrote only %d MiB", wrote>>20)
	}
	stop := s.Traffic()
	s.AwaitTransactions(20)
	stop()
	s.MustEnd(d)
}

// A TRUNCATE waits for a snapshot that reads the table, and whoever reads the
// table next waits for the TRUNCATE: P09 P19. If that is a worker of the same
// snapshot, nobody ever goes on, and the server does not see it.
func TestTruncateDuringSnapshot(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{Postgres: "snapshot: {workers: 2, max_rate: 200KiB/s}"})
	d := s.Run()
	d.AwaitStatus("the snapshot", harness.Copying(50))
	s.SQL(s.Database, "SET lock_timeout = '170s'; TRUNCATE scratch")
	d.AwaitStatus("the stream", harness.Streaming(0))
	d.Terminate()
	s.CatchUp()
	var problems check.Problems
	if _, err := check.Tables(s.World, &problems, "scratch", "accounts", "bulk"); err != nil {
		t.Fatal(err)
	}
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
}
