//go:build unix

package crash

import (
	"fmt"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

// killsPerRound is how often one database is killed: enough for a snapshot and
// the stream behind it.
const killsPerRound = 5

// TestKillEmbedded and TestKillKafka cover what a kill at any instruction may
// spoil: O02 P06 P07 P09 P10 P13 P14 P18 P19 P26 P27 P33.
func TestKillEmbedded(t *testing.T) {
	t.Parallel()
	kills := harness.Number(t, "EVERT_CRASH_RUNS", 6)
	killRounds(t, (kills+1)/2, harness.Options{})
}

func killRounds(t *testing.T, kills int, o harness.Options) {
	t.Helper()
	rounds(t, kills, o, (*round).run)
}

// rounds are as many as the kills take, each on a database of its own.
func rounds(t *testing.T, kills int, o harness.Options, run func(r *round, kills int) error) {
	t.Helper()
	seed := harness.Seed(t)
	pg := postgres(t)
	for n := uint64(0); kills > 0; n++ {
		here := min(kills, killsPerRound)
		kills -= here
		r := newRound(t, pg, seed+n*1_000_003, o)
		if err := run(r, here); err != nil {
			t.Fatalf("round %d, seed %d, after kills at %q: %v", n, seed, r.moments, err)
		}
		if len(o.Brokers) > 0 {
			r.Reset() // gives up the topics, which the next round calls the same
		}
	}
}

func TestKillKafka(t *testing.T) {
	t.Parallel()
	kills := harness.Number(t, "EVERT_CRASH_RUNS", 6)
	cluster := suite.StartKafka(t)
	killRounds(t, kills/2, harness.Options{Brokers: []string{cluster.Address}})
}

// On Apache Kafka, whose only broker is killed now and then as well, alone or
// together with the daemon: K01 K05 K07.
func TestKillApacheKafka(t *testing.T) {
	t.Parallel()
	kills := harness.Number(t, "EVERT_CRASH_RUNS", 6)
	o := harness.OnKafka(kafka.Cluster(t))
	killRounds(t, (kills+2)/3, o)
}

// TestKillHuge kills the daemon inside one large transaction, of two million
// rows in a full run: P26. Its parts are there once each, and no cut lies among
// them.
func TestKillHuge(t *testing.T) {
	t.Parallel()
	killHuge(t, harness.Options{})
}

func TestKillHugeApacheKafka(t *testing.T) {
	t.Parallel()
	killHuge(t, harness.OnKafka(huge.Cluster(t)))
}

// orBeyond accepts the end of the transaction behind seq too: what the kill before
// left of it may have fewer parts, or none.
func orBeyond(seq uint64, m moment) moment {
	inside := m.reached
	m.reached = func(s harness.Status) bool { return inside(s) || s.State == "streaming" && s.Seq > seq }
	return m
}

func killHuge(t *testing.T, o harness.Options) {
	rows, kills, partRows := int64(40_000), 2, 4000
	if harness.Full() {
		rows, kills, partRows = 2_000_000, 5, 50_000
	}
	o.Source = fmt.Sprintf("commit_interval: 10ms\nidle_interval: 100ms\nmax_commit_rows: %d", partRows)
	r := newRound(t, postgres(t), harness.Seed(t), o)
	d := r.Run()
	before := d.AwaitStatus("the stream", harness.Streaming(0)).Seq
	d.Terminate()
	if err := r.Workload.Bulk(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	for range kills {
		most := int(rows) / partRows / kills
		r.killAt(orBeyond(before, r.inside(0, 1+r.rng.IntN(most-1))))
	}
	if err := r.CatchUpAndCompare(); err != nil {
		t.Fatalf("after kills at %q: %v", r.moments, err)
	}
	t.Logf("killed at: %q", r.moments)
}
