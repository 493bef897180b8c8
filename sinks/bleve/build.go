package bleve

import (
	"context"
	"errors"
	"strings"
	"time"

	bleve "github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/index/scorch"
	index "github.com/blevesearch/bleve_index_api"
	bolterrors "go.etcd.io/bbolt/errors"
)

// A build is one index in a folder. One goroutine writes it; readers take
// snapshots.
type build struct {
	name   string
	scorch *scorch.Scorch
	state  state // what was committed last; owned by the writer
	fields map[string]struct{}
}

// The library saves what was applied a moment after, so that commits behind one
// another share a save, and tries again no faster when the disk is full.
const saveEvery = 5 * time.Millisecond

// openBuild opens the index in dir, and makes it if there is none. What lies there
// is checked first.
func openBuild(ctx context.Context, dir, name string, c *Config, queue *index.AnalysisQueue, mustBe bool) (*build, error) {
	err := inspect(ctx, dir, c.LockTimeout)
	if err != nil && (mustBe || !isMissing(err)) {
		return nil, lockedOr(dir, judge(err))
	}
	b := &build{name: name}
	if err := guard(func() error { return b.open(dir, c, queue) }); err != nil {
		return nil, lockedOr(dir, judge(err))
	}
	if err := guard(func() error { return b.load(ctx, mustBe) }); err != nil {
		_ = b.close()
		return nil, err
	}
	return b, nil
}

func lockedOr(dir string, err error) error {
	if errors.Is(err, bolterrors.ErrTimeout) {
		return locked(dir)
	}
	return err
}

func (b *build) open(dir string, c *Config, queue *index.AnalysisQueue) error {
	x, err := scorch.NewScorch(scorch.Name, map[string]any{
		"path": dir, "bolt_timeout": c.LockTimeout.String(), "numSnapshotsToKeep": 1,
		"scorchPersisterOptions": map[string]any{"PersisterNapTimeMSec": saveEvery.Milliseconds(), "PersisterNapUnderNumFiles": 1 << 20},
	}, queue)
	if err != nil {
		return err
	}
	b.scorch = x.(*scorch.Scorch)
	return b.scorch.Open()
}

// load reads the record of the index, and holds the index to it.
func (b *build) load(ctx context.Context, mustBe bool) error {
	snap, err := b.snapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	if b.state, err = stateOf(snap); err != nil {
		return err
	}
	if mustBe && b.state.resume.IsZero() {
		return torn("it has no record of its own")
	}
	if b.fields, err = jsonPaths(snap, b.state.shape); err != nil {
		return torn("%v", err)
	}
	return recount(ctx, snap, &b.state)
}

// snapshot gives the index as it is now; the caller closes it.
func (b *build) snapshot() (*scorch.IndexSnapshot, error) {
	r, err := b.scorch.Reader()
	if err != nil {
		return nil, err
	}
	snap, ok := r.(*scorch.IndexSnapshot)
	if !ok || snap == nil {
		return nil, errors.New("the index is closed")
	}
	return snap, nil
}

// stateOf gives the record that lies in a snapshot.
func stateOf(snap *scorch.IndexSnapshot) (state, error) {
	b, err := snap.GetInternal(stateKey)
	if err != nil {
		return state{}, torn("%v", err)
	}
	s, err := decodeState(b)
	if err != nil {
		return s, torn("%v", err)
	}
	return s, nil
}

// jsonPaths are the fields that JSON has added to an index.
func jsonPaths(snap *scorch.IndexSnapshot, s *shape) (map[string]struct{}, error) {
	known := map[string]struct{}{}
	if s == nil {
		return known, nil
	}
	all, err := snap.Fields()
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		name = strings.TrimSuffix(name, keywordPart)
		for i := range s.Fields {
			if f := &s.Fields[i]; f.Kind == asJSON && strings.HasPrefix(name, fieldName(f.Name)+".") {
				known[name] = struct{}{}
			}
		}
	}
	return known, nil
}

// write applies documents by id, where nil is none, and the record that goes with
// them, in one batch. It returns when it is durable. An error leaves the outcome
// open.
func (b *build) write(docs map[string]*bleve.Document, next state) error {
	snap, err := b.snapshot()
	if err != nil {
		return err
	}
	there, err := existing(snap, docs)
	_ = snap.Close()
	if err != nil {
		return err
	}
	batch := index.NewBatch()
	next.count, next.sum = b.state.count, b.state.sum
	for id, doc := range docs {
		_, was := there[id]
		switch {
		case doc != nil && !was:
			next.count, next.sum = next.count+1, next.sum+idHash([]byte(id))
		case doc == nil && was:
			next.count, next.sum = next.count-1, next.sum-idHash([]byte(id))
		case doc == nil:
			continue
		}
		if doc == nil {
			batch.Delete(id)
		} else {
			batch.Update(doc)
		}
	}
	record, err := next.encode()
	if err != nil {
		return err
	}
	batch.SetInternal(stateKey, record)
	if err := b.apply(batch); err != nil {
		return err
	}
	b.state = next
	return nil
}

// existing gives those of the ids that have a living document.
func existing(snap *scorch.IndexSnapshot, docs map[string]*bleve.Document) (map[string]struct{}, error) {
	ids := make([]string, 0, len(docs))
	for id := range docs {
		ids = append(ids, id)
	}
	there := map[string]struct{}{}
	for _, segment := range snap.Segments() {
		found, err := segment.DocNumbers(ids)
		if err != nil {
			return nil, err
		}
		for numbers := found.Iterator(); numbers.HasNext(); {
			id, err := segment.DocID(uint64(numbers.Next()))
			if err != nil {
				return nil, err
			}
			there[string(id)] = struct{}{}
		}
	}
	return there, nil
}

// givenUp is how long a batch may last after something in the library's
// background has failed: a goroutine that panicked saves nothing any more, and
// nobody would tell.
const givenUp = 30 * time.Second

// apply hands a batch to the library.
func (b *build) apply(batch *index.Batch) error {
	done, failed := make(chan error, 1), b.failures()
	go func() { done <- guard(func() error { return b.scorch.Batch(batch) }) }()
	tick := time.NewTicker(givenUp / 10)
	defer tick.Stop()
	var since time.Time
	for {
		select {
		case err := <-done:
			return err
		case now := <-tick.C:
			if since.IsZero() && b.failures() > failed {
				since = now
			}
			if !since.IsZero() && now.Sub(since) > givenUp {
				return errors.New("the index has stopped saving")
			}
		}
	}
}

// failures counts what has gone wrong in the library's background.
func (b *build) failures() uint64 {
	n, _ := b.scorch.StatsMap()["TotOnErrors"].(uint64)
	return n
}

// close frees the index; snapshots that were taken live on.
func (b *build) close() error {
	if b == nil || b.scorch == nil {
		return nil
	}
	x := b.scorch
	b.scorch = nil
	return guard(x.Close)
}
