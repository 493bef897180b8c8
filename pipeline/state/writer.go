package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"
	"github.com/evertdb/evert/pipeline/log"
)

// Writer is a writer of the log below with the newest record of each key. One
// goroutine uses it.
type Writer struct {
	log.Writer
	x      *Index
	space  uint32
	loaded map[log.TopicPartition]*loaded
	number uint32      // partitions loaded so far
	ends   log.Offsets // next offsets of what this writer committed or aborted

	far log.Reader // for values that are elsewhere

	heavy [][]byte // entry keys of the open commit to be made light at its end
	key   []byte
	entry []byte
	value []byte
	keys  [][]byte
	arena []byte
}

// loaded is a partition whose keys are in the index.
type loaded struct {
	id   uint32
	open bool  // the open commit touched it
	next int64 // offset of the next record, while open
}

var (
	_ log.Writer = (*Writer)(nil)
	_ log.Index  = (*Writer)(nil)
)

// Append appends to the log, and to the index what belongs to it.
func (w *Writer) Append(ctx context.Context, recs ...log.Record) error {
	if err := w.Writer.Append(ctx, recs...); err != nil {
		return err
	}
	if len(w.loaded) == 0 {
		return nil
	}
	if err := w.anchor(ctx, recs); err != nil {
		return err
	}
	return w.note(recs)
}

// anchor finds out where the first records of a commit lie; those that follow
// lie one by one behind them, because nobody else writes there.
func (w *Writer) anchor(ctx context.Context, recs []log.Record) error {
	count := map[log.TopicPartition]int64{}
	for i := range recs {
		if p := w.loaded[recs[i].TopicPartition]; p != nil && !p.open {
			count[recs[i].TopicPartition]++
		}
	}
	if len(count) == 0 {
		return nil
	}
	touched, err := w.Writer.Flush(ctx)
	if err != nil {
		return err
	}
	for tp, n := range count {
		p := w.loaded[tp]
		p.open, p.next = true, touched[tp]-n
	}
	return nil
}

func (w *Writer) note(recs []log.Record) error {
	b := w.x.db.NewBatch()
	defer b.Close()
	full := w.x.full(0)
	for i := range recs {
		p := w.loaded[recs[i].TopicPartition]
		if p == nil {
			continue
		}
		if err := w.put(b, p, &recs[i], p.next, false); err != nil {
			return err
		}
		if full && recs[i].Value != nil {
			w.heavy = append(w.heavy, bytes.Clone(w.key))
		}
		p.next++
	}
	w.x.full(b.Len())
	return b.Commit(pebble.NoSync)
}

// put writes the entry of a record; light leaves its value in the log.
func (w *Writer) put(b *pebble.Batch, p *loaded, r *log.Record, offset int64, light bool) error {
	w.key = entryKey(w.key[:0], w.space, p.id, r.Key)
	switch {
	case r.Value == nil:
		w.entry = appendEntry(w.entry[:0], tombstone, offset, nil)
	case light:
		w.entry = appendEntry(w.entry[:0], elsewhere, offset, nil)
	default:
		w.entry = appendEntry(w.entry[:0], value, offset, r.Value)
	}
	return b.Set(w.key, w.entry, nil)
}

// Commit commits. What the index has of the commit is right then.
func (w *Writer) Commit(ctx context.Context, in *log.Inputs) error {
	touched, err := w.Writer.Flush(ctx)
	if err != nil {
		return err
	}
	if err := w.Writer.Commit(ctx, in); err != nil {
		return err
	}
	maps.Copy(w.ends, touched)
	for _, p := range w.loaded {
		p.open = false
	}
	return w.lighten()
}

// lighten takes values out of the index that it has no room for.
func (w *Writer) lighten() error {
	for _, key := range w.heavy {
		v, done, err := w.x.db.Get(key)
		if err != nil {
			return fmt.Errorf("key index: %w", err)
		}
		k, offset, _, err := parseEntry(v)
		if err == nil && k == value {
			err = w.x.db.Set(key, appendEntry(nil, elsewhere, offset, nil), pebble.NoSync)
		}
		if err = errors.Join(err, done.Close()); err != nil {
			return fmt.Errorf("key index: %w", err)
		}
	}
	w.heavy = w.heavy[:0]
	return nil
}

