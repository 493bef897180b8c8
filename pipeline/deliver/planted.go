//go:build planted

package deliver

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// This file makes wrong binaries on purpose, as its namesake in pipeline does:
// EVERT_PLANT names the wrong order of the steps of a commit.
//
//	place-before-rows    a target keeps its place, then writes the rows before it
//
// Between the two swapped steps it says so and dwells, so that a kill can fall
// there.

// plant swaps steps of c.
func plant(c *Config) {
	if os.Getenv("EVERT_PLANT") != "place-before-rows" {
		return
	}
	target := c.Target
	c.Target = func() (Target, error) {
		t, err := target()
		return &earlyPlace{Target: t}, err
	}
}

// earlyPlace holds the rows back until their place is kept.
type earlyPlace struct {
	Target
	held []pipeline.Batch
}

func (e *earlyPlace) Write(_ context.Context, b pipeline.Batch) error {
	own := b
	own.Changes = nil
	for i := range b.Changes {
		own.Changes = append(own.Changes, *clone(&b.Changes[i]))
	}
	e.held = append(e.held, own)
	return nil
}

func (e *earlyPlace) Commit(ctx context.Context, at pipeline.Resume) error {
	rows := 0
	for _, b := range e.held {
		rows += len(b.Changes)
	}
	if rows == 0 {
		return e.late(ctx, at)
	}
	if err := e.Target.Commit(ctx, at); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "planted: between the swapped steps")
	time.Sleep(dwell)
	return e.late(ctx, at)
}

// late writes what was held back.
func (e *earlyPlace) late(ctx context.Context, at pipeline.Resume) error {
	for _, b := range e.held {
		if err := e.Target.Write(ctx, b); err != nil {
			return err
		}
	}
	e.held = nil
	return e.Target.Commit(ctx, at)
}

// dwell is how long a kill has to fall between the steps.
const dwell = 2 * time.Second
