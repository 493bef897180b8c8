package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/transform"
)

// documents is a system that holds documents by the key of a row. One that is not
// atomic shows what is written at once, by its version, as a search index does.
// Safe for concurrent use.
type documents struct {
	atomic bool

	mu     sync.Mutex
	seen   index
	beside index
	fills  bool // what is written goes beside
	resume pipeline.Resume
	holder *documentTarget
}

// An index holds documents; one that is gone keeps its version.
type index map[string]held

type held struct {
	row     string
	version int64
	gone    bool
}

func newDocuments(atomic bool) *documents {
	return &documents{atomic: atomic, fills: true, beside: index{}}
}

// rows gives what readers see.
func (d *documents) rows() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]string{}
	for id, h := range d.seen {
		if !h.gone {
			all[id] = h.row
		}
	}
	return all
}

type documentTarget struct {
	d    *documents
	todo []func()
}

func (t *documentTarget) Open(context.Context) (pipeline.Resume, error) {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	t.d.holder = t
	return t.d.resume, nil
}

func (t *documentTarget) Write(_ context.Context, b pipeline.Batch) error {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	for i := range b.Changes {
		t.write(&b.Changes[i])
	}
	return nil
}

func (t *documentTarget) write(c *pipeline.Change) {
	row, h := c.After, held{version: deliver.VersionOf(itemsTopic, c), gone: c.Op == pipeline.Delete}
	if h.gone {
		row = c.Before
	}
	var id []string
	for _, k := range c.Table.Key {
		id = append(id, string(c.Table.Columns[k].Type.AppendText(nil, row[k])))
	}
	if !h.gone {
		var all []string
		for i, v := range row {
			all = append(all, string(c.Table.Columns[i].Type.AppendText(nil, v)))
		}
		h.row = strings.Join(all, " ")
	}
	key := strings.Join(id, "/")
	do := func() {
		to := t.d.seen
		if t.d.fills {
			to = t.d.beside
		}
		if to[key].version <= h.version {
			to[key] = h
		}
	}
	if t.d.atomic {
		t.todo = append(t.todo, do)
		return
	}
	do()
}

func (t *documentTarget) Commit(_ context.Context, at pipeline.Resume) error {
	d := t.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.holder != t {
		return errors.New("a newer target holds the system")
	}
	for _, do := range t.todo {
		do()
	}
	t.todo = nil
	at.State = slices.Clone(at.State)
	d.resume = at
	if d.fills && at.Whole() {
		d.seen, d.fills = d.beside, false
	}
	return nil
}

func (t *documentTarget) Renew(context.Context) error {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	t.d.beside, t.d.fills, t.d.resume = index{}, true, pipeline.Resume{}
	return nil
}

func (t *documentTarget) Close() error { t.todo = nil; return nil }

// shaped is a world whose sink has transforms that need old rows.
type shaped struct {
	*world
	system *documents
	values map[int]string // of the rows of the source, by id
}

func newShaped(t *testing.T, atomic bool, specs ...transform.Spec) *shaped {
	w := &shaped{world: newWorld(t), system: newDocuments(atomic), values: map[int]string{}}
	pool, err := spill.Open(t.TempDir(), spill.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.config.Atomic = atomic
	w.config.Target = func() (deliver.Target, error) { return &documentTarget{d: w.system}, nil }
	w.config.OldRows = &deliver.OldRows{Dir: "given", Options: store.Options{FS: vfs.NewMem(), Reserve: -1}, Most: 1 << 30,
		Sorter: func() (dataflow.Sorter, error) { return pool.NewSorter() }}
	w.config.Transforms = func(deliver.Rejects) ([]pipeline.Transform, error) {
		return []pipeline.Transform{transform.New(transform.Config{Specs: specs, Split: true, Fault: func(_ context.Context, _ *pipeline.Change, why *pipeline.Refusal) error { return why }})}, nil
	}
	return w
}

func text(s string) transform.Text { return transform.Text{Text: s, Where: "test"} }

func rekeyed() transform.Spec {
	return transform.Spec{Step: transform.Rekey{Columns: []transform.Text{text("v")}}}
}

// unnested makes a row of each letter of the value, which is a list as JSON.
func unnested() []transform.Spec {
	return []transform.Spec{
		{Step: transform.Map{Columns: []transform.Named{{Name: "v", Text: text("v::jsonb")}}}},
		{Step: transform.Unnest{Column: text("v"), As: "e", Ordinal: "n"}},
	}
}

// check compares the documents with the source.
func (w *shaped) check(want func(id int64, v string, add func(key, row string))) {
	w.t.Helper()
	w.caughtUp()
	all := map[string]string{}
	for id, v := range w.now() {
		want(id, v, func(key, row string) { all[key] = row })
	}
	if got := w.system.rows(); !maps.Equal(got, all) {
		w.t.Fatalf("the system holds %v, want %v\n%s", got, all, w.said.Take())
	}
}

func byValue(id int64, v string, add func(key, row string)) { add(v, fmt.Sprint(id, " ", v)) }

func byElement(id int64, v string, add func(key, row string)) {
	for n, e := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune("[], ", r) }) {
		add(fmt.Sprint(id, "/", n+1), fmt.Sprint(id, " ", e, " ", n+1))
	}
}

