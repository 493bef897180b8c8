package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log"
)

// A load is a piece of a large commit that goes into Pebble as sorted tables,
// one of blocks and one of index entries, taken in by one atomic step. Rows are
// then written once: not to Pebble's log, nor to a memtable, nor again by a
// flush and by compactions, since blocks of a partition lie behind all that it
// has. The tables are synced before they are taken in, so a load is durable at
// once; it lies above the stable end like everything else that an open commit
// stores, and Open erases it if the commit never was.
//
//	blocks  ─► load (8 MiB) ─┐
//	entries ─► of the commit ┴─► job ─► blocks.sst, index.sst, synced ─► Ingest ─► empty, to be filled again
//
// Entries come with the last load of a commit as a rule, since each table of
// them overlaps with those before: an entry is never stored before its block,
// and always before its commit.
//
// Of the two loads of a writer one is filled while the other is stored.
type load struct {
	size    int64  // at which it is full
	blocks  []byte // one after another
	refs    []blockRef
	entries entries
}

// blockRef says where a block of a load lies, and its key.
type blockRef struct {
	id       uint32
	last     int64
	from, to int
}

// loads is how many a writer has.
const loads = 2

// loadFolder holds tables until Pebble has taken them in.
const loadFolder = "load"

// add copies a block into the load.
func (d *load) add(id uint32, last int64, block []byte) {
	from := len(d.blocks)
	if cap(d.blocks) == 0 {
		d.blocks = make([]byte, 0, d.size+2*blockBytes)
	}
	d.blocks = append(d.blocks, block...)
	d.refs = append(d.refs, blockRef{id: id, last: last, from: from, to: len(d.blocks)})
}

// reset empties the load. Memory that a single large record took is let go.
func (d *load) reset() {
	d.blocks, d.refs = d.blocks[:0], d.refs[:0]
	d.entries.reset()
	if int64(cap(d.blocks)) > 2*d.size+2*blockBytes {
		d.blocks = nil
	}
}

// order sorts the blocks by their keys.
func (d *load) order() {
	slices.SortFunc(d.refs, func(a, b blockRef) int {
		if a.id != b.id {
			return int(a.id) - int(b.id)
		}
		return int(a.last - b.last)
	})
	d.entries.order()
}

// put writes the load's blocks into a batch instead, which has its entries.
func (d *load) put(b *pebble.Batch) error {
	for _, r := range d.refs {
		op := b.SetDeferred(blockKeyLen, r.to-r.from)
		blockKey(op.Key[:0], r.id, r.last)
		copy(op.Value, d.blocks[r.from:r.to])
		if err := op.Finish(); err != nil {
			return err
		}
	}
	d.reset()
	return nil
}

// load puts a finished block into the load of the open commit, and sends it
// when it is full.
func (w *Writer) load(ctx context.Context, g *growth, block []byte) error {
	if w.filling == nil {
		var err error
		if w.filling, err = w.emptyLoad(ctx); err != nil {
			return err
		}
	}
	w.filling.add(g.p.id, g.block.next-1, block)
	g.block.letGo()
	w.entries.take(&g.entries)
	switch {
	case int64(w.entries.bytes()) >= w.filling.size:
		return w.sendLoad(ctx, true)
	case int64(len(w.filling.blocks)) >= w.filling.size:
		return w.sendLoad(ctx, false)
	}
	return nil
}

// emptyLoad waits for a load that is stored.
func (w *Writer) emptyLoad(ctx context.Context) (*load, error) {
	select {
	case d := <-w.loads:
		return d, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.log.closing:
		return nil, log.ErrClosed
	case <-w.log.dead:
		return nil, w.log.cause
	}
}

// sendLoad queues the load that is being filled, with the index entries of all
// blocks so far if they are to be stored.
func (w *Writer) sendLoad(ctx context.Context, indexed bool) error {
	d := w.filling
	if indexed {
		d.entries, w.entries = w.entries, d.entries
	}
	if err := w.send(ctx, job{load: d, empty: w.loads}); err != nil {
		return err
	}
	w.filling = nil
	return nil
}

// endLoad stores what was begun. A little of it goes the way of small commits.
func (w *Writer) endLoad(ctx context.Context) error {
	if !w.txn.bulk {
		return nil
	}
	if w.filling == nil { // the last one is just gone, without the entries
		var err error
		if w.filling, err = w.emptyLoad(ctx); err != nil {
			return err
		}
	}
	d := w.filling
	if int64(len(d.blocks)+w.entries.bytes()) >= min(batchBytes, d.size) {
		return w.sendLoad(ctx, true)
	}
	if err := d.put(w.batch); err != nil {
		return err
	}
	w.filling = nil
	w.loads <- d
	return nil
}

// settleLoads leaves the loads of a commit that is settled: the next one is
// expected to be as large, and if that is small, memory is let go.
func (w *Writer) settleLoads() {
	w.bulk = w.txn != nil && w.txn.bytes >= w.log.cfg.Load
	if d := w.filling; d != nil {
		d.reset()
		w.filling = nil
		w.loads <- d
	}
	if w.bulk {
		return
	}
	for range len(w.loads) {
		<-w.loads
		w.loads <- &load{size: w.log.cfg.Load}
	}
}

// ingest stores a load. After a failure the log cannot go on: a commit of which
// a part is missing must never be ended.
func (l *Log) ingest(d *load) error {
	d.order()
	paths, err := l.writeTables(d)
	if err == nil {
		err = l.db.Ingest(context.Background(), paths)
	}
	if err != nil {
		err = fmt.Errorf("store a part of a large commit: %w", err)
		l.fail(err)
	}
	return err
}

// writeTables writes the tables of a load; an empty one is left out.
func (l *Log) writeTables(d *load) (paths []string, err error) {
	number := l.loaded.Add(1)
	for _, t := range []struct {
		kind string
		n    int
		set  func(*sstable.Writer) error
	}{{"blocks", len(d.refs), d.setBlocks}, {"index", len(d.entries.refs), d.setEntries}} {
		if t.n == 0 {
			continue
		}
		path := l.fs.PathJoin(l.dir.file(loadFolder), fmt.Sprintf("%06d.%s", number, t.kind))
		if err := l.writeTable(path, t.set); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// writeTable makes a sorted table of what set puts into it, and syncs it.
func (l *Log) writeTable(path string, set func(*sstable.Writer) error) error {
	f, err := l.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: 1 << 20})
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), l.tables)
	return errors.Join(set(w), w.Close())
}

func (d *load) setBlocks(w *sstable.Writer) error {
	var key []byte
	for _, r := range d.refs {
		key = blockKey(key[:0], r.id, r.last)
		if err := w.Set(key, d.blocks[r.from:r.to]); err != nil {
			return err
		}
	}
	return nil
}

func (d *load) setEntries(w *sstable.Writer) error {
	for _, r := range d.entries.refs {
		if err := w.Set(d.entries.arena[r.from:r.to], r.flags()); err != nil {
			return err
		}
	}
	return nil
}

// clearLoads takes away what a crash left in the folder of loads.
func (l *Log) clearLoads() error {
	if err := l.fs.RemoveAll(l.dir.file(loadFolder)); err != nil {
		return err
	}
	return l.fs.MkdirAll(l.dir.file(loadFolder), 0o700)
}
