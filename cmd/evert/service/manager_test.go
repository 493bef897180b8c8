package service

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// The watchdog is fed while the daemon lives, and only then.
func TestKeep(t *testing.T) {
	told := make(chan string)
	m := &Manager{Watchdog: 2 * time.Millisecond, Notify: func(state string) error { told <- state; return nil }}
	ctx, cancel := context.WithCancel(t.Context())
	dead := errors.New("the prober stands still")
	lives := []error{nil, dead, nil}
	alive := func() error {
		if len(lives) == 0 {
			cancel()
			return dead
		}
		err := lives[0]
		lives = lives[1:]
		return err
	}
	go func() {
		m.Keep(ctx, alive, func() string { return "all\nwell" })
		close(told)
	}()
	var got []string
	for state := range told {
		got = append(got, state)
	}
	want := []string{"STATUS=all well", "WATCHDOG=1", "STATUS=does not live: the prober stands still", "STATUS=all well", "WATCHDOG=1",
		"STATUS=does not live: the prober stands still"}
	if !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
	m = &Manager{}
	m.Ready() // nobody is there
	m.Stopping()
}
