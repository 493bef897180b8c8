package transform

import (
	"context"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A Reader reads the row of a change of the source as it is now; nil if there is none.
// A value that is too large for memory, and that the change's new row does not have, is
// noted in the change, and its row has the first bytes of it. One that the new row has
// may be unknown.
type Reader func(ctx context.Context, c *pipeline.Change) (schema.Row, error)

// Reread reads the row of a change that Apply gave last, as it is now, through
// the same steps; nil if there is none. Filters leave nothing out of it: it is
// read for values that are missing (I5), not for whether it is there.
func (ch *Chain) Reread(ctx context.Context, read Reader, c *pipeline.Change) (schema.Row, error) {
	at := slices.IndexFunc(ch.given, func(g pipeline.Change) bool { return g.Tx == c.Tx && g.Row == c.Row && g.After != nil })
	if at < 0 {
		return nil, nil
	}
	given := &ch.given[at]
	now, err := read(ctx, given)
	if now == nil || err != nil {
		return nil, err
	}
	for i := range now {
		if !now[i].IsKnown() {
			now[i] = given.After[i]
		}
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
	if given.Aside != nil {
		as.Aside = &pipeline.Asides{After: given.Aside.After}
	}
	if as.Op == pipeline.Update {
		as.Before = now // nothing that a step looks at changed
		if as.Aside != nil {
			as.Aside.Before = as.Aside.After
		}
	}
	b, err := ch.shaper.Apply(ctx, pipeline.Batch{Changes: []pipeline.Change{as}})
	if err != nil || len(b.Stopped) > 0 {
		return nil, err
	}
	for i := range b.Changes {
		if got := &b.Changes[i]; got.Table.String() == c.Table.String() && sameKey(c.Table, got.After, c.After) {
			bring(c, got)
			return got.After.Clone(), nil
		}
	}
	return nil, nil
}

// bring notes in a change the values that it lacks, that another has, and that are not
// in memory.
func bring(c, from *pipeline.Change) {
	for i := range c.After {
		if a := from.AsideAfter(i); a != nil && !c.After[i].IsKnown() {
			c.SetAside(false, i, a)
		}
	}
}

func sameKey(t *schema.Table, a, b schema.Row) bool {
	return len(a) == len(b) && !slices.ContainsFunc(t.Key, func(k int) bool { return !a[k].Identical(b[k]) })
}
