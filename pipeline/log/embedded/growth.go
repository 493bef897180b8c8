package embedded

import (
	"context"
	"fmt"

	"github.com/evertdb/evert/pipeline/log"
)

// txn is an open commit.
type txn struct {
	grown map[log.TopicPartition]*growth
	loose int   // bytes in unfinished blocks
	bytes int64 // bytes in finished ones
	bulk  bool  // finished blocks go into loads
	done  bool  // committed or dropped; set by store only
}

// growth is what an open commit adds to a partition that it owns.
type growth struct {
	p       *partition
	block   builder
	from    int64
	at      int64   // time of the block, µs
	entries entries // of the block
	records int64
}

// add puts one record into the block of its partition.
func (w *Writer) add(ctx context.Context, r *log.Record) error {
	g := w.last
	if g == nil || r.TopicPartition != w.lastTP {
		var err error
		if g, err = w.growth(ctx, r.TopicPartition); err != nil {
			return err
		}
		w.last, w.lastTP = g, g.p.tp
	}
	size := r.Size()
	if size > g.p.topic.MaxBytes { // K03
		return fmt.Errorf("a record of %d bytes, the topic takes %d: %w", size, g.p.topic.MaxBytes, log.ErrTooLarge)
	}
	w.since += size
	if g.block.records == 0 {
		g.begin(w.log.cfg.Now().UnixMicro())
	}
	before := len(g.block.buf)
	if g.p.topic.Compact && r.Key != nil {
		g.entries.add(g.p.id, r.Key, g.block.next, r.Value == nil)
		w.remember(g.p, r.Key)
	}
	g.block.add(r, g.block.next)
	g.records++
	w.txn.loose += len(g.block.buf) - before
	if len(g.block.buf) >= blockBytes {
		return w.seal(ctx, g)
	}
	if w.txn.loose >= loose {
		return w.sealAll(ctx)
	}
	return nil
}

func (g *growth) begin(now int64) {
	g.at = max(g.at, now)
	g.block.begin(g.block.next, g.at)
}

// growth finds or makes the growth of a partition, waiting until no other
// writer has a commit open on it.
func (w *Writer) growth(ctx context.Context, tp log.TopicPartition) (*growth, error) {
	if w.txn == nil {
		w.txn = &txn{grown: map[log.TopicPartition]*growth{}, bulk: w.bulk}
		w.batch = w.newBatch()
	}
	if g := w.txn.grown[tp]; g != nil {
		return g, nil
	}
	for {
		g, moved, err := w.own(tp)
		if g != nil || err != nil {
			return g, err
		}
		if err := w.wait(ctx, moved); err != nil {
			return nil, err
		}
	}
}

// own makes w the owner of a partition, or gives what to wait for.
func (w *Writer) own(tp log.TopicPartition) (*growth, <-chan struct{}, error) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	p := w.log.partition(tp)
	if p == nil {
		return nil, nil, log.ErrNoTopic
	}
	if p.owner != nil {
		return nil, w.log.moved, nil
	}
	p.owner = w
	g := &growth{p: p, from: p.stable, at: p.newestAt}
	g.block.next = p.next
	w.txn.grown[p.tp] = g
	return g, nil, nil
}

// wait waits for done, ctx, a newer writer or the log's end.
func (w *Writer) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.fenced:
		return log.ErrFenced
	case <-w.log.closing:
		return log.ErrClosed
	case <-w.log.dead:
		return w.log.cause
	}
}

// seal completes the block of a partition and puts it into the batch or, in a
// large commit, into a load, with its index entries.
func (w *Writer) seal(ctx context.Context, g *growth) error {
	if g.block.records == 0 {
		return nil
	}
	block := g.block.finish()
	w.txn.loose -= len(block) - blockHeader
	w.txn.bytes += int64(len(block))
	g.block.records = 0
	if w.txn.bulk {
		return w.load(ctx, g, block)
	}
	op := w.batch.SetDeferred(blockKeyLen, len(block))
	blockKey(op.Key[:0], g.p.id, g.block.next-1)
	copy(op.Value, block)
	if err := op.Finish(); err != nil {
		return err
	}
	g.block.letGo()
	w.entries.take(&g.entries)
	w.txn.bulk = w.txn.bytes >= w.log.cfg.Load
	if !w.txn.bulk && w.batch.Len()+w.entries.bytes() < batchBytes {
		return nil
	}
	return w.sendBatch(ctx)
}

// sealAll completes the blocks of all partitions.
func (w *Writer) sealAll(ctx context.Context) error {
	for _, g := range w.txn.grown {
		if err := w.seal(ctx, g); err != nil {
			return err
		}
	}
	return nil
}
