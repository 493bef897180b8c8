package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/log"
)

// finder holds the buffers of a writer's Index.
type finder struct {
	group   []byte
	value   []byte
	keys    [][]byte
	arena   []byte
	headers []log.Header
	recent  recent
}

// remember notes that a key has a record that is not stored yet, for Latest.
func (w *Writer) remember(p *partition, key []byte) {
	if w.tail != nil {
		w.tail[w.hash(p, key)] = struct{}{}
	}
}

func (w *Writer) hash(p *partition, key []byte) uint64 {
	return maphash.Bytes(w.tailSeed, key) + uint64(p.id)*0x9e3779b97f4a7c15
}

// indexed finds a partition that has an index.
func (w *Writer) indexed(tp log.TopicPartition) (p *partition, visible int64, err error) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	p = w.log.partition(tp)
	if p == nil {
		return nil, 0, fmt.Errorf("%s: %w", tp, log.ErrNoTopic)
	}
	if !p.topic.Compact {
		return nil, 0, fmt.Errorf("%s: records of a topic that is not compacted are not found by key", tp)
	}
	visible = p.stable
	if w.txn != nil && w.txn.grown[tp] != nil {
		visible = w.txn.grown[tp].block.next
	}
	return p, visible, nil
}

// Latest finds the newest record of a key; see log.Index. It costs two seeks, one
// if the record lies in a block that was read of late (see recent), and a Flush
// if the key's newest record may not be stored yet.
func (w *Writer) Latest(ctx context.Context, tp log.TopicPartition, key []byte) (value []byte, offset int64, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, visible, err := w.lookup(tp)
	if err != nil {
		return nil, 0, false, err
	}
	if err := w.catchUp(ctx, p, key); err != nil {
		return nil, 0, false, w.fail(err)
	}
	done, err := w.log.use()
	if err != nil {
		return nil, 0, false, err
	}
	defer done()
	return w.newest(p, key, visible)
}

func (w *Writer) lookup(tp log.TopicPartition) (*partition, int64, error) {
	if err := w.usable(); err != nil {
		return nil, 0, err
	}
	return w.indexed(tp)
}

// catchUp stores what is not stored yet if key may be in it. From the first
// call on, the writer remembers which keys are.
func (w *Writer) catchUp(ctx context.Context, p *partition, key []byte) error {
	first := w.tail == nil
	if first {
		w.tail = map[uint64]struct{}{}
	}
	_, fresh := w.tail[w.hash(p, key)]
	if w.txn == nil || !first && !fresh {
		return nil
	}
	return w.drain(ctx)
}

// newest goes through the index entries of a key, newest first, to the first
// that is visible, and fetches its record.
func (w *Writer) newest(p *partition, key []byte, visible int64) (value []byte, offset int64, ok bool, err error) {
	f := &w.found
	f.group = appendIndexGroup(f.group[:0], p.id, key)
	it, err := w.log.db.NewIter(&pebble.IterOptions{LowerBound: f.group, UpperBound: upper(f.group)})
	if err != nil {
		return nil, 0, false, err
	}
	for found := it.First(); found; found = it.Next() {
		_, offset = splitIndexKey(it.Key())
		if offset >= visible {
			continue
		}
		if value, ok, err = w.fetch(p, key, offset); ok || err != nil {
			break
		}
	}
	return value, offset, ok, errors.Join(err, it.Close())
}

// fetch copies the value of the record at an offset, if it is one of key.
func (w *Writer) fetch(p *partition, key []byte, offset int64) (value []byte, ok bool, err error) {
	f := &w.found
	if b := f.recent.block(p.id, offset); b != nil {
		return f.find(b, key, offset)
	}
	it, err := w.log.blocks(p, offset)
	if err != nil {
		return nil, false, err
	}
	if it.First() {
		var b *located
		if b, err = f.recent.keep(p.id, lastOf(it.Key()), it.Value()); err == nil {
			value, ok, err = f.find(b, key, offset)
		}
	}
	return value, ok, errors.Join(err, it.Close())
}

// find copies the value of the record at an offset of a block, if it is one of
// key.
func (f *finder) find(b *located, key []byte, offset int64) (value []byte, ok bool, err error) {
	var r log.Record
	f.headers, ok, err = b.record(offset, &r, f.headers[:0])
	if !ok || err != nil || !bytes.Equal(r.Key, key) {
		return nil, false, err
	}
	if r.Value == nil {
		return nil, true, nil
	}
	f.value = append(f.value[:0], r.Value...)
	return f.value[:len(r.Value):len(r.Value)], true, nil
}

// Stale finds keys whose newest record is old; see log.Index. It reads the
// index only, and stores what is not stored yet first.
func (w *Writer) Stale(ctx context.Context, tp log.TopicPartition, below int64, after []byte, max int) ([][]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, visible, err := w.lookup(tp)
	if err != nil {
		return nil, err
	}
	if w.txn != nil {
		if err := w.drain(ctx); err != nil {
			return nil, w.fail(err)
		}
	}
	done, err := w.log.use()
	if err != nil {
		return nil, err
	}
	defer done()
	from := idKey(kindIndex, p.id)
	if after != nil {
		from = afterGroup(appendIndexGroup(nil, p.id, after))
	}
	it, err := w.log.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: idKey(kindIndex, p.id+1)})
	if err != nil {
		return nil, err
	}
	keys := w.found.stale(it, visible, below, max)
	return keys, it.Close()
}

// stale collects from the groups of index entries that it passes over.
func (f *finder) stale(it *pebble.Iterator, visible, below int64, max int) [][]byte {
	var ends []int
	f.arena, f.group = f.arena[:0], f.group[:0]
	decided := false // for the present group
	for ok := it.First(); ok && len(ends) < max; ok = it.Next() {
		group, offset := splitIndexKey(it.Key())
		if !bytes.Equal(group, f.group) {
			f.group, decided = append(f.group[:0], group...), false
		}
		if decided || offset >= visible {
			continue
		}
		decided = true
		if offset < below && len(it.Value()) == 0 {
			f.arena = appendGroupKey(f.arena, group)
			ends = append(ends, len(f.arena))
		}
	}
	f.keys = f.keys[:0]
	from := 0
	for _, end := range ends {
		f.keys = append(f.keys, f.arena[from:end:end])
		from = end
	}
	return f.keys
}
