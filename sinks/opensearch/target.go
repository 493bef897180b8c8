package opensearch

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/schema"
)

// A Target delivers rows to one alias as documents. It implements deliver.Target.
type Target struct {
	o     Options
	c     *client
	place *place
	at    *register
	all   indexes // as they were when the target was opened or began a fill
	seen  time.Time

	shape   *shape // of the newest table
	columns mapping
	seed    maphash.Seed
	lanes   []*lane
	running sync.WaitGroup
	cancel  context.CancelCauseFunc // of the lanes' goroutines

	id []byte
}

var _ deliver.Target = (*Target)(nil)

// shape is how rows of one table version are written.
type shape struct {
	table *schema.Table
	rows  *document.Encoder
}

// New makes a target. Nothing is connected yet.
func New(o Options) *Target { return &Target{o: o, seed: maphash.MakeSeed()} }

// take connects and becomes the holder.
func (t *Target) take(ctx context.Context) (err error) {
	if t.c, err = newClient(&t.o); err != nil {
		return err
	}
	if _, err = t.c.detect(ctx); err != nil {
		return err
	}
	if t.all, err = t.c.look(ctx); err != nil {
		return err
	}
	if err = t.all.guard(&t.o); err != nil {
		return err
	}
	t.at = newRegister(t.c)
	if t.place, err = t.at.take(ctx); err != nil {
		return err
	}
	if t.all, err = t.c.look(ctx); err != nil { // an older holder may have changed them until now, and others too
		return err
	}
	return t.all.guard(&t.o)
}

// Open implements deliver.Target.
func (t *Target) Open(ctx context.Context) (pipeline.Resume, error) {
	if err := t.take(ctx); err != nil {
		return pipeline.Resume{}, err
	}
	h := t.place.current()
	if h == nil {
		return pipeline.Resume{}, nil
	}
	if !t.all.has(h) {
		return pipeline.Resume{}, t.o.missing(h)
	}
	actions := t.all.fence(h, t.place.Holder)
	if t.place.Filling == nil {
		actions = append(actions, t.all.lead(&t.o, h.Index)...) // a switch that a crash came in between
	}
	if err := t.c.aliases(ctx, actions); err != nil {
		return pipeline.Resume{}, err
	}
	t.begin(h)
	return t.place.resume(), nil
}

// begin starts the lanes into an index.
func (t *Target) begin(h *held) {
	if t.columns == nil {
		t.columns = t.all[h.Index].Mappings.Meta.Evert.mapping()
	}
	t.seen = time.Now()
	ctx, cancel := context.WithCancelCause(context.Background())
	t.cancel = cancel
	w := newWriting(t.c, writerAlias(h.Index, t.place.Holder), t.columns)
	for range t.o.Requests {
		l := newLane(t.seed)
		t.lanes = append(t.lanes, l)
		t.running.Go(func() { l.run(ctx, w) })
	}
}

// Write implements deliver.Target. What fills a request is sent.
func (t *Target) Write(ctx context.Context, b pipeline.Batch) error {
	for _, table := range b.Tables {
		if err := t.announce(ctx, table); err != nil {
			return err
		}
	}
	for i := range b.Changes {
		if err := t.write(ctx, &b.Changes[i]); err != nil {
			return t.explain(ctx, err)
		}
	}
	return nil
}

// announce takes a table's shape: the index is made, or gets the fields that are
// new.
func (t *Target) announce(ctx context.Context, table *schema.Table) error {
	if t.shape != nil && t.shape.table == table {
		return nil
	}
	m, err := t.o.mappingOf(table)
	if err != nil {
		return err
	}
	if t.lanes == nil {
		err = t.fill(ctx, m)
	} else {
		err = t.widen(ctx, m)
	}
	t.shape = &shape{table, document.New(table.Columns)}
	return err
}

// fill begins an index beside what readers see.
func (t *Target) fill(ctx context.Context, m mapping) error {
	if err := t.c.clear(ctx, t.all, t.place); err != nil {
		return err
	}
	h, err := t.c.make(ctx, t.all, t.place, m)
	if err != nil {
		return err
	}
	t.place.Filling = h
	if err := t.at.write(ctx, t.place); err != nil {
		return err
	}
	t.columns = m
	t.begin(h)
	return nil
}

