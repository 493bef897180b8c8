package mysql

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// A statement that the server is still at ends with its context, at once and from
// another goroutine; the race detector sees that they share nothing.
func TestAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	s := d.session()
	ctx, giveUp := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := s.query(ctx, "SELECT SLEEP(600) AS "+d.name)
		ended <- err
	}()
	asks := fmt.Sprintf("SELECT count(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(600) AS %s'", d.name)
	for d.get(asks) != "1" {
		if len(ended) > 0 {
			t.Fatal(<-ended)
		}
	}
	giveUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v; want that the context was", err)
	}
}
