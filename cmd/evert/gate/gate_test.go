package gate

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/pipeline"
)

// scriptedSource gives batches that a test puts in, and no more.
type scriptedSource struct {
	databases.Source
	batches chan pipeline.Batch
}

func (s *scriptedSource) Next(ctx context.Context) (pipeline.Batch, error) {
	select {
	case b := <-s.batches:
		return b, nil
	case <-ctx.Done():
		return pipeline.Batch{}, context.Cause(ctx)
	}
}

func resumeAt(place int) *pipeline.Resume {
	return &pipeline.Resume{At: pipeline.Position{Seq: uint64(place), Native: strconv.Itoa(place)}}
}

// transaction is a batch of one that commits at a place and ends behind it.
func transaction(place int) pipeline.Batch {
	return pipeline.Batch{Changes: []pipeline.Change{{Tx: &pipeline.Tx{Commit: uint64(place)}}}, End: resumeAt(place + 1)}
}

func idle(place int) pipeline.Batch { return pipeline.Batch{End: resumeAt(place)} }

// number is the prefix of what commits before it.
type number uint64

func (n number) Holds(tx *pipeline.Tx) (bool, error) { return tx.Commit < uint64(n), nil }

func (n number) Passed(native string) (bool, error) {
	at, err := strconv.ParseUint(native, 10, 64)
	return at >= uint64(n), err
}

func TestGate(t *testing.T) {
	type passing struct {
		g     *Gate
		in    chan pipeline.Batch
		last  int // the native position that passed last
		count int
		stop  func()
	}
	// start lets a stage run that commits what it gets at once.
	start := func(t *testing.T) *passing {
		p := &passing{g: New(), in: make(chan pipeline.Batch, 20)}
		p.g.Begin(*resumeAt(1))
		src := &gated{Source: &scriptedSource{batches: p.in}, gate: p.g}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			for {
				b, err := src.Next(ctx)
				if err != nil {
					ended <- err
					return
				}
				p.count++
				if b.End != nil && b.End.Whole() {
					p.last, _ = strconv.Atoi(b.End.At.Native)
					p.g.Committed(*b.End)
				}
			}
		}()
		p.stop = sync.OnceFunc(func() {
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		t.Cleanup(p.stop)
		return p
	}
	for _, c := range []struct {
		story   string
		before  []pipeline.Batch // in the source when the gate is held
		after   []pipeline.Batch // once the place, 100, is known
		reached string           // the cut; empty: not yet
		passed  int              // of all batches
	}{
		{"a transaction behind the place waits", nil, []pipeline.Batch{transaction(40), transaction(99), transaction(100), transaction(101)}, "100", 2},
		{"an idle position behind the place says that nothing is left", nil, []pipeline.Batch{transaction(40), idle(120), transaction(130)}, "120", 2},
		{"an idle position at the place does as well", nil, []pipeline.Batch{idle(100), idle(110)}, "100", 1},
		{"one before it does not", nil, []pipeline.Batch{idle(99)}, "", 1},
		{"nothing passes before the place is known", []pipeline.Batch{transaction(40), transaction(50)}, []pipeline.Batch{transaction(200)}, "51", 2},
		{"nothing came at all", nil, []pipeline.Batch{transaction(200)}, "1", 0},
		{"a part of a transaction is no cut", nil, []pipeline.Batch{{Changes: transaction(60).Changes, End: &pipeline.Resume{At: resumeAt(1).At, Rows: 5}}}, "", 1},
		{"its rest makes one", nil, []pipeline.Batch{{Changes: transaction(60).Changes, End: &pipeline.Resume{At: resumeAt(1).At, Rows: 5}}, transaction(60), transaction(130)}, "61", 2},
		{"a part behind the place waits", nil, []pipeline.Batch{transaction(60), {Changes: transaction(130).Changes, End: &pipeline.Resume{At: resumeAt(61).At, Rows: 5}}}, "61", 1},
		{"shapes are announced", nil, []pipeline.Batch{{}, transaction(60), transaction(130)}, "61", 2},
	} {
		t.Run(c.story, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t)
				if !p.g.Hold() || p.g.Hold() {
					t.Fatal("the gate is held twice")
				}
				for _, b := range c.before {
					p.in <- b
				}
				if synctest.Wait(); p.count != 0 {
					t.Fatalf("%d batches passed", p.count)
				}
				p.g.Until(number(100))
				for _, b := range c.after {
					p.in <- b
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				at, err := p.g.Reached(ctx)
				if (err == nil) != (c.reached != "") || err == nil && at.Native != c.reached {
					t.Errorf("reached %q, %v", at.Native, err)
				}
				if synctest.Wait(); p.count != c.passed && c.story != "shapes are announced" {
					t.Errorf("%d batches passed", p.count)
				}
				p.g.Release()
				if synctest.Wait(); p.count != len(c.before)+len(c.after) {
					t.Errorf("%d batches passed in the end", p.count)
				}
			})
		})
	}
	t.Run("all that lies before the place has passed already, and nothing more comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := start(t)
			p.in <- transaction(99)
			synctest.Wait()
			p.g.Hold()
			p.g.Until(number(100))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if at, err := p.g.Reached(ctx); err != nil || at.Native != "100" {
				t.Errorf("reached %q, %v", at.Native, err)
			}
			p.g.Release()
		})
	})
	t.Run("the stage fails and begins again meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := start(t)
			p.g.Hold()
			p.g.Until(number(100))
			p.in <- transaction(40)
			p.in <- transaction(120)
			synctest.Wait()
			p.stop()
			p.g.Begin(*resumeAt(1)) // 40 was not committed
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := p.g.Reached(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it says that it is there: %v", err)
			}
			p.g.Release()
		})
	})
	t.Run("a batch on both sides fails the comparison, and not capture", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := start(t)
			p.g.Hold()
			p.g.Until(number(100))
			p.in <- pipeline.Batch{Changes: append(transaction(40).Changes, transaction(120).Changes...), End: resumeAt(121)}
			if _, err := p.g.Reached(t.Context()); err == nil {
				t.Error("a cut where none is")
			}
			if synctest.Wait(); p.count != 1 {
				t.Errorf("%d batches passed", p.count)
			}
			p.g.Release()
		})
	})
}
