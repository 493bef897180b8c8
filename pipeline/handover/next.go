package handover

import (
	"context"
	"io"

	"github.com/evertdb/evert/pipeline"
)

// Next gives the next batch, and takes back the memory of the one before. Once ended
// is done and nothing is left to give, its cause is the error. See pipeline.Source.
func (q *Queue) Next(ctx, ended context.Context) (pipeline.Batch, error) {
	if b, ok := q.rest(); ok {
		return b, nil
	}
	select { // what is ready is given even if ctx or the source has ended
	case b := <-q.ready:
		return q.give(b), nil
	default:
	}
	select {
	case b := <-q.ready:
		return q.give(b), nil
	case <-ctx.Done():
		return pipeline.Batch{}, context.Cause(ctx)
	case <-ended.Done():
		return pipeline.Batch{}, context.Cause(ended)
	}
}

// rest gives the part of a transaction behind the whole ones of the same batch,
// or takes the batch back.
func (q *Queue) rest() (pipeline.Batch, bool) {
	b := q.taken
	if b == nil {
		return pipeline.Batch{}, false
	}
	if q.stage == 1 && len(b.Changes) > b.Whole {
		q.stage = 2
		return pipeline.Batch{Changes: b.Changes[b.Whole:], End: b.PartEnd, Bytes: q.config.Weigh(b)}, true
	}
	q.taken = nil
	q.recycle(b)
	return pipeline.Batch{}, false
}

// give hands over a batch: its whole transactions first, if there are any.
func (q *Queue) give(b *Batch) pipeline.Batch {
	q.taken, q.stage = b, 2
	if q.config.Taken != nil {
		q.config.Taken()
	}
	out := pipeline.Batch{Tables: b.Tables, Stopped: b.Stopped, Copies: b.Copies, Changes: b.Changes, End: b.PartEnd, Bytes: q.config.Weigh(b), At: b.WholeAt}
	if b.WholeEnd != nil {
		out.Changes, out.End = b.Changes[:b.Whole], b.WholeEnd
		if len(b.Changes) > b.Whole {
			q.stage, out.Bytes = 1, 0
		}
	}
	if b.Snapshot {
		for i := range b.Changes {
			b.Changes[i].Row = q.numbers
			q.numbers++
		}
	}
	return out
}

// Keep closes c when the batch that Next gave last is taken back. It is for the caller
// of Next.
func (q *Queue) Keep(c io.Closer) { q.taken.Aside = append(q.taken.Aside, c) }
