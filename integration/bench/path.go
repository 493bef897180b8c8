//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// path measures the binary from a topic that is there into a system that holds
// nothing, start and end of the process included: a fill. sink gives the settings of
// the n-th sink, which has a place of its own.
func (l *lab) path(ctx context.Context, name string, rows int, sink func(n int) string) (time.Duration, error) {
	table := "of_" + name
	if err := l.table(ctx, table); err != nil {
		return 0, err
	}
	if err := l.insert(ctx, table, 1, rows); err != nil {
		return 0, err
	}
	d, err := l.deployment(name, table)
	if err != nil {
		return 0, err
	}
	if _, err := d.catchUp(ctx); err != nil { // the rows are in the topic from here on
		return 0, err
	}
	capture, err := os.ReadFile(d.config())
	if err != nil {
		return 0, err
	}
	var all []time.Duration
	for n := range l.repeats {
		text := fmt.Appendf(capture[:len(capture):len(capture)], "sinks:\n  sink%d: {from: db.public.%s, %s}\n", n, table, sink(n))
		if err := os.WriteFile(d.config(), text, 0o600); err != nil {
			return 0, err
		}
		c, err := d.catchUp(ctx)
		if err != nil {
			return 0, err
		}
		all = append(all, c.elapsed)
	}
	return median(all), d.drop(ctx)
}
