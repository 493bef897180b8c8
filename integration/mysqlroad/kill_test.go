//go:build unix

package mysqlroad

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// killsPerLedger is how often one deployment is killed: enough for a snapshot and the
// stream behind it.
const killsPerLedger = 5

// A ledger under traffic whose daemon is killed at random moments of the snapshot, the
// stream and a large transaction. Nothing is lost, nothing is there twice, and
// transactions are whole at every cut: M13 M17 M18 M23 O02.
//
// EVERT_CRASH_RUNS is the number of kills, EVERT_SEED replays a run's choices.
func TestKillEmbedded(t *testing.T) {
	t.Parallel()
	kills := harness.Number(t, "EVERT_CRASH_RUNS", 3)
	killLedgers(t, (kills+1)/2, "kill_embedded", nil)
}

func TestKillKafka(t *testing.T) {
	t.Parallel()
	kills := harness.Number(t, "EVERT_CRASH_RUNS", 3)
	killLedgers(t, kills/2, "kill_kafka", []string{suite.StartKafka(t).Address})
}

func killLedgers(t *testing.T, kills int, name string, brokers []string) {
	server := maria.Server(t)
	for n := 0; kills > 0; n++ {
		here := min(kills, killsPerLedger)
		kills -= here
		k := newKilled(t, server, fmt.Sprintf("%s_%d", name, n), brokers, uint64(n))
		k.round(here)
	}
}

// A killed is a ledger whose daemon is killed over and over.
type killed struct {
	*ledger
	random  *rand.Rand
	copied  bool
	chunks  bool // tables are copied while they are streamed
	moments []string
	larges  int64
}

func newKilled(t *testing.T, server *mysqlserver.Server, database string, brokers []string, n uint64) *killed {
	t.Helper()
	c := newCapture(t, server, database)
	random := rand.New(rand.NewPCG(c.seed+n*1_000_003, 7))
	inChunks, accounts := random.IntN(2) == 0, 2000
	if inChunks {
		accounts = 30_000 // several
	}
	k := &killed{ledger: c.ledger(accounts), random: random, chunks: inChunks}
	k.brokers = brokers
	k.options = "    commit_interval: 10ms\n    idle_interval: 100ms\n    max_commit_rows: 300\n"
	k.more = "limits: {batch_rows: 200}\n"
	if inChunks {
		k.source = "      snapshot: {chunks_above: 1KiB, workers: 4}\n"
	}
	return k
}

func (k *killed) round(kills int) {
	k.Helper()
	stop := k.traffic()
	for n := range kills {
		k.kill(k.moment(n == kills-1))
	}
	stop()
	k.catchUp()
	k.Logf("killed at: %q (seed %d)", k.moments, k.seed)
	for _, table := range ledgerTables {
		k.equal(table)
	}
	if n := k.whole(); n == 0 {
		k.Errorf("no cut was sound (seed %d)", k.seed)
	} else {
		k.Logf("transactions are whole at %d cuts", n)
	}
}

// kill starts the daemon and kills it at an instant.
func (k *killed) kill(m instant) {
	k.Helper()
	d := k.run()
	if m.parts > 0 {
		k.await(d, "the stream", harness.Streaming(0))
		k.larges++
		k.large(k.larges, 1500)
	}
	state := "starting"
	if m.reached != nil {
		s := k.await(d, m.what, m.reached)
		_, are := s.Copies()
		state, k.copied = s.State, k.copied || s.State == "streaming" && !are
	}
	jitter := time.Duration(k.random.Int64N(int64(20 * time.Millisecond)))
	d.KillSoon(k, jitter)
	k.moments = append(k.moments, fmt.Sprintf("%s + %s, %s", m.what, jitter.Round(time.Millisecond), state))
}

// await asks the daemon until it is as wished.
func (k *killed) await(d *harness.Process, what string, wish func(harness.Status) bool) harness.Status {
	k.Helper()
	timeout := time.After(harness.Patience)
	for {
		s, err := harness.StatusOf(k.Context(), k.data())
		if err == nil && wish(s) {
			return s
		}
		select {
		case <-time.After(5 * time.Millisecond): // the period of asking
		case <-d.Exited():
			k.Fatalf("the daemon ended before %s; its last lines:\n%s", what, d.Last(12))
		case <-timeout:
			k.Fatalf("no sign of %s (seed %d); status %+v, %v; the last lines:\n%s", what, k.seed, s, err, d.Last(12))
		}
	}
}

// An instant is when to kill.
type instant struct {
	what    string
	parts   int // of a large transaction, written before
	reached func(harness.Status) bool
}

// moment chooses by seed: in the snapshot until one was completed, then in the stream; the
// last one always, for cuts to look at.
func (k *killed) moment(last bool) instant {
	n := k.random.IntN(10)
	switch {
	case last && n < 7:
	case n == 0:
		return instant{what: "at once"}
	case n < 7 && !k.copied && !last:
		rows := k.random.Int64N(int64(k.accounts))
		if k.chunks {
			return instant{what: fmt.Sprintf("%d rows of copies", rows), reached: harness.CopyingInChunks(rows)}
		}
		return instant{what: fmt.Sprintf("%d rows of the snapshot", rows), reached: harness.Copying(rows)}
	case n < 4 || last:
		parts := 1 + k.random.IntN(4)
		return instant{what: fmt.Sprintf("%d parts of a transaction", parts), parts: parts,
			reached: func(s harness.Status) bool { return s.Totals.Parts >= uint64(parts) }}
	}
	count := 1 + k.random.Uint64N(60)
	return instant{what: fmt.Sprintf("%d transactions of the stream", count), reached: harness.Flowing(count)}
}
