package pipeline_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
)

var seedFlag = flag.Uint64("seed", 0, "run the fault runs of this seed only")

// TestFaultRuns carries thousands of small histories through a stage whose every
// call may fail before or after its effect. The stage is made anew until the
// history is through; then every row must be there once, in order, and every
// frontier between transactions. (I1, I2, I3, I10; P06 acked before durable,
// O02 crash anywhere.)
func TestFaultRuns(t *testing.T) {
	for _, seed := range seeds(6000) {
		if err := runWorld(seed, none); err != nil {
			t.Fatalf("%v\nreplay: go test ./pipeline -run TestFaultRuns -seed %d", err, seed)
		}
	}
}

// TestPlantedOrders proves that the runs see: each wrong order of commit is
// caught.
func TestPlantedOrders(t *testing.T) {
	for _, p := range plants {
		t.Run(string(p), func(t *testing.T) {
			for _, seed := range seeds(2000) {
				if err := runWorld(seed, p); err != nil {
					t.Logf("caught at seed %d: %v", seed, err)
					return
				}
			}
			t.Fatalf("not caught in 2000 runs")
		})
	}
}

func seeds(n int) []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	all := make([]uint64, n)
	for i := range all {
		all[i] = uint64(i + 1)
	}
	return all
}

// runWorld makes stages until the history is through, and checks what is stored.
func runWorld(seed uint64, p plant) error {
	w := newWorld(seed, p)
	for range 2000 {
		src := &source{w: w}
		stage := pipeline.Stage{Source: src, Sink: &sink{w: w, src: src}, Limits: limits(w), Now: ticking()}
		err := stage.Run(context.Background())
		var loss lossError
		if errors.As(err, &loss) {
			return loss
		}
		if err == nil {
			return w.check()
		}
		if !errors.Is(err, errFault) {
			return fmt.Errorf("unexpected: %w", err)
		}
	}
	return errors.New("not through after 2000 stages")
}

// limits are small, so that transactions go in parts.
func limits(w *world) pipeline.Limits {
	return pipeline.Limits{
		Interval: time.Duration(w.rng.IntN(5)) * time.Millisecond, Quiet: time.Duration(w.rng.IntN(3)) * time.Millisecond,
		Copying: time.Duration(w.rng.IntN(9)) * time.Millisecond,
		Rows:    1 + w.rng.IntN(8), Bytes: 1 << 20, Timeout: time.Hour, Drain: time.Second,
	}
}

// ticking is a clock that moves a millisecond at each look.
func ticking() func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time { now = now.Add(time.Millisecond); return now }
}

// check compares the store with the history.
func (w *world) check() error {
	var want []row
	ends := map[int]bool{0: true}
	for _, t := range w.txs {
		for n := range t.rows {
			want = append(want, row{t.seq, n})
		}
		ends[len(want)] = true
	}
	for i := range max(len(want), len(w.stored)) {
		if i >= len(w.stored) || i >= len(want) || want[i] != w.stored[i] {
			return lossError(fmt.Sprintf("row %d of %d stored is not row %d of %d committed upstream", i, len(w.stored), i, len(want)))
		}
	}
	for _, cut := range w.cuts {
		if !ends[cut] {
			return lossError(fmt.Sprintf("a frontier lies at row %d, inside a transaction", cut))
		}
	}
	return nil
}
