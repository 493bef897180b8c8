package log

import "context"

// Groups tells how far readers are that commit their offsets to the log: ours,
// and foreign ones. A Log may offer it. Its method may be called from any
// goroutine.
type Groups interface {
	// Groups gives the committed offsets of every group in the topics named. A
	// group without any, or that we may not see, is left out.
	Groups(ctx context.Context, topics ...string) (map[string]Offsets, error)
}
