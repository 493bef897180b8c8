package postgres

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// P10 a sink may take as long as it likes to commit the intent to make a slot: a slot
// that was made without would after a crash be nobody's, and need a person.
func TestNoSlotBeforeItsIntentIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		ctx, cancel := context.WithCancel(t.Context())
		waited := make(chan error, 1)
		go func() { waited <- s.awaitPlan(ctx) }()
		time.Sleep(24 * time.Hour) // of the bubble's clock
		synctest.Wait()
		if len(waited) > 0 {
			t.Fatalf("it went on (%v) without", <-waited)
		}
		if err := s.Ack(t.Context(), pipeline.Position{}); err != nil {
			t.Fatal(err)
		}
		if err := <-waited; err != nil {
			t.Errorf("with the intent committed: %v", err)
		}
		cancel()
		given := New(Config{})
		if err := given.awaitPlan(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a source that ends meanwhile: %v", err)
		}
	})
}
