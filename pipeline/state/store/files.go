package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// files are the writes of a large epoch as sorted tables that Pebble takes in by
// one step: rows are then written once, not to a memtable and again by a flush
// and by compactions. Each collection has its own run of them, because keys
// ascend within a collection only.
//
//	collection 1  ├──── 1.sst ────┤├──── 4.sst ────┤
//	collection 2        ├──── 2.sst ──┤
//	progress                                          5.sst
type files struct {
	s     *Store
	open  map[uint16]*table
	paths []string
	done  int64  // bytes of the tables that are full, as they lie on disk
	in    uint16 // the collection written to last
	last  *table // its table
}

// table is a file that is being written.
type table struct {
	w     *sstable.Writer
	bytes int64
}

// tableBytes is when a table is full. A table has one filter, which is read as a
// whole: that of a large table does not stay in a small cache, and then each get
// reads it from the disk. Files of a half-written epoch do not go
// through the wrapper that waits: whoever writes them can come again.
const tableBytes = 8 << 20

func newFiles(s *Store) *files { return &files{s: s, open: map[uint16]*table{}} }

func (f *files) set(key, value []byte) error {
	t, err := f.table(key, len(value))
	if err != nil {
		return err
	}
	return t.w.Set(key, value)
}

func (f *files) delete(key []byte) error {
	t, err := f.table(key, 0)
	if err != nil {
		return err
	}
	return t.w.Delete(key)
}

// table gives the table that key belongs to, a new one if that is full.
func (f *files) table(key []byte, valueBytes int) (t *table, err error) {
	in := collectionOf(key)
	if t = f.last; t == nil || f.in != in {
		t = f.open[in]
	}
	if t != nil && t.bytes >= tableBytes {
		if err := t.w.Close(); err != nil {
			return nil, err
		}
		written, err := t.w.Metadata()
		if err != nil {
			return nil, err
		}
		f.done += int64(written.Size)
		t = nil
	}
	if t == nil {
		if t, err = f.begin(); err != nil {
			return nil, err
		}
		f.open[in] = t
	}
	t.bytes += int64(len(key) + valueBytes)
	f.in, f.last = in, t
	return t, nil
}

// bytes is about what the files take on disk.
func (f *files) bytes() int64 {
	n := f.done
	for _, t := range f.open {
		n += t.size()
	}
	return n
}

func (t *table) size() int64 { return int64(t.w.Raw().EstimatedSize()) }

func (f *files) begin() (*table, error) {
	s := f.s
	s.sorted++
	path := s.opt.FS.PathJoin(s.dir.file(epochFolder), fmt.Sprintf("%06d.sst", s.sorted))
	file, err := s.opt.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	f.paths = append(f.paths, path)
	file = vfs.NewSyncingFile(file, vfs.SyncingFileOptions{BytesPerSync: 1 << 20})
	return &table{w: sstable.NewWriter(objstorageprovider.NewFileWritable(file), s.tables)}, nil
}

// finish writes the tables out, synced, and gives them.
func (f *files) finish() ([]string, error) {
	var err error
	for in, t := range f.open {
		err = errors.Join(err, t.w.Close())
		delete(f.open, in)
	}
	return f.paths, err
}

// drop removes what Pebble did not take.
func (f *files) drop() error {
	_, _ = f.finish() // a table that was not finished cannot be read anyway
	var err error
	for _, path := range f.paths {
		if e := f.s.opt.FS.Remove(path); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	f.paths = nil
	return err
}
