//go:build unix

package crash

import (
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
	seed := harness.Seed(t)
	pg := postgres(t)
	for n := uint64(0); kills > 0; n++ {
		here := min(kills, killsPerRound)
		kills -= here
		r := newRound(t, pg, seed+n*1_000_003, o)
		if err := r.run(here); err != nil {
			t.Fatalf("round %d, seed %d, after kills at %q: %v", n, seed, r.moments, err)
		}
	}
}

func TestKillKafka(t *testing.T) {
	t.Parallel()
	kills := harness.Number(t, "EVERT_CRASH_RUNS", 6)
	cluster := suite.StartKafka(t)
	killRounds(t, kills/2, harness.Options{Brokers: []string{cluster.Address}})
}
