package supervise

import (
	"context"
	"errors"
	"testing"
	"time"
)

// world is a clock that moves only when somebody sleeps or works.
type world struct {
	now   time.Time
	waits []time.Duration
}

func (w *world) sleep(ctx context.Context, d time.Duration) error {
	w.waits = append(w.waits, d)
	w.now = w.now.Add(d)
	return ctx.Err()
}

func (w *world) component(run func(attempt int) error) (*Component, context.Context) {
	ctx, cancel := context.WithCancel(context.Background())
	attempt := 0
	return &Component{
		Run: func(context.Context) error {
			attempt++
			if attempt > 12 {
				cancel()
			}
			return run(attempt)
		},
		Backoff: Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second, Rand: func() float64 { return 1 }},
		Now:     func() time.Time { return w.now },
		Sleep:   w.sleep,
	}, ctx
}

var errDown = errors.New("down")

func TestO13RetriesBackOff(t *testing.T) {
	t.Run("O13 doubling up to the longest", func(t *testing.T) {
		w := &world{}
		c, ctx := w.component(func(int) error { return errDown })
		if err := c.Supervise(ctx); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000, 10000, 10000}
		for i := range want {
			if w.waits[i] != want[i]*time.Millisecond {
				t.Fatalf("waits %v, want %v ms", w.waits, want)
			}
		}
	})
	t.Run("O13 jitter stays within half of the bound", func(t *testing.T) {
		b := Backoff{Min: time.Second, Max: time.Minute}
		for range 1000 {
			b.Reset()
			if d := b.Next(); d < 500*time.Millisecond || d > time.Second {
				t.Fatalf("first pause %v outside of 0.5 s to 1 s", d)
			}
		}
	})
	t.Run("O13 a settled run begins anew", func(t *testing.T) {
		w := &world{}
		c, ctx := w.component(func(attempt int) error {
			if attempt == 5 {
				w.now = w.now.Add(time.Hour)
			}
			return errDown
		})
		_ = c.Supervise(ctx)
		if w.waits[4] != c.Backoff.Min {
			t.Fatalf("waited %v after an hour of work, want %v", w.waits[4], c.Backoff.Min)
		}
	})
	t.Run("O13 K23 a run that only waited for what failed does not begin anew", func(t *testing.T) {
		w := &world{}
		c, ctx := w.component(func(int) error {
			w.now = w.now.Add(time.Minute) // a request that nobody answers, and ten minutes of outage
			return errDown
		})
		achieved := 0
		c.Progressed = func() bool { achieved++; return achieved == 6 }
		_ = c.Supervise(ctx)
		want := []time.Duration{100, 200, 400, 800, 1600, 100, 200, 400, 800, 1600, 3200, 6400}
		for i := range want {
			if w.waits[i] != want[i]*time.Millisecond {
				t.Fatalf("waits %v, want %v ms", w.waits, want)
			}
		}
	})
	t.Run("O13 what needs a person is tried slowly", func(t *testing.T) {
		w := &world{}
		c, ctx := w.component(func(int) error { return errDown })
		c.Person = func(err error) bool { return errors.Is(err, errDown) }
		_ = c.Supervise(ctx)
		if w.waits[0] != c.Backoff.Max {
			t.Fatalf("first wait %v, want %v", w.waits[0], c.Backoff.Max)
		}
	})
}

func TestSuperviseEnds(t *testing.T) {
	w := &world{}
	done, ctx := w.component(func(attempt int) error {
		if attempt == 3 {
			return nil
		}
		return errDown
	})
	if err := done.Supervise(ctx); err != nil || len(w.waits) != 2 {
		t.Fatalf("done after three runs: %v, %d waits", err, len(w.waits))
	}
	fast, ctx := w.component(func(int) error { return errDown })
	fast.FailFast = true
	if err := fast.Supervise(ctx); !errors.Is(err, errDown) {
		t.Fatalf("fail fast gave %v", err)
	}
}
