package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
)

// Target implements deliver.Target over a folder.
type Target struct {
	config Config
	events *event.Encoder

	mu       sync.Mutex // one at a time: who calls, or the clock
	dir      *folder
	manifest *manifest // as it is committed
	lanes    []*lane   // by the number of the topic
	done     []file    // finished, and not committed as such
	named    bool      // files were made since the last commit
	dirty    bool      // something was written since the last commit
	failed   error     // of the clock
	swept    time.Time

	stop  context.CancelFunc
	tasks sync.WaitGroup // the clock
}

// New makes a target. Nothing is touched yet.
func New(c Config) *Target {
	c = c.withDefaults()
	t := &Target{config: c, events: event.New(c.Origins...)}
	for i := range c.Origins {
		t.lanes = append(t.lanes, &lane{Target: t, number: i})
	}
	return t
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
		for i, l := range t.lanes {
			l.left = t.manifest.open(i)
		}
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
		if err := cmp.Or(t.failed, t.lanes[b.Changes[i].Topic].append(ctx, &b.Changes[i])); err != nil {
			return t.trouble(err)
		}
	}
	return nil
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
	next.Finished, next.Resume = t.done, resumeOf(at)
	next.hold(t.lanes)
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

// settleAll makes what was written durable, and ends files that are old enough.
func (t *Target) settleAll(ctx context.Context) error {
	for _, l := range t.lanes {
		if err := l.settleOrEnd(ctx); err != nil {
			return err
		}
	}
	return nil
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
	if t.failed == nil && !t.dirty && slices.ContainsFunc(t.lanes, (*lane).isOld) {
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
	for _, l := range t.lanes {
		l.drop()
	}
	if t.dir != nil {
		t.dir.close()
		t.dir = nil
	}
	return nil
}