// TestOldRows tells what a sink makes of rows whose transforms need what they were:
// inserts, updates, deletes, changes of what becomes the key, and rows that exchange
// it, in one partition and over three, in an atomic system and one that is not.
func TestOldRows(t *testing.T) {
	for _, atomic := range []bool{true, false} {
		for _, partitions := range []int{1, 3} {
			t.Run(fmt.Sprintf("rekey, atomic %t, partitions %d", atomic, partitions), func(t *testing.T) { rekeyStory(t, atomic, partitions) })
		}
		t.Run(fmt.Sprintf("unnest, atomic %t", atomic), func(t *testing.T) { unnestStory(t, atomic) })
	}
}

func rekeyStory(t *testing.T, atomic bool, partitions int) {
	w := newShaped(t, atomic, rekeyed())
	w.source.Spread(partitions)
	w.source.Begin()
	w.source.Commit(put(1, "a"), put(2, "b"), put(3, "c"))
	w.start()
	w.check(byValue)
	w.source.Commit(put(1, "A"))
	w.check(byValue)
	w.source.Commit(put(2, "c"), put(3, "b")) // an exchange
	w.check(byValue)
	w.source.Commit(put(1, "b"), put(2, "A"), put(3, "c"))
	w.check(byValue)
	w.source.Commit(remove(2), put(4, "A"))
	w.check(byValue)
	w.stop()
	w.source.Commit(put(4, "x"))
	w.source.Commit(put(1, "A"))
	w.source.Commit(put(4, "b"), remove(3))
	w.start()
	w.check(byValue)
	if got := w.said.Take(); strings.Contains(got, "anew") {
		t.Errorf("it was filled anew: %s", got)
	}
	t.Run("what the target was given is gone", func(t *testing.T) {
		w.stop()
		w.source.Commit(put(1, "y"))
		w.config.OldRows.Options.FS = vfs.NewMem()
		w.start()
		w.check(byValue)
		w.said.Await(t, "anew: the rows that it was given last are not known here", "fills", "whole at 10")
	})
}

func unnestStory(t *testing.T, atomic bool) {
	w := newShaped(t, atomic, unnested()...)
	w.source.Begin()
	w.source.Commit(put(1, "[1,2,3]"), put(2, "[]"), put(3, "[7]"))
	w.start()
	w.check(byElement)
	for _, next := range []pipeline.Change{put(1, "[1]"), put(2, "[4,5]"), put(1, "[9,8,7,6]"), remove(3), put(3, "[1,1]"), remove(1)} {
		w.source.Commit(next)
		w.check(byElement)
	}
}

