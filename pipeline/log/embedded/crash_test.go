package embedded_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

var (
	crashSeed = flag.Uint64("crash.seed", 1, "first seed of the crash runs")
	crashRuns = flag.Int("crash.runs", 120, "number of crash runs")
)

// TestCrash lets two writers append, flush, commit and abort, compacts, and
// takes the power away again and again, also in the middle of a commit, with
// none, some or all of what was not synced left. After each crash what was
// committed is there whole, what was not is gone, the index knows exactly that,
// stable ends do not go back, and no offset that anybody saw comes twice.
func TestCrash(t *testing.T) {
	for i := range *crashRuns {
		seed := *crashSeed + uint64(i)
		r := newCrashRun(t, seed)
		for range 8 + r.rng.IntN(30) {
			r.step()
		}
		r.crash(r.rng.IntN(2) == 0)
		r.close()
		if t.Failed() {
			t.Fatalf("seed %d: go test -run TestCrash -crash.seed %d -crash.runs 1", seed, seed)
		}
	}
}

// crashRun is a log and what it has to contain.
type crashRun struct {
	*testing.T
	seed    uint64
	rng     *rand.Rand
	mem     *vfs.MemFS
	disk    doomed
	log     *embedded.Log
	now     time.Time
	writers [2]log.Writer
	open    [2][]log.Record // what each writer has appended and not committed
	held    map[log.TopicPartition]int
	model   map[log.TopicPartition]*history
	value   int
}

// history is what a partition has to contain.
type history struct {
	compact bool
	recs    []log.Record // committed, in order; Offset is set once seen
	used    int64        // offsets below belong to records that are known, or were aborted
	visible int64        // the stable end that readers saw
	seen    int          // recs whose offset is known
}

func newCrashRun(t *testing.T, seed uint64) *crashRun {
	r := &crashRun{
		T: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), mem: vfs.NewCrashableMem(), now: time.Unix(1e9, 0),
		model: map[log.TopicPartition]*history{},
	}
	r.start()
	specs := []log.TopicSpec{{Name: "t", Partitions: 2, Compact: true, MinLag: time.Millisecond}, {Name: "u", Partitions: 1}}
	if _, err := r.log.Admin().Ensure(context.Background(), specs...); err != nil {
		t.Fatal(err)
	}
	for _, tp := range []log.TopicPartition{{Topic: "t"}, {Topic: "t", Partition: 1}, {Topic: "u"}} {
		r.model[tp] = &history{compact: tp.Topic == "t"}
	}
	return r
}

func (r *crashRun) start() {
	l, err := embedded.Open(embedded.Config{
		Dir: "log", FS: errorfs.Wrap(r.mem, errorfs.InjectorFunc(r.disk.operation)), MemTable: 64 << 10, Load: r.load(), Cache: 1 << 18, SweepRate: -1, Now: func() time.Time { return r.now },
	})
	r.must(err)
	r.log, r.held = l, map[log.TopicPartition]int{}
	for i := range r.writers {
		r.writers[i], err = l.Writer(context.Background(), fmt.Sprint(i))
		r.must(err)
		r.open[i] = nil
	}
}

// load is the size of loads: by turns none is ever large enough, every commit
// is, and some are.
func (r *crashRun) load() int64 { return []int64{1 << 20, 1, 40_000}[r.seed%3] }

func (r *crashRun) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("seed %d: %v", r.seed, err)
	}
}

func (r *crashRun) step() {
	w := r.rng.IntN(2)
	ctx := context.Background()
	switch r.rng.IntN(12) {
	default:
		r.append(w)
	case 5:
		r.flush(w)
	case 6, 7, 8:
		r.must(r.writers[w].Commit(ctx, nil))
		r.commit(w)
		r.check()
	case 9:
		for tp, next := range r.flush(w) {
			r.model[tp].used = max(r.model[tp].used, next)
		}
		r.must(r.writers[w].Abort(ctx))
		r.release(w)
	case 10:
		r.now = r.now.Add(time.Second)
		r.must(r.log.Admin().Compact(ctx, "t"))
		r.check()
	case 11:
		r.crash(r.rng.IntN(2) == 0)
	}
}

