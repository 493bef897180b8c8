package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/sinks/sinktest"
)

var runs = intaketest.NewRuns(100)

// TestCrashRuns carries random histories of a source through a sink that crashes
// between and inside all its steps, while the topic is compacted, truncated, made
// anew and copied again, in one partition or three, into a target that is atomic
// or not. At each whole place, and in the end, the system holds what the database
// held there; while it is filled anew readers see what they saw (I1, I2, I3, I4,
// I10). The ids: R16 replays and rebuilds, S03 what is written again, S07 a sink
// that comes back late.
func TestCrashRuns(t *testing.T) {
	runs.Each(10, func(seed uint64) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { crashRun(t, seed) })
	})
}

func crashRun(t *testing.T, seed uint64) {
	w := newWorld(t)
	r := &crashing{world: w, rng: rand.New(rand.NewPCG(seed, 11))}
	w.source.Spread(1 + 2*r.rng.IntN(2))
	w.config.Atomic = r.rng.IntN(2) == 0
	w.config.Limits.Rows = 1 + r.rng.IntN(4)
	w.config.Log = &faultyLog{w.log, r.Edge}
	w.config.Target = func() (deliver.Target, error) { return &faultyTarget{Target: w.system.New(t), r: r}, r.Edge("make") }
	w.source.Begin()
	defer func() {
		if t.Failed() {
			t.Logf("%s\nreplay: go test ./pipeline/deliver -run TestCrashRuns -seed %d", w.said.Take(), seed)
		}
	}()
	for range 4 + r.rng.IntN(8) {
		for range 1 + r.rng.IntN(3) {
			r.happen()
		}
		r.live()
	}
	r.Arm(0)
	w.start()
	w.check()
	w.stop()
}

// crashing is a world in which the sink crashes.
type crashing struct {
	*world
	intaketest.Crash
	rng *rand.Rand

	mu   sync.Mutex
	seen rows
}

// live is one life of the sink: until it has caught up, or crashes.
func (r *crashing) live() {
	r.t.Helper()
	r.Arm(1 + r.rng.IntN(40))
	r.start()
	for {
		moved := r.delivery.Moved()
		if s := r.delivery.Status(); r.isAt(s.At) {
			r.Arm(0)
			r.stop()
			return
		}
		select {
		case <-moved:
			continue
		case err := <-r.done:
			if !errors.Is(err, intaketest.ErrCrash) && pipeline.CodeOf(err) != deliver.CodeRenewals {
				r.t.Fatalf("the sink ended with %v", err)
			}
			r.Arm(0)
			r.close()
			return
		}
	}
}

func (r *crashing) isAt(at pipeline.Position) bool {
	return at.Native == r.source.Native()
}

// happen does to the source and its topic what happens.
func (r *crashing) happen() {
	switch r.rng.IntN(20) {
	case 0:
		r.said.Tell("the source is reset")
		r.reset()
	case 1:
		r.said.Tell("the source and its topic are reset")
		r.reset(itemsTopic)
	case 2, 3:
		r.said.Tell("compacted")
		if err := r.log.Admin().Compact(context.Background(), itemsTopic); err != nil {
			r.t.Fatal(err)
		}
	case 4:
		r.parts()
	case 5:
		r.source.Commit()
	case 6, 7:
		r.recopy()
	default:
		r.source.Commit(r.changes()...)
	}
}

// recopy has the table copied again, which may have stopped before, while its source
// commits (O15).
func (r *crashing) recopy() {
	r.said.Tell("copied again")
	if r.rng.IntN(2) == 0 {
		r.source.GiveUp(sinktest.Items)
		r.source.Commit(r.changes()...)
	}
	for c := r.source.Copy(sinktest.Items, fmt.Sprint("copy ", r.source.Seq)); ; {
		if r.rng.IntN(2) == 0 {
			r.source.Commit(r.changes()...)
		}
		if !c.Chunk(1 + r.rng.IntN(3)) {
			c.Done()
			return
		}
	}
}

// parts is a transaction that goes in several commits.
func (r *crashing) parts() {
	var all []pipeline.Change
	for range 1 + r.rng.IntN(3) {
		some := r.changes()
		r.source.Write(uint32(len(all)), some...)
		all = append(all, some...)
		r.source.Part(len(all))
	}
	r.source.End(all...)
}

func (r *crashing) changes() (all []pipeline.Change) {
	for range r.rng.IntN(6) {
		id := r.rng.IntN(6)
		switch r.rng.IntN(24) {
		case 0:
			all = append(all, truncate())
		case 1, 2, 3, 4, 5, 6, 7:
			all = append(all, remove(id))
		case 8:
			all = append(all, null(id))
		default:
			all = append(all, put(id, fmt.Sprint("v", r.rng.IntN(9))))
		}
	}
	return all
}

// kept checks what readers see behind a commit.
func (r *crashing) kept(at pipeline.Resume) error {
	seen := rows(r.system.Rows(r.t))
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.seen = seen }()
	switch {
	case at.Whole():
		if want := items(r.source.Past(at.At.Native)); !maps.Equal(seen, want) {
			return fmt.Errorf("at %s readers see %v, want %v", at.At, seen, want)
		}
	case at.At.IsZero() && r.seen != nil && !maps.Equal(seen, r.seen):
		return fmt.Errorf("while it is filled readers see %v, and saw %v", seen, r.seen)
	case r.config.Atomic && at.Rows > 0:
		return fmt.Errorf("an atomic target is asked to commit inside a step")
	}
	return nil
}

// faultyTarget fails before or after its effects, and has what it commits checked.
type faultyTarget struct {
	deliver.Target
	r *crashing
}

func (f *faultyTarget) Open(ctx context.Context) (at pipeline.Resume, err error) {
	err = f.r.Around("open", func() error { at, err = f.Target.Open(ctx); return err })
	return at, err
}

func (f *faultyTarget) Write(ctx context.Context, b pipeline.Batch) error {
	return f.r.Around("write", func() error { return f.Target.Write(ctx, b) })
}

func (f *faultyTarget) Commit(ctx context.Context, at pipeline.Resume) error {
	return f.r.Around("commit", func() error {
		if err := f.Target.Commit(ctx, at); err != nil {
			return err
		}
		return f.r.kept(at)
	})
}

func (f *faultyTarget) Renew(ctx context.Context) error {
	return f.r.Around("renew", func() error { return f.Target.Renew(ctx) })
}

// faultyLog fails the reading of rows.
type faultyLog struct {
	log.Log
	edge func(string) error
}

func (f *faultyLog) Reader(ctx context.Context) (log.Reader, error) {
	r, err := f.Log.Reader(ctx)
	return &faultyReader{Reader: r, f: f}, err
}

type faultyReader struct {
	log.Reader
	f    *faultyLog
	rows bool
}

func (r *faultyReader) Assign(from log.Offsets) error {
	for tp := range from {
		r.rows = r.rows || tp.Topic == itemsTopic
	}
	return r.Reader.Assign(from)
}

func (r *faultyReader) Next(ctx context.Context, max int) (log.Fetch, error) {
	if r.rows {
		max = 3
		if err := r.f.edge("read"); err != nil {
			return log.Fetch{}, err
		}
	}
	return r.Reader.Next(ctx, max)
}
