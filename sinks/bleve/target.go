package bleve

import (
	"context"

	bleve "github.com/blevesearch/bleve/v2/document"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// target writes an index. See the package for what is atomic.
type target struct {
	index   *Index
	rejects deliver.Rejects

	build  *build
	shape  *shape   // of the index with what is pending
	rowers []*rower // of the newest table versions
	json   jsonFields

	pending map[string]*bleve.Document // by id; nil: to be gone
	need    int                        // of memory to index what is pending
}

var _ deliver.Target = (*target)(nil)

// Open implements pipeline.Sink.
func (t *target) Open(ctx context.Context) (at pipeline.Resume, err error) {
	x := t.index
	x.write.Lock()
	defer x.write.Unlock()
	if t.build, err = x.own(ctx, t); err != nil {
		return at, err
	}
	s := &t.build.state
	if !x.config.agrees(s.shape) {
		return at, &deliver.Renewal{Why: "the languages of the index are others now"}
	}
	t.shape, t.rowers, t.need, t.pending = s.shape, nil, 0, map[string]*bleve.Document{}
	t.json = jsonFields{known: t.build.fields, max: x.config.MaxFields, maxLevels: x.config.MaxDepth}
	return s.resume, nil
}

// Renew implements deliver.Target.
func (t *target) Renew(ctx context.Context) error {
	t.index.write.Lock()
	defer t.index.write.Unlock()
	return t.index.renew(ctx, t)
}

// Write implements pipeline.Sink. It makes the documents; a batch that is full is
// applied, with the place of the last commit, and is not seen yet.
func (t *target) Write(ctx context.Context, b pipeline.Batch) error {
	for i := range b.Changes {
		if err := t.change(ctx, &b.Changes[i]); err != nil {
			return err
		}
		if t.need >= t.index.config.BatchMemory {
			if err := t.apply(ctx, t.build.state.resume, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *target) change(ctx context.Context, c *pipeline.Change) error {
	r, err := t.rower(c.Table)
	if err != nil {
		return err
	}
	if c.After == nil {
		id := r.id(c.Before)
		t.pending[id] = nil
		t.need += len(id) + goneBytes
		return nil
	}
	source, id := r.encoder.Append(nil, c.After), r.id(c.After)
	if limit := t.index.config.MaxDocumentBytes; len(source) > limit {
		t.pending[id] = nil // an earlier document of the row would say what it does not
		t.need += len(id) + goneBytes
		return t.rejects.Reject(ctx, deliver.Rejection{Place: deliver.PlaceOf(t.index.config.Topic, c), Why: tooLarge(c.Table.String(), len(source), limit)})
	}
	doc, need := r.document(id, c.After, source)
	t.pending[id] = doc
	t.need += need
	return nil
}

// goneBytes is what a pending delete needs beside its id, roughly.
const goneBytes = 256

// rowersKept is how many table versions are compiled at one time.
const rowersKept = 4

// rower gives what makes documents of a table version's rows.
func (t *target) rower(table *schema.Table) (*rower, error) {
	for _, r := range t.rowers {
		if r.table == table {
			return r, nil
		}
	}
	joined, why := t.shape.joined(t.index.config.shapeOf(table))
	if why != "" {
		return nil, &deliver.Renewal{Why: why}
	}
	t.shape = joined
	r := newRower(table, joined, t.index.words, &t.json)
	if len(t.rowers) == rowersKept {
		t.rowers = t.rowers[:0]
	}
	t.rowers = append(t.rowers, r)
	return r, nil
}

// Commit implements pipeline.Sink.
func (t *target) Commit(ctx context.Context, at pipeline.Resume) error { return t.apply(ctx, at, true) }

// apply writes what is pending, and a place with it. It is seen when the commit
// is whole.
func (t *target) apply(ctx context.Context, at pipeline.Resume, whole bool) error {
	x := t.index
	x.write.Lock()
	defer x.write.Unlock()
	if x.owner != t {
		return takenOver(x.config.Name)
	}
	at.State = append([]byte(nil), at.State...)
	if err := guard(func() error { return t.build.write(t.pending, state{resume: at, shape: t.shape}) }); err != nil {
		x.discard(ctx, t.build, err)
		x.owner = nil
		return err
	}
	clear(t.pending)
	t.need = 0
	if x.filling == t.build {
		x.change(func() { x.filled = t.build.state.count })
		if whole && at.Whole() {
			return x.reveal()
		}
		return nil
	}
	if whole {
		return x.show(t.build)
	}
	return nil
}

// Close implements pipeline.Sink. The index stays readable.
func (t *target) Close() error {
	t.index.write.Lock()
	defer t.index.write.Unlock()
	if t.index.owner == t {
		t.index.owner = nil
	}
	t.pending, t.rowers = nil, nil
	return nil
}
