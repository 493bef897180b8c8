package log

import "context"

// Groups tells how far readers are that commit their offsets to the log: ours,
// and foreign ones. A Log may offer it. Its method may be called from any
// goroutine.
type Groups interface {
	// Groups gives the committed offsets of every group in the topics named. A
	// group without any is left out. If groups are hidden from us, those that are
	// not come with a Refusal that says so.
	Groups(ctx context.Context, topics ...string) (map[string]Offsets, error)
}
