package deliver

import (
	"context"
	"errors"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/store"
)

// A step with old rows gives what changed between two cuts, each row once, whatever
// happened to it in between: first what it takes away, then what is there.
//
//	taking   Update, Delete   with the old row; what is not a Delete behind the transforms is left out
//	putting  Create, Update   with the old row if there is one; Deletes are left out
//
// So rows may exchange what becomes their keys: at a cut a key belongs to one row,
// and what another one had of it is taken away before.

// half is the pass of a step with old rows that a change belongs to.
type half uint8

const (
	both half = iota
	taking
	putting
)

// rank orders changes where the offsets of several records of the topic do not:
// behind every change of an earlier cut. It is even for what is taken away.
func rank(cut uint64, h half) uint64 { return 2*cut + uint64(h) + 1 }

// IsTaking reports whether a change was given for what it takes away alone. It is
// given again for what it puts there.
func IsTaking(c *pipeline.Change) bool { return c.Rank != 0 && c.Rank%2 == 0 }

// gather takes a record into the step.
func (p *pump) gather(topic uint16, r *log.Record, gone bool) (err error) {
	if p.sorter == nil {
		if p.sorter, err = p.OldRows.Sorter(); err != nil {
			return err
		}
	}
	p.key = entryKey(p.key[:0], topic, r)
	p.value = appendEntry(p.value[:0], r, gone, p.restored)
	return p.sorter.Add(p.key, p.value)
}

// restore gives what lay in side topics, and remembers it for gather; of an entry
// it is known.
func (p *pump) restore(ctx context.Context, r *log.Record) (whole map[string][]byte, err error) {
	if p.reads {
		return p.restored, nil
	}
	p.restored, err = log.Restore(ctx, p.Log, r)
	return p.restored, err
}

// gathered gives the newest record of each key that the step changes.
func (p *pump) gathered() (dataflow.Cursor, error) {
	if p.sorter == nil {
		return &newest{Cursor: nothing{}}, nil
	}
	c, err := p.sorter.Sort()
	return &newest{Cursor: c}, err
}

type nothing struct{}

func (nothing) Next() bool    { return false }
func (nothing) Key() []byte   { return nil }
func (nothing) Value() []byte { return nil }
func (nothing) Err() error    { return nil }
func (nothing) Close() error  { return nil }

// giveChanged gives what the step changed, and its end; it returns when the target
// has that.
func (p *pump) giveChanged(ctx context.Context, end *pipeline.Resume) error {
	for _, f := range p.feeds {
		clear(f.deleted)
	}
	changed, err := p.gathered()
	if err != nil {
		return err
	}
	defer p.forgetStep()
	if p.old == nil {
		err = errors.Join(p.putAll(ctx, changed), changed.Close())
	} else {
		err = errors.Join(p.old.stage(changed, end.State), changed.Close())
		if err == nil {
			err = p.old.read(func(e *store.Epoch) error { return p.giveStaged(ctx, e) })
		}
	}
	if err != nil {
		return lostIfDamaged(err)
	}
	return p.giveEnd(ctx, end)
}