// widen adds fields to the index for columns that are new. A column that is gone or
// another leaves values in documents that no row has any more: it is filled anew.
func (t *Target) widen(ctx context.Context, m mapping) error {
	fresh, ok := m.added(t.columns)
	if !ok {
		return &deliver.Renewal{Why: "a column was removed, or is indexed in another way"}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := t.flush(ctx); err != nil { // lanes at rest read no columns
		return t.explain(ctx, err)
	}
	h := t.place.current()
	if err := t.c.widen(ctx, h.Index, m, fresh); err != nil {
		return err
	}
	for name, text := range fresh {
		t.columns[name] = text
	}
	return nil
}

// write adds one change to its lane.
func (t *Target) write(ctx context.Context, c *pipeline.Change) error {
	if t.shape == nil || t.shape.table != c.Table {
		if err := t.announce(ctx, c.Table); err != nil {
			return err
		}
	}
	row, gone := c.After, c.Op == pipeline.Delete
	if gone {
		row = c.Before
	}
	t.id = appendID(t.id[:0], c.Table, row)
	l := t.lanes[maphash.Bytes(t.seed, t.id)%uint64(len(t.lanes))]
	b := l.filled
	b.add(t.id, deliver.PlaceOf(t.o.Topic, c), deliver.VersionOf(t.o.Topic, c), gone)
	if !gone {
		b.lines = append(t.shape.rows.Append(b.lines, row), '\n')
	}
	b.end()
	b.ops[len(b.ops)-1].replay = deliver.IsReplay(c)
	if full := len(b.ops) >= t.o.BulkRows || len(b.lines) >= t.o.BulkBytes; full || len(b.ops) >= eagerRows && l.isIdle() {
		return l.hand(ctx)
	}
	return nil
}

// eagerRows are enough for a request when nothing else is under way in a lane: the
// cluster works while the next rows come.
const eagerRows = 500

// Commit implements deliver.Target: first every document is durable, then the
// place, and at the end of a fill readers are led to it.
func (t *Target) Commit(ctx context.Context, at pipeline.Resume) error {
	if err := t.flush(ctx); err != nil {
		return t.explain(ctx, err)
	}
	if err := t.recheck(ctx); err != nil {
		return err
	}
	whole := t.place.Filling != nil && at.Whole()
	if whole {
		if err := t.c.ready(ctx, t.place.Filling.Index); err != nil {
			return err
		}
		t.place.Serving, t.place.Filling = t.place.Filling, nil
	}
	t.place.setResume(at)
	if err := t.at.write(ctx, t.place); err != nil { // I1
		return err
	}
	if whole {
		return t.lead(ctx)
	}
	if t.o.Refresh && t.place.Filling == nil && t.place.Serving != nil {
		return t.c.refresh(ctx, t.place.Serving.Index)
	}
	return nil
}

// flush sends everything and waits for it.
func (t *Target) flush(ctx context.Context) error {
	for _, l := range t.lanes {
		if err := l.hand(ctx); err != nil {
			return err
		}
	}
	for _, l := range t.lanes {
		if err := l.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lead leads readers to what was filled, in one step with the end of what they saw
// before (R16).
func (t *Target) lead(ctx context.Context) (err error) {
	if t.all, err = t.c.look(ctx); err != nil {
		return err
	}
	if !t.all.has(t.place.Serving) {
		return t.o.missing(t.place.Serving)
	}
	if err := t.all.guard(&t.o); err != nil {
		return err
	}
	return t.c.aliases(ctx, t.all.lead(&t.o, t.place.Serving.Index))
}

// recheckEvery is how soon an index that was put in another's place, from a backup
// say, is noticed; one that was deleted is noticed by the next document.
const recheckEvery = 5 * time.Second

func (t *Target) recheck(ctx context.Context) error {
	h := t.place.current()
	if h == nil || time.Since(t.seen) < recheckEvery {
		return nil
	}
	t.seen = time.Now()
	id, err := t.c.uuid(ctx, writerAlias(h.Index, t.place.Holder))
	if err == nil && id != h.UUID {
		err = t.explain(ctx, errGone)
	}
	return err
}

// explain finds out why there is nothing to write to any more.
func (t *Target) explain(ctx context.Context, err error) error {
	if !errors.Is(err, errGone) {
		return err
	}
	seq, term := t.at.seq, t.at.term
	if _, err := t.at.read(ctx); err != nil {
		return err
	}
	if t.at.seq != seq || t.at.term != term {
		return errReplaced
	}
	all, lookErr := t.c.look(ctx)
	if lookErr != nil {
		return lookErr
	}
	if h := t.place.current(); !all.has(h) {
		return t.o.missing(h)
	}
	return err // the alias alone: opening makes it again
}

// Renew implements deliver.Target.
func (t *Target) Renew(ctx context.Context) error {
	if err := t.take(ctx); err != nil {
		return err
	}
	if !t.all.has(t.place.Serving) {
		t.place.Serving = nil
	}
	t.place.Filling = nil
	t.place.setResume(pipeline.Resume{})
	if err := t.at.write(ctx, t.place); err != nil {
		return err
	}
	return t.c.clear(ctx, t.all, t.place)
}

var errClosed = errors.New("the target is closed")

// Close implements deliver.Target.
func (t *Target) Close() error {
	if t.cancel != nil {
		t.cancel(errClosed)
		for _, l := range t.lanes {
			close(l.work)
		}
		t.running.Wait()
		t.cancel, t.lanes = nil, nil
	}
	if t.c != nil {
		t.c.close()
	}
	return nil
}
