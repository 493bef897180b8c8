package bleve

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/blevesearch/bleve/v2/index/scorch"
	api "github.com/blevesearch/bleve_index_api"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// An Index is the full-text index of one sink: what its readers see, and what its
// targets write. A process has one for each folder. Its methods may be called from
// any goroutine.
type Index struct {
	config Config
	words  analyzers

	write   sync.Mutex         // held by who opens, writes or switches
	folder  *folder            // under write; nil until it was opened
	queue   *api.AnalysisQueue // as folder
	owner   *target            // under write
	filling *build             // under write
	seen    string             // under write: the build that readers see; it may be closed for now

	mu      sync.RWMutex
	live    *build                // nil: nothing can be read
	shown   *scorch.IndexSnapshot // of live, at its newest commit; held for readers
	filled  uint64                // documents of the filling build
	isNew   bool                  // something is filled beside
	problem error                 // why nothing can be read; nil: it was not tried, or is not filled
	closed  bool
	moved   chan struct{} // closed at the next change
}

// New makes an index of a folder; nothing is opened yet.
func New(c Config) (*Index, error) {
	c.setDefaults()
	languages := []string{c.Language}
	for _, l := range c.Languages {
		languages = append(languages, l)
	}
	words, err := newAnalyzers(languages...)
	if err != nil {
		return nil, err
	}
	return &Index{config: c, words: words, moved: make(chan struct{})}, nil
}

// Load opens what readers see, if that has not happened. It is called by a target
// when it opens; before that it makes what was there readable.
func (x *Index) Load(ctx context.Context) error {
	x.write.Lock()
	defer x.write.Unlock()
	return x.load(ctx)
}

var errClosed = errors.New("the index is closed")

// load is Load, under write. A build that is torn is put aside.
func (x *Index) load(ctx context.Context) (err error) {
	defer func() { x.change(func() { x.problem = err }) }()
	if x.closed {
		return errClosed
	}
	if x.folder == nil {
		if x.folder, err = openFolder(x.config.Dir, x.config.Name); err != nil {
			return err
		}
		x.queue = api.NewAnalysisQueue(x.config.Workers)
	}
	if x.reading() != nil {
		return nil
	}
	name, err := x.folder.pointed(livePointer)
	if err != nil || name == "" {
		return err
	}
	b, err := x.open(ctx, name, true)
	if isTorn(err) {
		return x.putAside(livePointer, name, err)
	}
	if err != nil {
		return err
	}
	x.seen = name
	return x.show(b)
}

// show makes what a build holds now what readers see. Under write.
func (x *Index) show(b *build) error {
	snap, err := b.snapshot()
	if err != nil {
		return err
	}
	var old *scorch.IndexSnapshot
	x.change(func() { old, x.live, x.shown = x.shown, b, snap })
	return closeSnapshot(old)
}

// hide takes away what readers see. Under write.
func (x *Index) hide() error {
	var old *scorch.IndexSnapshot
	x.change(func() { old, x.live, x.shown = x.shown, nil, nil })
	return closeSnapshot(old)
}

func closeSnapshot(snap *scorch.IndexSnapshot) error {
	if snap == nil {
		return nil
	}
	return snap.Close()
}

// open opens a build; mustBe says that something was committed to it.
func (x *Index) open(ctx context.Context, name string, mustBe bool) (*build, error) {
	if err := x.folder.enter(name); err != nil {
		return nil, err
	}
	return openBuild(ctx, x.folder.dir(name), name, &x.config, x.queue, mustBe)
}

// putAside takes a build away that cannot be believed.
func (x *Index) putAside(pointer, name string, why error) error {
	x.config.Events.Torn(name, why.Error())
	return errors.Join(x.folder.unpoint(pointer), x.folder.setAside(name))
}

// own makes t the owner, and gives the build that it goes on with. Under write.
func (x *Index) own(ctx context.Context, t *target) (*build, error) {
	x.owner = t
	if err := x.load(ctx); err != nil {
		return nil, err
	}
	name, err := x.folder.pointed(fillingPointer)
	if err != nil {
		return nil, err
	}
	if name != "" && name == x.seen { // the switch had come that far
		name, err = "", x.folder.unpoint(fillingPointer)
	}
	if err != nil || name == "" && x.reading() != nil {
		return x.reading(), err
	}
	if name == "" {
		if name, err = x.begin(); err != nil {
			return nil, err
		}
	}
	if err := x.openFilling(ctx, name); err != nil {
		return nil, err
	}
	if x.filling.state.resume.Whole() { // all was there but the switch
		b := x.filling
		return b, x.reveal()
	}
	return x.filling, nil
}

