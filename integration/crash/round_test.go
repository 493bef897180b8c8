//go:build unix

package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var (
	suite harness.Suite
	kafka kafkatest.Shared // of the rounds, one after the other
	huge  kafkatest.Shared // of the large transaction: topics have the same names
	swept = kafkatest.Shared{Options: kafkaserver.Options{Config: kafkatest.EagerCleaner}}
)

func TestMain(m *testing.M) {
	code := suite.Main(m)
	os.Exit(max(code, kafka.Close(), huge.Close(), swept.Close()))
}

// postgres starts a server that streams transactions in progress early.
func postgres(t *testing.T) *pgserver.Server {
	t.Helper()
	return pgtest.Start(t, pgtest.Options{Settings: map[string]string{
		"logical_decoding_work_mem": "64kB", "max_replication_slots": "50", "max_wal_senders": "50", "max_connections": "120",
	}})
}

// A round is one database whose daemon is killed over and over.
type round struct {
	*scene.Scene
	rng     *rand.Rand
	rows    int64    // of the snapshot, about
	bulk    int64    // rows of a large transaction
	copied  bool     // a snapshot was completed
	moments []string // at which the daemon was killed
}

func newRound(t *testing.T, pg *pgserver.Server, seed uint64, o harness.Options) *round {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	rows := 3000 + rng.Int64N(30_000)
	r := &round{Scene: scene.New(t, &suite, pg, seed, rows, o), rng: rng, rows: rows, bulk: 1500}
	if len(o.Brokers) > 0 {
		r.Workload.Pace = 10 * time.Millisecond // a start waits until its predecessor is taken for dead
	}
	return r
}

// run is a whole round.
func (r *round) run(kills int) error {
	stop := r.Traffic()
	r.kills(kills)
	stop()
	r.Logf("killed at: %q", r.moments)
	return r.CatchUpAndCompare()
}

// kills kills the daemon so often, and now and then its broker, if there is one.
func (r *round) kills(n int) {
	r.Helper()
	for range n {
		if r.Options.Cluster != nil && r.rng.IntN(4) == 0 {
			r.killBroker()
		}
		r.kill()
	}
}

// killBroker kills the broker under a running daemon, and starts it again. The
// daemon has to go on by itself, and to find what it committed last: Apache Kafka
// 4.4 most often forgets to show that (K07).
func (r *round) killBroker() {
	r.Helper()
	d := r.Run()
	d.AwaitStatus("the stream", harness.Flowing(1+r.rng.Uint64N(5)))
	broker := r.Options.Cluster.Node(1)
	broker.Kill()
	with := ", and of the daemon"
	if r.rng.IntN(2) == 0 {
		with = ""
		r.goesOn(d, broker)
		d.Kill()
	} else {
		d.Kill()
		r.start(broker)
	}
	r.moments = append(r.moments, "a kill of the broker"+with)
	r.copied = true
}

func (r *round) start(broker *kafkaserver.Node) {
	if err := broker.Start(r.Context()); err != nil {
		r.Fatal(err)
	}
}

// goesOn starts the broker, and waits until the daemon commits again.
func (r *round) goesOn(d *harness.Daemon, broker *kafkaserver.Node) {
	r.Helper()
	before, err := d.Status()
	if err != nil {
		r.Fatal(err)
	}
	r.start(broker)
	d.AwaitStatus("going on", func(s harness.Status) bool { return s.Totals.Commits > before.Totals.Commits })
}

// kill starts the daemon and kills it at a random moment.
func (r *round) kill() { r.killAt(r.moment()) }

func (r *round) killAt(m moment) {
	d := r.Run()
	if m.bulk > 0 {
		d.AwaitStatus("the stream", harness.Streaming(0))
		if err := r.Workload.Bulk(r.Context(), m.bulk); err != nil {
			r.Fatal(err)
		}
	}
	state := "starting"
	if m.reached != nil {
		state = d.AwaitStatus(m.what, m.reached).State
		r.copied = r.copied || state == "streaming"
	}
	jitter := time.Duration(r.rng.Int64N(int64(20 * time.Millisecond)))
	d.KillSoon(r, jitter)
	r.moments = append(r.moments, fmt.Sprintf("%s + %s, %s", m.what, jitter.Round(time.Millisecond), state))
}

// A moment is when to kill.
type moment struct {
	what    string
	bulk    int64 // rows of a large transaction to write before
	reached func(harness.Status) bool
}

// moment chooses by seed: in the snapshot until one was completed, then in the
// stream.
func (r *round) moment() moment {
	n := r.rng.IntN(10)
	switch {
	case n == 0:
		return moment{what: "at once"}
	case n < 7 && !r.copied:
		rows := r.rng.Int64N(r.rows)
		return moment{what: fmt.Sprintf("%d rows of the snapshot", rows), reached: harness.Copying(rows)}
	case n < 4:
		return r.inside(r.bulk, 1+r.rng.IntN(4))
	}
	count := 1 + r.rng.Uint64N(60)
	return moment{what: fmt.Sprintf("%d transactions of the stream", count), reached: harness.Flowing(count)}
}

// inside is a moment behind so many parts of a transaction of so many rows.
func (r *round) inside(rows int64, parts int) moment {
	return moment{what: fmt.Sprintf("%d parts of a transaction", parts), bulk: rows,
		reached: func(s harness.Status) bool { return s.Totals.Parts >= uint64(parts) }}
}
