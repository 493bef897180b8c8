package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// A lane is the files of one topic, one after the other. It is used as its Target is.
type lane struct {
	*Target
	number int           // of the topic
	now    *writing      // the file that changes go into; nil: none
	left   *file         // of an earlier target, to go on with; nil: none
	shaped *schema.Table // whose shape is known
	shape  string
}

// writing is a file that is written.
type writing struct {
	file
	at      *os.File
	pending pending
	encoder encoder
}

// append takes a change into the present file.
func (l *lane) append(ctx context.Context, c *pipeline.Change) error {
	if err := l.ready(ctx, c); err != nil {
		return err
	}
	l.dirty = true
	if err := l.now.encoder.append(c, l.manifest.Filling != ""); err != nil {
		return l.reject(ctx, c, err)
	}
	if len(l.now.pending.bytes) >= l.config.Block {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	if l.now.Bytes+int64(len(l.now.pending.bytes)) >= l.config.RotateBytes {
		return l.finish(ctx)
	}
	return nil
}

// reject is told of a row that has no form in the file.
func (l *lane) reject(ctx context.Context, c *pipeline.Change, why error) error {
	place := deliver.PlaceOf(l.config.Origins[l.number].Topic, c)
	return l.config.Rejects.Reject(ctx, deliver.Rejection{Place: place, Why: &pipeline.Refusal{
		Code: CodeRow, Where: fmt.Sprintf("sink %s, %s/%d at offset %d", l.config.Name, place.Topic, place.Partition, place.Offset), What: "the row has no Avro form", Err: why,
		Mend: "write format: jsonl below sinks." + l.config.Name + ".files; or let the sink go on without such rows: on_reject: dead_letter"}})
}

// ready sees to it that there is a file for rows of c's shape.
func (l *lane) ready(ctx context.Context, c *pipeline.Change) error {
	shape, err := l.shapeOf(c.Table)
	if err != nil {
		return err
	}
	if l.now != nil && l.now.Shape != shape {
		if err := l.finish(ctx); err != nil {
			return err
		}
	}
	if l.now != nil {
		return nil
	}
	if left := l.left; left != nil {
		l.left = nil
		if left.Shape == shape {
			return l.begin(ctx, c.Table, *left, true)
		}
		l.done = append(l.done, *left)
	}
	l.named = true
	return l.begin(ctx, c.Table, file{Name: l.manifest.name(c, len(l.lanes), l.config.Format), Shape: shape, Since: time.Now()}, false)
}

// begin opens a file for rows of one table version.
func (l *lane) begin(ctx context.Context, table *schema.Table, f file, continued bool) (err error) {
	w := &writing{file: f}
	if w.encoder, err = l.newEncoder(table, f.Name, continued, &w.pending); err != nil {
		return err
	}
	err = l.dir.holding(ctx, func() error {
		w.at, err = l.dir.OpenFile(l.manifest.writing()+"/"+f.Name+openSuffix, os.O_WRONLY|os.O_CREATE, 0o600)
		return err
	})
	if err == nil {
		l.now = w
	}
	return err
}

// flush writes the pending bytes, behind all that is written.
func (l *lane) flush(ctx context.Context) error {
	w := l.now
	if len(w.pending.bytes) == 0 {
		return nil
	}
	return l.dir.holding(ctx, func() error {
		n, err := w.at.WriteAt(w.pending.bytes, w.Bytes)
		w.Bytes += int64(n)
		w.pending.bytes = w.pending.bytes[:0]
		return err
	})
}

// settle makes all of the present file durable.
func (l *lane) settle(ctx context.Context) error {
	if err := l.now.encoder.flush(); err != nil {
		return err
	}
	return cmp.Or(l.flush(ctx), l.now.at.Sync())
}

// finish ends the present file. It has its name from the next commit on.
func (l *lane) finish(ctx context.Context) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	w := l.now
	l.now = nil
	l.done = append(l.done, w.file)
	return errors.Join(w.encoder.close(), w.at.Close())
}

// settleOrEnd makes what was written durable, and ends a file that is old enough.
func (l *lane) settleOrEnd(ctx context.Context) error {
	if l.left != nil && l.old(l.left) {
		l.done, l.left = append(l.done, *l.left), nil
	}
	switch {
	case l.now == nil:
		return nil
	case l.old(&l.now.file):
		return l.finish(ctx)
	}
	return l.settle(ctx)
}

// isOld reports whether a file has to be ended.
func (l *lane) isOld() bool {
	return l.left != nil && l.old(l.left) || l.now != nil && l.old(&l.now.file)
}

// open is the file that goes on behind a commit; nil if none does.
func (l *lane) open() *file {
	if l.now == nil {
		return l.left
	}
	f := l.now.file
	return &f
}

// drop lets go of what was not committed.
func (l *lane) drop() {
	if l.now != nil {
		_ = errors.Join(l.now.encoder.close(), l.now.at.Close())
		l.now = nil
	}
}
