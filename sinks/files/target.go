package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/schema"
)

// Target implements deliver.Target over a folder.
type Target struct {
	config Config
	events *event.Encoder

	mu       sync.Mutex // one at a time: who calls, or the clock
	dir      *folder
	manifest *manifest // as it is committed
	now      *writing  // the file that changes go into; nil: none
	left     *file     // of an earlier target, to go on with; nil: none
	done     []file    // finished, and not committed as such
	named    bool      // files were made since the last commit
	dirty    bool      // something was written since the last commit
	failed   error     // of the clock
	shaped   *schema.Table
	shape    string // of shaped
	swept    time.Time

	stop  context.CancelFunc
	tasks sync.WaitGroup // the clock
}

// writing is a file that is written.
type writing struct {
	file
	at      *os.File
	pending pending
	encoder encoder
}

// New makes a target. Nothing is touched yet.
func New(c Config) *Target {
	c = c.withDefaults()
	return &Target{config: c, events: event.New(c.Origin)}
}

func lost(why string) error { return &deliver.Renewal{Why: why} }

func isRenewal(err error) bool {
	var r *deliver.Renewal
	return errors.As(err, &r)
}

// Open implements pipeline.Sink. It cuts off what was not committed.
func (t *Target) Open(ctx context.Context) (pipeline.Resume, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.open(ctx); err != nil {
		return pipeline.Resume{}, t.trouble(err)
	}
	ctx, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	t.tasks.Go(func() { t.watchClock(ctx) })
	return t.manifest.Resume.resume(), nil
}

func (t *Target) open(ctx context.Context) (err error) {
	if t.dir, err = openFolder(ctx, t.config.Path); err != nil {
		return err
	}
	return t.dir.holding(ctx, func() error {
		if t.manifest, err = t.ownManifest(); err != nil {
			return err
		}
		if t.manifest == nil {
			t.manifest, err = t.dir.begin(t.config.Owner, nil)
			return err
		}
		t.left = t.manifest.Open
		return t.dir.settle(t.manifest)
	})
}

// ownManifest gives the manifest; nil if there is none.
func (t *Target) ownManifest() (*manifest, error) {
	m, err := readManifest(t.dir.Root)
	if err == nil && m != nil && m.Owner != t.config.Owner {
		return nil, &pipeline.Refusal{Code: CodeTaken, Where: "sink " + t.config.Name + ", folder " + t.config.Path, What: fmt.Sprintf("sink %s writes there", m.Owner),
			Mend: "write another path below sinks." + t.config.Name + ".files"}
	}
	return m, err
}

// Write implements pipeline.Sink.
func (t *Target) Write(ctx context.Context, b pipeline.Batch) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range b.Changes {
		if err := cmp.Or(t.failed, t.append(ctx, &b.Changes[i])); err != nil {
			return t.trouble(err)
		}
	}
	return nil
}

func (t *Target) append(ctx context.Context, c *pipeline.Change) error {
	if err := t.ready(ctx, c); err != nil {
		return err
	}
	t.dirty = true
	if err := t.now.encoder.append(c, t.manifest.Filling != ""); err != nil {
		return t.reject(ctx, c, err)
	}
	if len(t.now.pending.bytes) >= t.config.Block {
		if err := t.flush(ctx); err != nil {
			return err
		}
	}
	if t.now.Bytes+int64(len(t.now.pending.bytes)) >= t.config.RotateBytes {
		return t.finish(ctx)
	}
	return nil
}

// reject is told of a row that has no form in the file.
func (t *Target) reject(ctx context.Context, c *pipeline.Change, why error) error {
	place := deliver.PlaceOf(t.config.Origin.Topic, c)
	return t.config.Rejects.Reject(ctx, deliver.Rejection{Place: place, Why: &pipeline.Refusal{
		Code: CodeRow, Where: fmt.Sprintf("sink %s, %s/%d at offset %d", t.config.Name, place.Topic, place.Partition, place.Offset), What: "the row has no Avro form", Err: why,
		Mend: "write format: jsonl below sinks." + t.config.Name + ".files; or let the sink go on without such rows: on_reject: dead_letter"}})
}

// ready sees to it that there is a file for rows of c's shape.
func (t *Target) ready(ctx context.Context, c *pipeline.Change) error {
	shape, err := t.shapeOf(c.Table)
	if err != nil {
		return err
	}
	if t.now != nil && t.now.Shape != shape {
		if err := t.finish(ctx); err != nil {
			return err
		}
	}
	if t.now != nil {
		return nil
	}
	if left := t.left; left != nil {
		t.left = nil
		if left.Shape == shape {
			return t.begin(ctx, c.Table, *left, true)
		}
		t.done = append(t.done, *left)
	}
	t.named = true
	return t.begin(ctx, c.Table, file{Name: t.manifest.name(c, t.config.Format), Shape: shape, Since: time.Now()}, false)
}

// begin opens a file for rows of one table version.
func (t *Target) begin(ctx context.Context, table *schema.Table, f file, continued bool) (err error) {
	w := &writing{file: f}
	if w.encoder, err = t.newEncoder(table, f.Name, continued, &w.pending); err != nil {
		return err
	}
	err = t.dir.holding(ctx, func() error {
		w.at, err = t.dir.OpenFile(t.manifest.writing()+"/"+f.Name+openSuffix, os.O_WRONLY|os.O_CREATE, 0o600)
		return err
	})
	if err == nil {
		t.now = w
	}
	return err
}