func (r *crashRun) flush(w int) log.Offsets {
	to, err := r.writers[w].Flush(context.Background())
	r.must(err)
	return to
}

// append lets writer w append to partitions on which the other has no commit
// open.
func (r *crashRun) append(w int) {
	for range 1 + r.rng.IntN(5) {
		tps := slices.SortedFunc(maps.Keys(r.model), func(a, b log.TopicPartition) int {
			return len(a.String()) - len(b.String()) + int(a.Partition-b.Partition)
		})
		tp := tps[r.rng.IntN(len(tps))]
		if who, ok := r.held[tp]; ok && who != w {
			continue
		}
		r.held[tp] = w
		r.value++
		rec := log.Record{TopicPartition: tp, Key: fmt.Append(nil, "k\x00", r.rng.IntN(6))}
		if r.rng.IntN(4) > 0 {
			size := r.rng.IntN(100)
			if r.rng.IntN(8) == 0 {
				size = 40_000
			}
			rec.Value = fmt.Appendf(nil, "%d %s", r.value, make([]byte, size))
		}
		r.must(r.writers[w].Append(context.Background(), rec))
		r.open[w] = append(r.open[w], rec)
	}
}

// commit moves what w had open into the model.
func (r *crashRun) commit(w int) {
	for _, rec := range r.open[w] {
		r.model[rec.TopicPartition].recs = append(r.model[rec.TopicPartition].recs, rec)
	}
	r.release(w)
}

func (r *crashRun) release(w int) {
	r.open[w] = nil
	maps.DeleteFunc(r.held, func(_ log.TopicPartition, who int) bool { return who == w })
}

// crash takes the power away: between calls, or at one of the next operations
// on the disk while writer 0 commits, aborts, or the log compacts.
func (r *crashRun) crash(busy bool) {
	committing := false
	if busy {
		r.disk.arm(r.rng, r.mem)
		switch r.rng.IntN(4) {
		case 0:
			r.must(r.writers[0].Abort(context.Background()))
			r.release(0)
		case 1:
			r.must(r.log.Admin().Compact(context.Background(), "t"))
		default:
			committing = true
			r.must(r.writers[0].Commit(context.Background(), nil))
		}
	}
	old, clone := r.log, r.disk.disarm()
	if clone == nil {
		clone = crashClone(r.rng, r.mem)
	}
	r.must(old.Close())
	r.mem = clone
	pending := r.open[0]
	r.start()
	if committing && r.arrived(pending) {
		r.open[0] = pending
		r.commit(0)
	}
	r.check()
}

func crashClone(rng *rand.Rand, mem *vfs.MemFS) *vfs.MemFS {
	return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[rng.IntN(3)], RNG: rng})
}

// doomed is a disk whose power fails before one of its operations.
type doomed struct {
	mu    sync.Mutex
	left  int // operations until then; 0 is never
	rng   *rand.Rand
	mem   *vfs.MemFS
	clone *vfs.MemFS
}

func (d *doomed) arm(rng *rand.Rand, mem *vfs.MemFS) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.mem, d.clone = 1+rng.IntN(8), mem, nil
	d.rng = rand.New(rand.NewPCG(rng.Uint64(), 0))
}

// disarm gives what was left on the disk, nil if the power did not fail.
func (d *doomed) disarm() *vfs.MemFS {
	d.mu.Lock()
	defer d.mu.Unlock()
	clone := d.clone
	d.left, d.clone = 0, nil
	return clone
}

func (d *doomed) operation(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left > 0 {
		if d.left--; d.left == 0 {
			d.clone = crashClone(d.rng, d.mem)
		}
	}
	return nil
}

// arrived reports whether the commit that was under way is there: in the first
// of its partitions, and check sees to the others.
func (r *crashRun) arrived(pending []log.Record) bool {
	for _, rec := range pending {
		got := r.read(rec.TopicPartition)
		return slices.ContainsFunc(pending, func(p log.Record) bool {
			return p.TopicPartition == rec.TopicPartition && len(got) > 0 && same(got[len(got)-1], p) &&
				got[len(got)-1].Offset >= r.model[rec.TopicPartition].end()
		})
	}
	return false
}

