//go:build planted

package pipeline

import (
	"context"
	"fmt"
	"os"
	"time"
)

// This file makes wrong binaries on purpose. A harness that looks for lost and
// repeated rows has to find them here, or its silence means nothing. EVERT_PLANT
// names the wrong order; without it, a planted binary is a right one.
//
//	ack-before-commit            the source is told first, the sink commits later
//	ack-when-read                the source is told as soon as a batch was read
//	frontier-inside-transaction  a part of a transaction is committed as a cut
//
// Between the two swapped steps it says so, and what the source was told, and
// dwells, so that a kill can fall there.

// plant swaps steps of s.
func plant(s *Stage) {
	switch os.Getenv("EVERT_PLANT") {
	case "ack-before-commit":
		s.Sink = &ackFirst{Sink: s.Sink, source: s.Source}
	case "ack-when-read":
		s.Source = &ackRead{Source: s.Source}
	case "frontier-inside-transaction":
		s.Sink = &cutInside{Sink: s.Sink}
	}
}

func dwell(ctx context.Context, at Position) {
	fmt.Fprintln(os.Stderr, "planted: between the swapped steps at", at.Native)
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
	}
}

type ackFirst struct {
	Sink
	source Source
	rows   bool // written and not committed
}

func (a *ackFirst) Write(ctx context.Context, b Batch) error {
	a.rows = a.rows || len(b.Changes) > 0
	return a.Sink.Write(ctx, b)
}

func (a *ackFirst) Commit(ctx context.Context, at Resume) error {
	if err := a.source.Ack(ctx, at.At); err != nil {
		return err
	}
	if at.Whole() && a.rows {
		dwell(ctx, at.At)
	}
	a.rows = false
	return a.Sink.Commit(ctx, at)
}

type ackRead struct{ Source }

func (a *ackRead) Next(ctx context.Context) (Batch, error) {
	b, err := a.Source.Next(ctx)
	if err == nil && b.End != nil && b.End.Whole() && len(b.Changes) > 0 {
		err = a.Source.Ack(ctx, b.End.At)
		dwell(ctx, b.End.At)
	}
	return b, err
}

type cutInside struct{ Sink }

func (c *cutInside) Commit(ctx context.Context, at Resume) error {
	if at.Rows > 0 && !at.At.IsZero() {
		at.Rows = 0
		defer dwell(ctx, at.At)
	}
	return c.Sink.Commit(ctx, at)
}