// flush writes the pending bytes, behind all that is written.
func (t *Target) flush(ctx context.Context) error {
	w := t.now
	if len(w.pending.bytes) == 0 {
		return nil
	}
	return t.dir.holding(ctx, func() error {
		n, err := w.at.WriteAt(w.pending.bytes, w.Bytes)
		w.Bytes += int64(n)
		w.pending.bytes = w.pending.bytes[:0]
		return err
	})
}

// settle makes all of the present file durable.
func (t *Target) settle(ctx context.Context) error {
	if err := t.now.encoder.flush(); err != nil {
		return err
	}
	return cmp.Or(t.flush(ctx), t.now.at.Sync())
}

// finish ends the present file. It has its name from the next commit on.
func (t *Target) finish(ctx context.Context) error {
	if err := t.settle(ctx); err != nil {
		return err
	}
	w := t.now
	t.now = nil
	t.done = append(t.done, w.file)
	return errors.Join(w.encoder.close(), w.at.Close())
}

// Commit implements pipeline.Sink. See the package's page for the order.
func (t *Target) Commit(ctx context.Context, at pipeline.Resume) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.trouble(cmp.Or(t.failed, t.commit(ctx, at)))
}

func (t *Target) commit(ctx context.Context, at pipeline.Resume) error {
	if err := t.settleAll(ctx); err != nil {
		return err
	}
	next := *t.manifest
	next.Open, next.Finished, next.Resume = t.left, t.done, resumeOf(at)
	if t.now != nil {
		f := t.now.file
		next.Open = &f
	}
	series := next.writing()
	if at.Whole() && next.Filling != "" {
		next.Seen, next.Filling = next.Filling, ""
	}
	err := t.dir.holding(ctx, func() error {
		if t.named {
			if err := syncDir(t.dir.Root, series); err != nil {
				return err
			}
		}
		if err := next.write(t.dir.Root); err != nil {
			return err
		}
		t.manifest = &next
		return cmp.Or(t.rename(series), t.expire())
	})
	if err != nil {
		return err
	}
	t.done, t.named, t.dirty = nil, false, false
	return nil
}

// settleAll makes what was written durable, and ends a file that is old enough.
func (t *Target) settleAll(ctx context.Context) error {
	if t.left != nil && t.old(t.left) {
		t.done, t.left = append(t.done, *t.left), nil
	}
	switch {
	case t.now == nil:
		return nil
	case t.old(&t.now.file):
		return t.finish(ctx)
	}
	return t.settle(ctx)
}

func (t *Target) old(f *file) bool { return time.Since(f.Since) >= t.config.RotateAfter }

// rename gives the finished files their names; they are committed.
func (t *Target) rename(series string) error {
	for _, f := range t.done {
		if err := t.dir.Rename(series+"/"+f.Name+openSuffix, series+"/"+f.Name); err != nil {
			return err
		}
	}
	if len(t.done) == 0 {
		return nil
	}
	return syncDir(t.dir.Root, series)
}

// sweepPeriod is how often is looked for files beyond the retention.
const sweepPeriod = time.Minute

func (t *Target) expire() error {
	if t.config.Retention <= 0 || time.Since(t.swept) < min(sweepPeriod, t.config.Retention) {
		return nil
	}
	t.swept = time.Now()
	return t.dir.expire(t.manifest, t.config.Retention, t.swept)
}

// watchClock ends the file of a sink that nothing comes to when it is old enough.
func (t *Target) watchClock(ctx context.Context) {
	tick := time.NewTicker(max(time.Millisecond, min(t.config.RotateAfter/4, time.Minute)))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.endOld(ctx)
		}
	}
}

func (t *Target) endOld(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	idle := t.failed == nil && !t.dirty
	if idle && (t.left != nil && t.old(t.left) || t.now != nil && t.old(&t.now.file)) {
		t.failed = t.commit(ctx, t.manifest.Resume.resume())
	}
}

// Renew implements deliver.Target: a new series is begun.
func (t *Target) Renew(ctx context.Context) (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dir, err = openFolder(ctx, t.config.Path); err != nil {
		return t.trouble(err)
	}
	return t.trouble(t.dir.holding(ctx, func() error {
		old, err := t.ownManifest()
		if err == nil && old != nil && old.Filling == "" {
			err = t.dir.leave(old)
		}
		if err != nil {
			return err
		}
		t.manifest, err = t.dir.begin(t.config.Owner, old)
		return err
	}))
}

func (t *Target) trouble(err error) error { return trouble(t.config.Name, t.config.Path, err) }

// Close implements pipeline.Sink.
func (t *Target) Close() error {
	if t.stop != nil {
		t.stop()
		t.tasks.Wait()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now != nil {
		_ = errors.Join(t.now.encoder.close(), t.now.at.Close())
		t.now = nil
	}
	if t.dir != nil {
		t.dir.close()
		t.dir = nil
	}
	return nil
}