// giveEnd gives the end of the step, and waits until the target has committed it.
func (p *pump) giveEnd(ctx context.Context, end *pipeline.Resume) error {
	if err := p.send(ctx, end); err != nil || p.old == nil {
		return err
	}
	select {
	case <-p.acked:
		return lostIfDamaged(p.old.fold())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pump) forgetStep() {
	if p.sorter != nil {
		_ = p.sorter.Close()
		p.sorter = nil
	}
}

// putAll gives rows to a target that holds nothing.
func (p *pump) putAll(ctx context.Context, changed dataflow.Cursor) error {
	for changed.Next() {
		if err := p.giveOne(ctx, putting, changed.Key(), nil, changed.Value()); err != nil {
			return err
		}
	}
	return changed.Err()
}

// giveStaged gives both halves of the step.
func (p *pump) giveStaged(ctx context.Context, e *store.Epoch) error {
	if len(p.old.at) > 0 || p.old.tried {
		if err := p.takeStaged(ctx, e); err != nil {
			return err
		}
	}
	err := each(e, step, 0, func(key, value []byte) error {
		key = key[collectionBytes:]
		was, err := givenRow(e, key)
		if err != nil {
			return err
		}
		return p.giveOne(ctx, putting, key, was, value)
	})
	if err != nil || !p.old.tried {
		return err
	}
	return p.putAgain(ctx, e)
}

// takeStaged takes away what rows were, and what they may have been in tries that were
// cut off.
func (p *pump) takeStaged(ctx context.Context, e *store.Epoch) error {
	if p.old.tried {
		err := each(e, perhaps, 0, func(key, value []byte) error {
			return p.giveOne(ctx, taking, key[perhapsBytes:], value, nil)
		})
		if err != nil {
			return err
		}
	}
	return each(e, step, 0, func(key, value []byte) error {
		key = key[collectionBytes:]
		was, err := givenRow(e, key)
		if err != nil || isGone(was) {
			return err
		}
		return p.giveOne(ctx, taking, key, was, value)
	})
}

// perhapsBytes stand before partition and key of a row that may have been given.
const perhapsBytes = collectionBytes + 8

// putAgain gives the rows that a try which was cut off would have changed, and this
// step does not: what they may have been was taken away.
func (p *pump) putAgain(ctx context.Context, e *store.Epoch) error {
	return each(e, perhaps, 0, func(key, _ []byte) error {
		key = key[perhapsBytes:]
		if _, changes, err := e.Get(append(inCollection(nil, step), key...)); changes || err != nil {
			return err
		}
		is, err := givenRow(e, key)
		if err != nil || isGone(is) {
			return err
		}
		is = slices.Clone(is)
		return p.giveOne(ctx, putting, key, is, is)
	})
}

// givenRow gives the entry of a row that the target was given; none if it has none.
func givenRow(e *store.Epoch, key []byte) ([]byte, error) {
	was, ok, err := e.Get(append(inCollection(nil, given), key...))
	if !ok {
		was = nil
	}
	return was, err
}

// giveOne gives one change: the entry of a row as it was, if it was there, and as it
// is.
func (p *pump) giveOne(ctx context.Context, h half, key, was, is []byte) error {
	if isGone(was) && isGone(is) || h == putting && isGone(is) {
		return nil
	}
	for {
		if err := p.loads(ctx); err != nil {
			return err
		}
		f, c, err := p.changed(ctx, key, was, is)
		more := len(p.load.batch.Changes) > 0
		switch {
		case errors.Is(err, errShape), err == nil && more && (p.load.half != h || p.load.table != f.table):
			if err := p.send(ctx, nil); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if c.Rank = rank(p.at.cut.Number, h); h == taking {
			p.display.again.Add(1)
		}
		p.load.half = h
		p.load.hold(f, c)
		p.load.batch.Bytes += len(was) + len(is)
		break
	}
	if !p.load.isFull(p.Limits.Bytes/readAhead, p.Limits.Rows) {
		return nil
	}
	return p.send(ctx, nil)
}

// changed makes the change of one row.
func (p *pump) changed(ctx context.Context, key, was, is []byte) (f *feed, c pipeline.Change, err error) {
	place := is
	if len(place) == 0 {
		place = was
	}
	if f, c, err = p.readEntry(ctx, key, place); err != nil {
		return f, c, err
	}
	if isGone(was) {
		c.Op, c.Before = pipeline.Create, nil
		return f, c, nil
	}
	old := c
	if len(is) > 0 {
		if _, old, err = p.readEntry(ctx, key, was); err != nil {
			return f, c, err
		}
	}
	c.Before = old.After
	if isGone(is) {
		c.Op, c.After = pipeline.Delete, nil
	}
	return f, c, nil
}

// readEntry makes of an entry what its record says.
func (p *pump) readEntry(ctx context.Context, key, value []byte) (f *feed, c pipeline.Change, err error) {
	e, err := parseEntry(p.Topics, key, value)
	if err != nil {
		return nil, c, err
	}
	f = p.feeds[e.topic]
	p.reads, p.restored = true, nil
	for name, v := range e.aside {
		if p.restored == nil {
			p.restored = map[string][]byte{}
		}
		p.restored[name] = p.load.keep(v)
	}
	c, err = f.change(ctx, &e.record)
	p.reads, p.restored = false, nil
	return f, c, err
}

// A halving leaves out what does not belong to the half of a step that a batch is.
type halving struct{ source *Source }

// Apply implements pipeline.Transform.
func (h halving) Apply(_ context.Context, b pipeline.Batch) (pipeline.Batch, error) {
	want := h.source.present.half
	if want == both {
		return b, nil
	}
	b.Changes = slices.DeleteFunc(b.Changes, func(c pipeline.Change) bool { return (c.Op == pipeline.Delete) != (want == taking) })
	return b, nil
}
