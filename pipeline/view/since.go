package view

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// Since calls fn with the key of every row that changed behind an epoch, perhaps
// more than once, and with those of rows that changed in none that is shown yet. The
// key is valid during the call. It is false if the log does not tell that any more:
// the epoch is of another history, its frontier record or tombstones behind it were
// compacted. Any goroutine may call it.
func (t *Task) Since(ctx context.Context, epoch uint64, fn func(key schema.Row) error) (bool, error) {
	at, written, ok, err := t.frontierAt(ctx, epoch)
	if !ok || err != nil {
		return false, err
	}
	topic := Topic(t.Deployment, t.Name)
	infos, err := t.Log.Admin().Topics(ctx, topic)
	if err != nil || len(infos) != 1 || infos[0].ID != at.Tables[topic].ID {
		return false, err
	}
	if keep := infos[0].Retention; keep > 0 && t.Now().Sub(written) > keep*8/10 {
		return false, nil // K17
	}
	o := output{table: Table(t.Deployment, t.Name, t.Plan)}
	if o.codec, err = avro.Compile(o.table, avro.Options{Topic: topic, Envelope: avro.Row}); err != nil {
		return false, err
	}
	if o.keyID, _, err = t.Registry.Latest(ctx, topic+"-key"); err != nil {
		return false, fmt.Errorf("look up the key schema of view %s: %w", t.Name, err)
	}
	for p, ends := range infos[0].Ends {
		tp := log.TopicPartition{Topic: topic, Partition: int32(p)}
		ends.Start = at.Offsets[tp]
		switch err := log.Scan(ctx, t.Log, tp, ends, o.keysTo(fn)); {
		case errors.Is(err, log.ErrGap), errors.Is(err, errNoKey):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// keysTo decodes keys.
func (o *output) keysTo(fn func(key schema.Row) error) func(r *log.Record) error {
	var arena avro.Arena
	return func(r *log.Record) error {
		arena.Reset()
		key, err := o.keyOf(r.Key, &arena)
		if err != nil {
			return err
		}
		return fn(key)
	}
}

// frontierAt finds what the view's frontier said at an epoch, and when the log took
// that.
func (t *Task) frontierAt(ctx context.Context, epoch uint64) (at log.Frontier, written time.Time, ok bool, err error) {
	topic := FrontierTopic(t.Deployment, t.Name)
	infos, err := t.Log.Admin().Topics(ctx, topic)
	if err != nil || len(infos) == 0 {
		return at, written, false, err
	}
	var fold log.Fold
	err = log.Scan(ctx, t.Log, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(r *log.Record) error {
		if err := fold.Apply(r); err != nil {
			return err
		}
		if f, known := fold.Frontier(); known && f.Number+1 == epoch {
			at, written, ok = f.Clone(), r.Time, true
		}
		return nil
	})
	newest, known := fold.Frontier()
	return at, written, ok && known && newest.Incarnation == at.Incarnation, err
}
