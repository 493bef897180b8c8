package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/log"
)

const (
	batchBytes = 1 << 20 // a batch goes to the storing goroutine at this size
	queued     = 4       // batches that may wait there
	loose      = 4 << 20 // bytes of unfinished blocks over all partitions
)

// A Writer appends on the caller's goroutine: it encodes records into blocks
// and blocks into batches of bounded size. Storing runs beside it:
//
//	Append ─► blocks ─► batch ─► jobs (4) ─► store: Pebble, unsynced
//	Commit ─► the last batch, with the stable ends ─► store: Pebble, synced ─► publish
//
// Every batch has blocks together with the index entries of their records; as
// Pebble keeps a prefix of its batches over a crash, an entry exists exactly
// when its record does. Large commits go by loads; see load.
type Writer struct {
	log *Log
	id  string

	fenced chan struct{} // closed by a newer writer
	quit   chan struct{} // closed when store is to end
	stored chan struct{} // closed when it has ended
	jobs   chan job

	mu      sync.Mutex // held through every call; a newer writer takes it to settle
	err     error      // why the writer can only be closed
	ended   bool       // settled and closed
	leaving bool       // closed, and to be settled when the disk has room
	txn     *txn       // the open commit, nil if there is none
	batch   *pebble.Batch
	entries entries // of the blocks in batch and in loads that are not stored yet
	since   int     // bytes since the disk was looked at
	bulk    bool    // the last commit was large, so the next one is expected to be

	filling *load      // of the open commit; nil if nothing was put into one
	loads   chan *load // those that are empty

	lastTP log.TopicPartition // of the last record
	last   *growth            // its partition's growth; nil at first

	tail     map[uint64]struct{} // hashes of the keys not yet stored; nil until Latest is used
	tailSeed maphash.Seed
	found    finder
}

var (
	_ log.Writer = (*Writer)(nil)
	_ log.Index  = (*Writer)(nil)
)

// newWriter fences the older writer of the id, settles it, and takes its place.
func (l *Log) newWriter(ctx context.Context, id string) (*Writer, error) {
	w := &Writer{
		log: l, id: id,
		fenced: make(chan struct{}), quit: make(chan struct{}), stored: make(chan struct{}), jobs: make(chan job, queued),
		loads:    make(chan *load, loads),
		tailSeed: maphash.MakeSeed(),
	}
	for range loads {
		w.loads <- &load{size: l.cfg.Load}
	}
	for {
		l.mu.Lock()
		if err := l.aliveLocked(); err != nil {
			l.mu.Unlock()
			return nil, err
		}
		old := l.writers[id]
		if old == nil {
			l.writers[id] = w
			l.tasks.Go(w.store)
			l.mu.Unlock()
			return w, nil
		}
		l.mu.Unlock()
		if err := old.settle(ctx); err != nil {
			return nil, fmt.Errorf("writer %q: settle the former one: %w", id, err)
		}
	}
}

