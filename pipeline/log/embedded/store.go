package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/log"
)

// blockKeyLen is the length of a block's key.
const blockKeyLen = 1 + 4 + 8

// A job is what the storing goroutine does for a writer, one after another.
type job struct {
	batch *pebble.Batch // to be applied and closed
	load  *load         // to be stored instead, and given back
	empty chan<- *load  // to here
	sync  bool
	apply func() error // instead of a batch
	after func()       // when it went well
	done  chan error   // of one; nil if nobody waits
}

// store runs until the writer or the log ends. When Pebble gives up, it ends in
// the middle of a job; whoever waits learns that from Log.dead.
func (w *Writer) store() {
	defer close(w.stored)
	failed := error(nil)
	for {
		select {
		case j := <-w.jobs:
			failed = j.run(w.log, failed)
		case <-w.quit:
			return
		case <-w.log.closing:
			return
		}
	}
}

// run does a job, unless storing failed before it, and says whether storing
// failed. A group's fence refuses a commit without any harm.
func (j *job) run(l *Log, failed error) error {
	err := failed
	if err == nil {
		err = j.do(l)
	}
	if err == nil && j.after != nil {
		j.after()
	}
	if j.load != nil {
		j.load.reset()
		j.empty <- j.load
	}
	if j.done != nil {
		j.done <- err
	}
	if errors.Is(err, log.ErrFenced) {
		return nil
	}
	return err
}

func (j *job) do(l *Log) error {
	switch {
	case j.apply != nil:
		return j.apply()
	case j.load != nil:
		return l.ingest(j.load)
	}
	opts := pebble.NoSync
	if j.sync {
		opts = pebble.Sync
	}
	return errors.Join(l.db.Apply(j.batch, opts), j.batch.Close())
}

func (w *Writer) newBatch() *pebble.Batch {
	return w.log.db.NewBatch(pebble.WithInitialSizeBytes(batchBytes/8), pebble.WithMaxRetainedSizeBytes(2*batchBytes))
}

// takeBatch gives the open batch away, with the index entries of its blocks,
// and begins another.
func (w *Writer) takeBatch() (*pebble.Batch, error) {
	b := w.batch
	w.batch = w.newBatch()
	return b, w.entries.put(b)
}

// sendBatch queues the open batch.
func (w *Writer) sendBatch(ctx context.Context) error {
	b, err := w.takeBatch()
	if err != nil {
		return err
	}
	return w.send(ctx, job{batch: b})
}

// send queues a job, waiting while the queue is full.
func (w *Writer) send(ctx context.Context, j job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.log.closing:
		return log.ErrClosed
	case <-w.log.dead:
		return w.log.cause
	}
}

// await queues a job and waits until it is done. Once it is queued, an error
// leaves its outcome open.
func (w *Writer) await(ctx context.Context, j job) error {
	j.done = make(chan error, 1)
	if err := w.send(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.log.closing:
		return log.ErrClosed
	case <-w.log.dead:
		return w.log.cause
	}
}

// publish makes a commit that is durable visible in all its partitions at once,
// and frees them. It runs on the storing goroutine.
func (l *Log) publish(t *txn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.done = true
	for _, g := range t.grown {
		l.freeLocked(g, g.block.next)
		g.p.fresh += g.records
		g.p.newestAt = g.at
	}
	l.movedLocked()
}

func (l *Log) freeLocked(g *growth, stable int64) {
	g.p.stable, g.p.next, g.p.owner = stable, stable, nil
}

// rollback deletes what a commit that will not be has stored, and moves the
// stable ends over its offsets. That is synced before anybody sees it: a reader
// that went on to the new end must find it after a crash too.
func (l *Log) rollback(t *txn) error {
	if t.done {
		return nil
	}
	b := l.db.NewBatch()
	defer b.Close()
	for _, g := range t.grown {
		if _, err := l.erase(g.p, g.from, g.block.next, b); err != nil {
			return err
		}
	}
	if !b.Empty() {
		if err := l.db.Apply(b, pebble.Sync); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.done = true
	for _, g := range t.grown {
		l.freeLocked(g, g.block.next)
	}
	l.movedLocked()
	return nil
}