// Abort drops the open commit. Partitions it touched are loaded anew when
// somebody asks.
func (w *Writer) Abort(ctx context.Context) error {
	touched, err := w.Writer.Flush(ctx) // what is dropped must lie below the stable end before anything is loaded
	if err != nil {
		return err
	}
	if err := w.Writer.Abort(ctx); err != nil {
		return err
	}
	maps.Copy(w.ends, touched)
	w.heavy = w.heavy[:0]
	for tp, p := range w.loaded {
		if p.open {
			delete(w.loaded, tp)
			if err := w.forget(p.id, p.id+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget removes the entries of partitions from one id to before another.
func (w *Writer) forget(from, to uint32) error {
	return w.x.db.DeleteRange(entryKey(nil, w.space, from, nil), entryKey(nil, w.space, to, nil), pebble.NoSync)
}

// Close frees the writer and its part of the index.
func (w *Writer) Close() error {
	err := w.Writer.Close()
	if w.far != nil {
		err = errors.Join(err, w.far.Close())
		w.far = nil
	}
	if w.number > 0 {
		err = errors.Join(err, w.forget(0, w.number+1))
		w.number = 0
	}
	clear(w.loaded)
	return err
}

// Latest finds the newest record of a key; see log.Index.
func (w *Writer) Latest(ctx context.Context, tp log.TopicPartition, key []byte) ([]byte, int64, bool, error) {
	p, err := w.load(ctx, tp)
	if err != nil {
		return nil, 0, false, err
	}
	w.key = entryKey(w.key[:0], w.space, p.id, key)
	b, done, err := w.x.db.Get(w.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, fmt.Errorf("key index of %s: %w", tp, err)
	}
	defer done.Close()
	k, offset, v, err := parseEntry(b)
	switch {
	case err != nil:
		return nil, 0, false, fmt.Errorf("key index of %s: %w", tp, err)
	case k == tombstone:
		return nil, offset, true, nil
	case k == elsewhere:
		v, err = w.fetch(ctx, tp, key, offset)
		return v, offset, err == nil, err
	}
	w.value = append(w.value[:0], v...)
	return w.value[:len(v):len(v)], offset, true, nil
}

// fetch reads the value of a committed record from the log.
func (w *Writer) fetch(ctx context.Context, tp log.TopicPartition, key []byte, offset int64) ([]byte, error) {
	if w.far == nil {
		var err error
		if w.far, err = w.x.Log.Reader(ctx); err != nil {
			return nil, err
		}
	}
	if err := w.far.Assign(log.Offsets{tp: offset}); err != nil {
		return nil, err
	}
	w.far.Limit(log.Offsets{tp: offset + 1})
	for {
		f, err := w.far.Next(ctx, 1)
		if err != nil {
			return nil, fmt.Errorf("read %s at %d: %w", tp, offset, err)
		}
		for i := range f.Records {
			if r := &f.Records[i]; r.Offset == offset && bytes.Equal(r.Key, key) {
				w.value = append(w.value[:0], r.Value...)
				return w.value, nil
			}
		}
		if f.Next > offset {
			return nil, fmt.Errorf("read %s at %d: the record of the key index is not there: somebody else writes to this partition", tp, offset)
		}
	}
}

// Stale finds keys whose newest record is old and no tombstone; see log.Index.
func (w *Writer) Stale(ctx context.Context, tp log.TopicPartition, below int64, after []byte, max int) ([][]byte, error) {
	p, err := w.load(ctx, tp)
	if err != nil {
		return nil, err
	}
	from := entryKey(nil, w.space, p.id, after)
	if after != nil {
		from = append(from, 0) // the next key in byte order
	}
	it, err := w.x.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: entryKey(nil, w.space, p.id+1, nil)})
	if err != nil {
		return nil, fmt.Errorf("key index of %s: %w", tp, err)
	}
	keys, err := w.collect(it, below, max)
	if err = errors.Join(err, it.Close()); err != nil {
		return nil, fmt.Errorf("key index of %s: %w", tp, err)
	}
	return keys, nil
}

func (w *Writer) collect(it *pebble.Iterator, below int64, max int) ([][]byte, error) {
	w.keys, w.arena = w.keys[:0], w.arena[:0]
	for ok := it.First(); ok && len(w.keys) < max; ok = it.Next() {
		k, offset, _, err := parseEntry(it.Value())
		if err != nil {
			return nil, err
		}
		if k == tombstone || offset >= below {
			continue
		}
		at := len(w.arena)
		w.arena = append(w.arena, it.Key()[prefixBytes:]...)
		w.keys = append(w.keys, w.arena[at:len(w.arena):len(w.arena)])
	}
	return w.keys, it.Error()
}