// settle fences w, waits for the call that it is in, drops what it left open,
// and takes it out of the way (K05, K07).
func (w *Writer) settle(ctx context.Context) error {
	w.log.mu.Lock()
	select {
	case <-w.fenced:
	default:
		close(w.fenced)
	}
	w.log.mu.Unlock()
	settled := make(chan error, 1)
	go func() { settled <- w.finish(ctx, log.ErrFenced) }()
	select {
	case err := <-settled:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish tries to end w until it ends or ctx does. Between the tries w can be
// closed by others.
func (w *Writer) finish(ctx context.Context, reason error) error {
	for {
		w.mu.Lock()
		err := w.end(ctx, reason)
		w.mu.Unlock()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// endTimeout bounds one try to drop an open commit: the disk may be full, and
// stay so.
const endTimeout = 2 * time.Second

// end drops the open commit, ends storing and gives the id free. If that takes
// too long, w is as before and end can be called again. mu is held.
func (w *Writer) end(ctx context.Context, reason error) error {
	if w.ended {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := w.drop(ctx); err != nil {
		return err
	}
	w.err, w.ended = reason, true
	close(w.quit)
	select {
	case <-w.stored:
	case <-w.log.dead:
		return w.log.cause
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if w.log.writers[w.id] == w {
		delete(w.log.writers, w.id)
	}
	return nil
}

// usable gives the reason why a call cannot go on. mu is held.
func (w *Writer) usable() error {
	select {
	case <-w.fenced:
		w.err = log.ErrFenced
	case <-w.log.closing:
		w.err = log.ErrClosed
	case <-w.log.dead:
		w.err = w.log.cause
	default:
	}
	return w.err
}

// fail notes an error after which the writer can only be closed.
func (w *Writer) fail(err error) error {
	if err != nil && w.err == nil {
		w.err = err
	}
	return err
}

// Append adds records; see log.Writer.
func (w *Writer) Append(ctx context.Context, recs ...log.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if w.txn == nil || w.since > batchBytes {
		if err := w.room(ctx); err != nil {
			return err
		}
		w.since = 0
	}
	for i := range recs {
		if err := w.add(ctx, &recs[i]); err != nil {
			return w.fail(fmt.Errorf("append to %s: %w", recs[i].TopicPartition, err))
		}
	}
	return nil
}

// room waits until the reserve is free (O08). Its error says that it is not, and
// why it waited no longer.
func (w *Writer) room(ctx context.Context) error {
	l := w.log
	for !l.disk.Free() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", l.cfg.Dir, log.ErrFull, ctx.Err())
		case <-w.fenced:
			return log.ErrFenced
		case <-l.closing:
			return log.ErrClosed
		case <-l.dead:
			return log.ErrClosed
		case <-time.After(l.cfg.DiskPoll):
		}
	}
	return nil
}

// Flush waits until everything is stored; see log.Writer.
func (w *Writer) Flush(ctx context.Context) (log.Offsets, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return nil, err
	}
	if w.txn == nil {
		return log.Offsets{}, nil
	}
	if err := w.drain(ctx); err != nil {
		return nil, w.fail(fmt.Errorf("flush: %w", err))
	}
	to := make(log.Offsets, len(w.txn.grown))
	for tp, g := range w.txn.grown {
		to[tp] = g.block.next
	}
	return to, nil
}

// drain stores all there is, unsynced.
func (w *Writer) drain(ctx context.Context) error {
	if err := w.sealAll(ctx); err != nil {
		return err
	}
	clear(w.tail)
	if err := w.endLoad(ctx); err != nil {
		return err
	}
	b, err := w.takeBatch()
	if err != nil {
		return err
	}
	return w.await(ctx, job{batch: b})
}

// Commit makes the open commit durable and visible; see log.Writer. Its last
// batch has the new stable ends and the inputs' offsets, and is synced (I1).
func (w *Writer) Commit(ctx context.Context, in *log.Inputs) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if w.txn == nil && in == nil {
		return nil
	}
	if err := w.commit(ctx, in); err != nil {
		return w.fail(fmt.Errorf("commit: %w", err))
	}
	return nil
}

func (w *Writer) commit(ctx context.Context, in *log.Inputs) error {
	if w.txn == nil {
		w.txn = &txn{}
		w.batch = w.newBatch()
	}
	if err := w.sealAll(ctx); err != nil {
		return err
	}
	if err := w.endLoad(ctx); err != nil {
		return err
	}
	t := w.txn
	for _, g := range t.grown {
		if err := w.batch.Set(idKey(kindStable, g.p.id), int64Value(g.block.next), nil); err != nil {
			return err
		}
	}
	b, err := w.takeBatch()
	if err != nil {
		return err
	}
	j := job{batch: b, sync: true, after: func() { w.log.publish(t) }}
	if in != nil {
		plain := j
		j.apply = func() error { return w.log.groups.commit(in, plain) }
	}
	if err := w.await(ctx, j); err != nil {
		return err
	}
	w.forget()
	return nil
}

// forget leaves the open commit, which is settled. mu is held.
func (w *Writer) forget() {
	w.settleLoads()
	w.txn, w.last, w.since = nil, nil, 0
	w.entries.reset()
	clear(w.tail)
	if w.batch != nil {
		w.batch.Close()
		w.batch = nil
	}
}

// Abort drops the open commit; see log.Writer.
func (w *Writer) Abort(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if err := w.drop(ctx); err != nil {
		return w.fail(fmt.Errorf("abort: %w", err))
	}
	return nil
}

// drop takes away what the open commit stored, behind all that is queued: if a
// commit is among that, it is found done. mu is held.
func (w *Writer) drop(ctx context.Context) error {
	t := w.txn
	if t == nil {
		return nil
	}
	select {
	case <-w.log.closing: // the next Open drops it
		return nil
	default:
	}
	if err := w.await(ctx, job{apply: func() error { return w.log.rollback(t) }}); err != nil {
		return err
	}
	w.forget()
	return nil
}

// Close drops the open commit and frees the writer; see log.Writer. A full disk
// does not hold it up (O08): the commit is then dropped when there is room, by
// the next writer of the id or by the next Open, whichever comes first. Until
// then its partitions are not free.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leaving {
		return nil
	}
	err := error(context.DeadlineExceeded)
	if w.txn == nil || !w.log.disk.Blocked() {
		err = w.end(context.Background(), log.ErrClosed)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		w.err, w.leaving = log.ErrClosed, true
		go func() { _ = w.finish(context.Background(), log.ErrClosed) }() // ends with the log at the latest
	case err != nil && !errors.Is(err, log.ErrClosed):
		return fmt.Errorf("close writer %q: %w", w.id, err)
	}
	return nil
}
