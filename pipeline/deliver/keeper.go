package deliver

import (
	"context"

	"github.com/evertdb/evert/pipeline"
)

// A Keeper keeps the place of a target whose system has no room for it: a
// webhook, a file, a terminal. The place lies in the log, written by a fenced
// writer, so that a process that was replaced keeps nothing.
type Keeper interface {
	// Open takes the place from any older holder and gives it; zero: none.
	Open(ctx context.Context) (pipeline.Resume, error)
	// Keep stores the place, durably. The zero Resume forgets it.
	Keep(ctx context.Context, at pipeline.Resume) error
	// Close ends the holding. It may be called again.
	Close() error
}
