package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/evertdb/evert/pipeline/log"
)

// loadBytes is the size of a batch while a partition is loaded.
const loadBytes = 1 << 20

// load gives a partition, reading it if nobody asked before: what is committed,
// then what the open commit has written (single writer: nothing else lies
// behind the stable end).
func (w *Writer) load(ctx context.Context, tp log.TopicPartition) (*loaded, error) {
	if p := w.loaded[tp]; p != nil {
		return p, nil
	}
	touched, err := w.Writer.Flush(ctx)
	if err != nil {
		return nil, err
	}
	bounds, err := w.bounds(ctx, tp)
	if err != nil {
		return nil, err
	}
	w.number++
	p := &loaded{id: w.number}
	if err = w.read(ctx, p, tp, bounds, w.x.Log.Reader, w.x.full(0)); err != nil {
		return nil, fmt.Errorf("load the key index of %s: %w", tp, err)
	}
	if end, ok := touched[tp]; ok {
		if err := w.loadOpen(ctx, p, tp, log.Ends{Start: bounds.Stable, Stable: end}); err != nil {
			return nil, fmt.Errorf("load the open commit on %s: %w", tp, err)
		}
		p.open, p.next = true, end
	}
	w.loaded[tp] = p
	return p, nil
}

var errOwn = errors.New("this log does not show a writer its open records")

func (w *Writer) loadOpen(ctx context.Context, p *loaded, tp log.TopicPartition, bounds log.Ends) error {
	own, ok := w.x.Log.(uncommitted)
	if !ok {
		return errOwn
	}
	return w.read(ctx, p, tp, bounds, own.Uncommitted, false)
}

// settleWait is between two looks at a stable end that has yet to pass what was
// committed or aborted: a cluster moves it in the background.
const settleWait = 5 * time.Millisecond

// bounds asks for what is committed, and waits until that is all of what this
// writer ended.
func (w *Writer) bounds(ctx context.Context, tp log.TopicPartition) (log.Ends, error) {
	for {
		infos, err := w.x.Log.Admin().Topics(ctx, tp.Topic)
		if err != nil {
			return log.Ends{}, err
		}
		if len(infos) == 0 || tp.Partition < 0 || int(tp.Partition) >= len(infos[0].Ends) {
			return log.Ends{}, fmt.Errorf("%s: %w", tp, log.ErrNoTopic)
		}
		if ends := infos[0].Ends[tp.Partition]; ends.Stable >= w.ends[tp] {
			return ends, nil
		}
		select {
		case <-time.After(settleWait):
		case <-ctx.Done():
			return log.Ends{}, ctx.Err()
		}
	}
}

// read puts the records between the bounds into the index.
func (w *Writer) read(ctx context.Context, p *loaded, tp log.TopicPartition, bounds log.Ends, open func(context.Context) (log.Reader, error), light bool) error {
	if bounds.Start >= bounds.Stable {
		return nil
	}
	r, err := open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Assign(log.Offsets{tp: bounds.Start}); err != nil {
		return err
	}
	r.Limit(log.Offsets{tp: bounds.Stable})
	b := w.x.db.NewBatch()
	defer func() { b.Close() }()
	for {
		f, err := r.Next(ctx, 1000)
		if errors.Is(err, io.EOF) {
			return b.Commit(pebble.NoSync)
		}
		if err != nil {
			return err
		}
		for i := range f.Records {
			if err := w.put(b, p, &f.Records[i], f.Records[i].Offset, light); err != nil {
				return err
			}
		}
		if b.Len() < loadBytes {
			continue
		}
		size := b.Len()
		if err := errors.Join(b.Commit(pebble.NoSync), b.Close()); err != nil {
			return err
		}
		b, light = w.x.db.NewBatch(), light || w.x.full(size)
	}
}