// TestDropUnchanged tells that a sink is told of no row whose columns are as they
// were.
func TestDropUnchanged(t *testing.T) {
	w := newShaped(t, true,
		transform.Spec{Step: transform.Map{Columns: []transform.Named{{Name: "v", Text: text("upper(v COLLATE \"C\")")}}}},
		transform.Spec{Step: transform.DropUnchanged{}})
	seen := &seeing{}
	w.config.Target = func() (deliver.Target, error) { return seen.over(&documentTarget{d: w.system}), nil }
	w.source.Begin()
	w.source.Commit(put(1, "a"), put(2, "b"))
	w.start()
	upper := func(id int64, v string, add func(string, string)) {
		add(fmt.Sprint(id), fmt.Sprint(id, " ", strings.ToUpper(v)))
	}
	w.check(upper)
	seen.want(t, "2 columns, 1/0 id 1", "2 columns, 1/0 id 2")
	w.source.Commit(put(1, "A"), put(2, "c"))
	w.check(upper)
	seen.want(t, "2 columns, 1/0 id 2")
}

// TestOldRowsAudit tells that a comparison expects what the transforms make of the
// rows as they are.
func TestOldRowsAudit(t *testing.T) {
	w := newShaped(t, false, rekeyed())
	w.source.Begin()
	w.source.Commit(put(1, "a"), put(2, "b"))
	w.source.Commit(put(1, "b"), put(2, "c"))
	w.start()
	w.check(byValue)
	at, release, err := w.delivery.Rest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	wantAudit(t, w.world, at, rows{1: "b", 2: "c"}, false, "2 rows, 2 equal, 0 missing, 0 surplus, 0 differing, 0 refused, 0 repaired []")
}

// TestOldRowsBound tells that what a sink keeps of old rows is bounded (I9).
func TestOldRowsBound(t *testing.T) {
	w := newShaped(t, true, rekeyed())
	w.config.OldRows.Most = 1
	w.source.Begin()
	w.source.Commit(put(1, "a"))
	w.start()
	if err := w.ended(); pipeline.CodeOf(err) != deliver.CodeOldRows {
		t.Fatalf("ended with %v", err)
	}
	w.close()
}

// TestOldRowsCrash carries random histories through sinks with rekey, whose values
// are unique between transactions and not inside them, and which crash between and
// inside all their steps: in the end every document is there under its key, and
// none is left over (I1, I2, I10, R16).
func TestOldRowsCrash(t *testing.T) {
	runs.Each(8, func(seed uint64) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { oldRowsRun(t, seed) })
	})
}

func oldRowsRun(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 12))
	w := newShaped(t, rng.IntN(2) == 0, rekeyed())
	w.crashes(seed, rng, &documentTarget{d: w.system})
	w.check(byValue)
	w.stop()
}

// crashes ends the sink at edges that rng picks, while things happen to its source, and
// takes what its disk had not kept. In the end it runs, and nothing is in its way.
func (w *shaped) crashes(seed uint64, rng *rand.Rand, target deliver.Target) {
	r := &crashing{world: w.world, rng: rng}
	power := &powered{r: r, disk: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 13))}
	w.config.OldRows.Options.FS = power.disk
	w.source.Spread(1 + 2*rng.IntN(2))
	w.config.Limits.Rows = 1 + rng.IntN(4)
	w.config.Log = &faultyLog{w.log, r.Edge}
	w.config.Target = func() (deliver.Target, error) { return &edgedTarget{Target: target, p: power}, r.Edge("make") }
	w.source.Begin()
	w.t.Cleanup(func() {
		if w.t.Failed() {
			story, _, _ := strings.Cut(w.t.Name(), "/")
			w.t.Logf("%s\nreplay: go test ./pipeline/deliver -run %s -seed %d", w.said.Take(), story, seed)
		}
	})
	for range 4 + rng.IntN(8) {
		for range 1 + rng.IntN(3) {
			w.happen(r)
		}
		r.live()
		w.config.OldRows.Options.FS = power.back()
	}
	r.Arm(0)
	w.start()
}

// happen does to the source and its topic what happens.
func (w *shaped) happen(r *crashing) {
	switch r.rng.IntN(20) {
	case 0:
		r.said.Tell("the source is reset")
		r.reset()
		clear(w.values)
		for id, v := range w.now() {
			w.values[int(id)] = v
		}
	case 1, 2:
		r.said.Tell("compacted")
		if err := r.log.Admin().Compact(context.Background(), itemsTopic); err != nil {
			r.t.Fatal(err)
		}
	case 3:
		r.source.Commit()
	default:
		r.source.Commit(w.changes(r.rng)...)
	}
}