// begin names a build to be filled.
func (x *Index) begin() (name string, err error) {
	if name, err = x.folder.next(); err != nil {
		return "", err
	}
	return name, x.folder.point(fillingPointer, name)
}

// openFilling opens the build that is filled, or begins another if it is torn.
func (x *Index) openFilling(ctx context.Context, name string) (err error) {
	if x.filling != nil && x.filling.name == name {
		return nil
	}
	b, err := x.open(ctx, name, false)
	if err == nil && b.state.resume.IsZero() && b.state.count > 0 {
		// What was written before the first commit may be gone from the log by now.
		err = errors.Join(b.close(), torn("its filling broke off before the first commit"))
	}
	if isTorn(err) {
		if err = x.putAside(fillingPointer, name, err); err != nil {
			return err
		}
		if name, err = x.begin(); err != nil {
			return err
		}
		b, err = x.open(ctx, name, false)
	}
	if err != nil {
		return err
	}
	x.filling = b
	x.change(func() { x.isNew, x.filled = true, b.state.count })
	return x.folder.sweep(name, x.seen)
}

// reveal makes the filled build the one that readers see, in one step. Under write.
func (x *Index) reveal() error {
	b := x.filling
	if err := x.folder.point(livePointer, b.name); err != nil {
		return err
	}
	old := x.reading()
	x.seen, x.filling = b.name, nil
	x.change(func() { x.isNew, x.filled, x.problem = false, 0, nil })
	err := x.show(b)
	x.config.Events.Switched(b.name)
	return errors.Join(err, x.folder.unpoint(fillingPointer), old.close(), x.folder.sweep(b.name))
}

// renew drops what is being filled and begins another. Under write.
func (x *Index) renew(ctx context.Context, t *target) error {
	x.owner = t
	if err := x.load(ctx); err != nil {
		return err
	}
	err := x.filling.close()
	x.filling = nil
	if _, e := x.begin(); e != nil {
		return errors.Join(err, e)
	}
	x.change(func() { x.isNew, x.filled = true, 0 })
	return err
}

// discard closes a build whose last batch failed, and opens what readers see from
// the disk again: what was applied in memory may never be saved. Under write.
func (x *Index) discard(ctx context.Context, b *build, why error) {
	x.config.Events.Trouble(why)
	if x.filling == b {
		x.filling = nil
	}
	if x.reading() == b {
		_ = x.hide()
	}
	_ = b.close()
	_ = x.load(context.WithoutCancel(ctx))
}

func (x *Index) reading() *build {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.live
}

// change changes what readers see, and tells those that wait.
func (x *Index) change(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f()
	close(x.moved)
	x.moved = make(chan struct{})
}

// Moved is closed as soon as the State is another than when it was called.
func (x *Index) Moved() <-chan struct{} {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.moved
}

// A State says how an index is.
type State struct {
	Live      bool            // there is something to read
	Filling   bool            // a build is filled, beside what is read if that is there
	Documents uint64          // of what is read
	Filled    uint64          // of the build that is filled
	Resume    pipeline.Resume // of what is read
	Problem   error           // why nothing can be read; nil if that is not known
}

// State gives it now.
func (x *Index) State() (State, error) {
	snap, s := x.snapshot()
	if snap == nil {
		return s, nil
	}
	defer snap.Close()
	record, err := stateOf(snap)
	s.Live, s.Documents, s.Resume = true, record.count, record.resume
	return s, err
}

// snapshot pins what readers see; it is nil while there is nothing.
func (x *Index) snapshot() (*scorch.IndexSnapshot, State) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := State{Filling: x.isNew, Filled: x.filled, Problem: x.problem}
	if x.shown != nil {
		x.shown.AddRef()
	}
	return x.shown, s
}

// Target makes one that writes the index. Rows that it does not take go to
// rejects.
func (x *Index) Target(rejects deliver.Rejects) deliver.Target {
	return &target{index: x, rejects: rejects}
}

// Close frees the index. It may be called again.
func (x *Index) Close() error {
	x.write.Lock()
	defer x.write.Unlock()
	if x.closed {
		return nil
	}
	live := x.reading()
	err := x.hide()
	x.change(func() { x.closed = true })
	err = errors.Join(err, live.close(), x.filling.close())
	x.filling, x.owner = nil, nil
	if x.folder != nil {
		x.queue.Close()
		err = errors.Join(err, x.folder.close())
	}
	if err != nil {
		return fmt.Errorf("close index %s: %w", x.config.Name, err)
	}
	return nil
}
