package view

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/avro"
)

// told is what the view's topic says, where the state may not know it: all of
// the topic beside an empty state, else what lies behind the state's progress.
//
//	key of the record ─► said: a sum of the value, or none for a tombstone
//	                  ─► is:   the value now, or none; added by the epoch
type told struct {
	sorter dataflow.Sorter
	n      int64       // records
	ends   log.Offsets // how far the topic was heard: the next frontier covers it
}

// What an entry of the sorter is: its first byte.
const (
	saidRow  = 's'
	saidNone = 't'
	isRow    = 'v'
	isNone   = 'w'
)

// listen reads the view's topic from some offsets to its end.
func (t *Task) listen(ctx context.Context, from log.Offsets, ends []log.Ends) error {
	var heard *told
	for p, bounds := range ends {
		tp := log.TopicPartition{Topic: t.output.topic, Partition: int32(p)}
		bounds.Start = max(bounds.Start, from[tp])
		if bounds.Start >= bounds.Stable {
			continue
		}
		if heard == nil {
			s, err := t.place.state.Sorter()
			if err != nil {
				return err
			}
			heard = &told{sorter: s, ends: log.Offsets{}}
		}
		heard.ends[tp] = bounds.Stable
		if err := log.Scan(ctx, t.Log, tp, bounds, heard.hear); err != nil {
			return fmt.Errorf("read back %s: %w", tp, dropped(err, heard))
		}
	}
	if heard != nil && heard.n == 0 {
		return heard.sorter.Close() // offsets without records
	}
	t.told = heard
	return nil
}

func dropped(err error, h *told) error {
	_ = h.sorter.Close()
	return err
}

func (h *told) hear(r *log.Record) error {
	h.n++
	if r.Value == nil {
		return h.sorter.Add(r.Key, []byte{saidNone})
	}
	sum := sha256.Sum256(r.Value)
	return h.sorter.Add(r.Key, append([]byte{saidRow}, sum[:]...))
}

// compare finishes the epoch, and emits the rows in which the topic differs from
// the result.
func (e *epoch) compare(ctx context.Context, run Epoch) error {
	err := run.Finish(ctx, func(c dataflow.Change) error {
		e.changed(c)
		return e.note(c)
	})
	if err != nil {
		return err
	}
	c, err := e.told.sorter.Sort()
	if err != nil {
		return err
	}
	defer c.Close()
	d := difference{epoch: e}
	for c.Next() {
		if err := d.next(ctx, c.Key(), c.Value()); err != nil {
			return err
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	return d.end(ctx)
}

// note adds a changed row beside what the topic says of its key.
func (e *epoch) note(c dataflow.Change) (err error) {
	o := e.output
	if o.key, err = o.appendKey(o.key[:0], c.Key); err != nil {
		return err
	}
	if c.New == nil {
		return e.told.sorter.Add(o.key, []byte{isNone})
	}
	if o.value, err = o.appendValue(append(o.value[:0], isRow), c.New); err != nil {
		return err
	}
	return e.told.sorter.Add(o.key, o.value)
}

// difference goes over the entries of one key after the other; the last of each
// kind counts.
type difference struct {
	*epoch
	key   []byte
	said  []byte
	is    []byte
	any   bool
	arena avro.Arena
}

func (d *difference) next(ctx context.Context, key, entry []byte) error {
	if !d.any || !bytes.Equal(d.key, key) {
		if err := d.end(ctx); err != nil {
			return err
		}
		d.key, d.said, d.is, d.any = append(d.key[:0], key...), d.said[:0], d.is[:0], true
	}
	switch entry[0] {
	case saidRow, saidNone:
		d.said = append(d.said[:0], entry...)
	default:
		d.is = append(d.is[:0], entry...)
	}
	return nil
}

// end emits the key's row if the topic says something else.
func (d *difference) end(ctx context.Context) error {
	if !d.any {
		return nil
	}
	value, err := d.value()
	if err != nil || d.says(value) {
		return err
	}
	return d.put(ctx, d.key, value)
}

// value is the key's row in the result; nil if there is none. One that the epoch
// did not change is in the state.
func (d *difference) value() ([]byte, error) {
	switch {
	case len(d.is) > 0 && d.is[0] == isRow:
		return d.is[1:], nil
	case len(d.is) > 0 || d.reader() == nil:
		return nil, nil
	}
	d.arena.Reset()
	key, err := d.output.keyOf(d.key, &d.arena)
	if err != nil {
		return nil, nil //nolint:nilerr // a key of another schema: no row has it
	}
	row, ok, err := d.Engine.Result(d.reader(), key)
	if err != nil || !ok {
		return nil, err
	}
	d.is, err = d.output.appendValue(append(d.is[:0], isRow), row)
	return d.is[1:], err
}

// says reports whether the topic holds value already.
func (d *difference) says(value []byte) bool {
	if len(d.said) == 0 {
		return false // a change of which it does not know
	}
	if value == nil {
		return d.said[0] == saidNone
	}
	sum := sha256.Sum256(value)
	return d.said[0] == saidRow && bytes.Equal(d.said[1:], sum[:])
}