// changes are those of a transaction behind which no value stands twice.
func (w *shaped) changes(rng *rand.Rand) (all []pipeline.Change) {
	if rng.IntN(20) == 0 {
		all = append(all, truncate())
		clear(w.values)
	}
	for range rng.IntN(4) {
		id := rng.IntN(6)
		if _, there := w.values[id]; there && rng.IntN(4) == 0 {
			delete(w.values, id)
			all = append(all, remove(id))
			continue
		}
		v := fmt.Sprint("v", rng.IntN(9))
		for other, has := range w.values { // who has it takes what this row had, or another one
			if has != v || other == id {
				continue
			}
			swap, there := w.values[id]
			if !there {
				swap = w.free(v)
			}
			w.values[other] = swap
			all = append(all, put(other, swap))
			break
		}
		w.values[id] = v
		all = append(all, put(id, v))
	}
	if rng.IntN(2) == 0 && !slices.ContainsFunc(all, func(c pipeline.Change) bool { return c.Op == pipeline.Truncate }) {
		all = append(all, w.detour(rng)...)
	}
	return all
}

// free gives a value that no row has.
func (w *shaped) free(but string) string {
	for n := 0; ; n++ {
		v := fmt.Sprint("w", n)
		taken := v == but
		for _, has := range w.values {
			taken = taken || has == v
		}
		if !taken {
			return v
		}
	}
}

// detour takes a row through the value of another one and back: with a deferrable
// constraint both may have it inside a transaction.
func (w *shaped) detour(rng *rand.Rand) []pipeline.Change {
	ids := slices.Sorted(maps.Keys(w.values))
	if len(ids) < 2 {
		return nil
	}
	id, other := ids[rng.IntN(len(ids))], ids[rng.IntN(len(ids))]
	return []pipeline.Change{put(id, w.values[other]), put(id, w.values[id])}
}

// powered is a disk whose power fails where the sink crashes: what was not synced by
// then may be gone.
type powered struct {
	r   *crashing
	rng *rand.Rand

	mu   sync.Mutex
	disk *vfs.MemFS
	left *vfs.MemFS // by the failure; nil: there was none
}

// around does what a target does, and fails as the run wants it.
func (p *powered) around(what string, do func() error) error {
	err := p.r.Around(what, do)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.left == nil {
		p.left = p.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: p.rng.IntN(101), RNG: p.rng})
	}
	return err
}

// back gives the disk as it is found when the power is back.
func (p *powered) back() *vfs.MemFS {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left != nil {
		p.disk, p.left = p.left, nil
	}
	return p.disk
}

// edgedTarget fails before or after its effects.
type edgedTarget struct {
	deliver.Target
	p *powered
}

func (f *edgedTarget) Open(ctx context.Context) (at pipeline.Resume, err error) {
	err = f.p.around("open", func() error { at, err = f.Target.Open(ctx); return err })
	return at, err
}

func (f *edgedTarget) Write(ctx context.Context, b pipeline.Batch) error {
	return f.p.around("write", func() error { return f.Target.Write(ctx, b) })
}

func (f *edgedTarget) Commit(ctx context.Context, at pipeline.Resume) error {
	return f.p.around("commit", func() error { return f.Target.Commit(ctx, at) })
}

func (f *edgedTarget) Renew(ctx context.Context) error {
	return f.p.around("renew", func() error { return f.Target.Renew(ctx) })
}

// A sink that cannot write its old rows ends when it is told to, in the midst of it (O01,
// R07).
func TestStopOnABrokenDisk(t *testing.T) {
	for _, failure := range []error{syscall.EIO, syscall.ENOSPC} {
		t.Run(failure.Error(), func(t *testing.T) {
			w := newShaped(t, false, rekeyed())
			var gone atomic.Bool
			failed, once := make(chan struct{}), sync.Once{}
			w.config.OldRows.Options.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if gone.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
					once.Do(func() { close(failed) })
					return failure
				}
				return nil
			}))
			w.source.Begin()
			w.source.Commit(put(1, "a"))
			w.start()
			w.check(byValue)
			gone.Store(true)
			w.source.Commit(put(1, "b"))
			<-failed
			w.stop()
		})
	}
}