// end is behind the last record that was seen.
func (h *history) end() int64 {
	if h.seen == 0 {
		return 0
	}
	return h.recs[h.seen-1].Offset + 1
}

func same(a, b log.Record) bool {
	return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil)
}

func (r *crashRun) read(tp log.TopicPartition) (all []log.Record) {
	infos, err := r.log.Admin().Topics(context.Background(), tp.Topic)
	r.must(err)
	reader, err := r.log.Reader(context.Background())
	r.must(err)
	defer reader.Close()
	r.must(reader.Assign(log.Offsets{tp: 0}))
	stable := infos[0].Ends[tp.Partition].Stable
	if h := r.model[tp]; stable < h.visible {
		r.Fatalf("seed %d: %s: the stable end went back from %d to %d", r.seed, tp, h.visible, stable)
	} else {
		h.visible = stable
	}
	reader.Limit(log.Offsets{tp: stable})
	for {
		f, err := reader.Next(context.Background(), 4)
		if errors.Is(err, io.EOF) {
			return all
		}
		r.must(err)
		for _, rec := range f.Records {
			rec.Key, rec.Value = slices.Clone(rec.Key), slices.Clone(rec.Value)
			all = append(all, rec)
		}
	}
}

// check compares every partition with the model.
func (r *crashRun) check() {
	r.Helper()
	for tp, h := range r.model {
		got := r.read(tp)
		if err := h.compare(got); err != nil {
			r.Fatalf("seed %d: %s: %v", r.seed, tp, err)
		}
		if h.compact && r.free(tp) {
			r.checkIndex(tp, got)
		}
	}
}

// free reports whether nobody has a commit open on tp, so that either writer's
// index says the same.
func (r *crashRun) free(tp log.TopicPartition) bool {
	_, held := r.held[tp]
	return !held
}

// compare goes through what is there and what has to be, in step. In a
// compacted partition records may be left out that have a newer one.
func (h *history) compare(got []log.Record) error {
	newest := map[string]int{}
	for i, rec := range h.recs {
		newest[string(rec.Key)] = i
	}
	n := 0
	for i := range h.recs {
		want := &h.recs[i]
		known := i < h.seen
		if n < len(got) && same(got[n], *want) && (!known || got[n].Offset == want.Offset) {
			if !known && got[n].Offset < h.used {
				return fmt.Errorf("record %d got offset %d, which was used before: all below %d are", i, got[n].Offset, h.used)
			}
			want.Offset = got[n].Offset
			n++
			continue
		}
		if !h.compact || !known || newest[string(want.Key)] == i {
			return fmt.Errorf("record %d of %d (%q, %d bytes) is missing", i, len(h.recs), want.Key, len(want.Value))
		}
	}
	if n < len(got) {
		return fmt.Errorf("a record too many at offset %d: %q, %d bytes", got[n].Offset, got[n].Key, len(got[n].Value))
	}
	h.seen = len(h.recs)
	h.used = max(h.used, h.end(), h.visible)
	return nil
}

// checkIndex holds the index against the records that are there.
func (r *crashRun) checkIndex(tp log.TopicPartition, got []log.Record) {
	r.Helper()
	ctx := context.Background()
	x := r.writers[1].(log.Index)
	newest := map[string]log.Record{}
	for _, rec := range got {
		newest[string(rec.Key)] = rec
	}
	var live []string
	for i := range 6 {
		key := fmt.Sprint("k\x00", i)
		want, there := newest[key]
		value, offset, ok, err := x.Latest(ctx, tp, []byte(key))
		r.must(err)
		if ok != there || ok && (offset != want.Offset || !same(want, log.Record{Key: want.Key, Value: value})) {
			r.Fatalf("seed %d: %s: the index finds %q at %d (%v), it lies at %d (%v)", r.seed, tp, key, offset, ok, want.Offset, there)
		}
		if there && want.Value != nil {
			live = append(live, key)
		}
	}
	keys, err := x.Stale(ctx, tp, math.MaxInt64, nil, 100)
	r.must(err)
	if len(keys) != len(live) {
		r.Fatalf("seed %d: %s: the index has live keys %q, the log %q", r.seed, tp, keys, live)
	}
}

func (r *crashRun) close() { r.must(r.log.Close()) }
