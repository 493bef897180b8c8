package transform

import (
	"context"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A Reader reads a row of a table of the source as it is now, by the key columns
// of row; nil if there is none.
type Reader func(ctx context.Context, t *schema.Table, row schema.Row) (schema.Row, error)

// Reread reads the row of a change that Apply gave last, as it is now, through
// the same steps; nil if there is none. Filters leave nothing out of it: it is
// read for values that are missing (I5), not for whether it is there.
func (ch *Chain) Reread(ctx context.Context, read Reader, c *pipeline.Change) (schema.Row, error) {
	at := slices.IndexFunc(ch.given, func(g pipeline.Change) bool { return g.Tx == c.Tx && g.Row == c.Row && g.After != nil })
	if at < 0 {
		return nil, nil
	}
	given := &ch.given[at]
	now, err := read(ctx, given.Table, given.After)
	if now == nil || err != nil {
		return nil, err
	}
	return ch.shape(ctx, given, now, c)
}

// shape gives what a row of the source looks like in the table of c. It uses
// another chain: what this one gave last is still being written.
func (ch *Chain) shape(ctx context.Context, given *pipeline.Change, now schema.Row, c *pipeline.Change) (schema.Row, error) {
	if ch.shaper == nil {
		ch.shaper = New(Config{Specs: ch.config.Specs})
		ch.shaper.keep = true
	}
	as := pipeline.Change{Table: given.Table, Op: given.Op, After: now, Tx: given.Tx, Row: given.Row, Offset: given.Offset}
	if as.Op == pipeline.Update {
		as.Before = now // nothing that a step looks at changed
	}
	b, err := ch.shaper.Apply(ctx, pipeline.Batch{Changes: []pipeline.Change{as}})
	if err != nil || len(b.Stopped) > 0 {
		return nil, err
	}
	for i := range b.Changes {
		if got := &b.Changes[i]; got.Table.String() == c.Table.String() && sameKey(c.Table, got.After, c.After) {
			return got.After.Clone(), nil
		}
	}
	return nil, nil
}

func sameKey(t *schema.Table, a, b schema.Row) bool {
	return len(a) == len(b) && !slices.ContainsFunc(t.Key, func(k int) bool { return !a[k].Identical(b[k]) })
}
