//go:build unix

package faults

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// The log blocks for longer than the server's patience while a large transaction
// is under way: P31 wal_sender_timeout while the sink is slow, P26 bounded
// memory. The connection has to live on: one that ended would be sent the same
// transaction again, for ever. O12: the daemon has to say that it does not get
// on.
func TestBlockedLog(t *testing.T) {
	t.Parallel()
	cluster := suite.StartKafka(t)
	s := open(t, impatient(t), harness.Options{Brokers: []string{cluster.Address}})
	d := s.Run()
	d.AwaitStatus("the stream", harness.Streaming(1))
	stop := s.Traffic()
	s.AwaitTransactions(50)
	streaming, changes := sender(s), uint64(0)
	during(t, d, func() {
		cluster.Signal(syscall.SIGSTOP)
		if err := s.Workload.Bulk(t.Context(), 20_000); err != nil {
			t.Fatal(err)
		}
		for end := time.After(lasting(3 * senderTimeout)); ; {
			select {
			case <-end:
			case <-time.After(100 * time.Millisecond): // the period of looking
				if now := sender(s); now != 0 && now != streaming {
					streaming, changes = now, changes+1
				}
				continue
			}
			break
		}
		cluster.Signal(syscall.SIGCONT)
		goesOn(s, d)
	})
	// A cluster that is silent for long may have given the source to somebody
	// else, which is one new start; the server must not have ended anything.
	st, err := d.Status()
	if err != nil || st.Restarts > 2 || changes > st.Restarts {
		t.Errorf("P31: %d restarts of the source, %d new walsenders while the log was blocked, %v", st.Restarts, changes, err)
	}
	if harness.Contains(s.Postgres.LogPath(), "due to replication timeout") {
		t.Error("P31: the server ended the stream because it heard nothing")
	}
	checkMemory(t, d)
	stop()
	s.MustEnd(d)
}

// K01 the cluster goes away and comes back: its clients wait, and nothing is lost.
func TestKafkaRestarts(t *testing.T) {
	t.Parallel()
	cluster := suite.StartKafka(t)
	s := open(t, pgtest.Start(t, pgtest.Options{}), harness.Options{Brokers: []string{cluster.Address}})
	stop := s.Traffic()
	d := s.Run()
	d.AwaitStatus("the stream", harness.Flowing(5))
	during(t, d, func() {
		cluster.Restart(t)
		s.AwaitTransactions(50)
		goesOn(s, d)
	})
	checkMemory(t, d)
	stop()
	s.MustEnd(d)
}

// O04 a second daemon of the same deployment, with a data directory of its own,
// stands by on Kafka; when the first is killed, it takes over. One that was
// paused meanwhile writes nothing more when it wakes (K05, O03).
func TestStandBy(t *testing.T) {
	t.Parallel()
	cluster := suite.StartKafka(t)
	s := open(t, impatient(t), harness.Options{Brokers: []string{cluster.Address}})
	s.Workload.Pace = 50 * time.Millisecond // the fault lasts for as long as a session
	stop := s.Traffic()
	first := s.Run()
	first.AwaitStatus("the stream", harness.Flowing(5))
	s.Options.DataDir = filepath.Join(s.Dir, "second")
	second := s.Run()
	second.AwaitStatus("standing by", func(st harness.Status) bool { return st.State == "standby" })
	first.Pause()
	// A walsender that waits for a full socket never looks at wal_sender_timeout:
	// this is the mend that the second daemon prints.
	s.SQL(s.Database, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database() AND active")
	second.AwaitStatus("taking over", harness.Flowing(5))
	first.Continue()
	s.AwaitTransactions(50)
	eitherGoesOn(s, first, second)
	first.Kill()
	second.AwaitStatus("being the only one", harness.Flowing(1))
	goesOn(s, second)
	stop()
	s.MustEnd(second)
}

// eitherGoesOn waits until one of two daemons has everything that is committed
// now: whichever it is that captures.
func eitherGoesOn(s *scene.Scene, daemons ...*harness.Daemon) {
	s.Helper()
	done := caughtUp(scene.Ask[string](s, "SELECT pg_current_wal_insert_lsn()::text"))
	timeout := time.After(harness.Patience)
	for {
		for _, d := range daemons {
			if st, err := d.Status(); err == nil && done(st) {
				return
			}
		}
		select {
		case <-timeout:
			s.Fatalf("neither daemon goes on:\n%s\n%s", daemons[0].Last(10), daemons[1].Last(10))
		case <-time.After(20 * time.Millisecond): // the period of asking
		}
	}
}
