package diskspace

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// errFenced is what an abandoned store is told.
var errFenced = errors.New("the store was abandoned")

// A fence keeps a store that was abandoned from its files: Pebble cannot be closed
// without writing, and its goroutines live on. What they have open they may still
// write; no other store uses that, since Pebble gives no number of a file twice that
// it finds.
type fence struct {
	mu    sync.RWMutex // held for reading by each change
	down  bool         // nothing is changed any more
	locks []io.Closer
}

// Fence ends all changes by what Wrap gave, waits for those under way, and lets go of
// Pebble's lock: another store may be opened there. It is for behind Closing.
func (g *Guard) Fence() error {
	f := &g.fence
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = true
	var err error
	for _, l := range f.locks {
		err = errors.Join(err, l.Close())
	}
	f.locks = nil
	return err
}

// change makes a change, unless the store was abandoned.
func (f *fence) change(do func() error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.down {
		return errFenced
	}
	return do()
}

// make makes a file as a change.
func (f *fence) make(do func() (vfs.File, error)) (file vfs.File, err error) {
	err = f.change(func() error { file, err = do(); return err })
	return file, err
}

// guarded is a file system behind a fence, in which no file is made before its time:
// each flush and each compaction begins by making one, on a goroutine that holds no lock.
type guarded struct {
	vfs.FS
	guard *Guard
}

func (g guarded) Create(name string, of vfs.DiskWriteCategory) (vfs.File, error) {
	g.guard.rested()
	return g.guard.fence.make(func() (vfs.File, error) { return g.FS.Create(name, of) })
}

func (g guarded) ReuseForWrite(from, to string, of vfs.DiskWriteCategory) (vfs.File, error) {
	return g.guard.fence.make(func() (vfs.File, error) { return g.FS.ReuseForWrite(from, to, of) })
}

func (g guarded) OpenReadWrite(name string, of vfs.DiskWriteCategory, options ...vfs.OpenOption) (vfs.File, error) {
	return g.guard.fence.make(func() (vfs.File, error) { return g.FS.OpenReadWrite(name, of, options...) })
}

func (g guarded) Link(from, to string) error {
	return g.guard.fence.change(func() error { return g.FS.Link(from, to) })
}

func (g guarded) Rename(from, to string) error {
	return g.guard.fence.change(func() error { return g.FS.Rename(from, to) })
}

func (g guarded) Remove(name string) error {
	return g.guard.fence.change(func() error { return g.FS.Remove(name) })
}

func (g guarded) RemoveAll(name string) error {
	return g.guard.fence.change(func() error { return g.FS.RemoveAll(name) })
}

func (g guarded) MkdirAll(dir string, mode os.FileMode) error {
	return g.guard.fence.change(func() error { return g.FS.MkdirAll(dir, mode) })
}

func (g guarded) Lock(name string) (io.Closer, error) {
	l, err := g.FS.Lock(name)
	if err != nil {
		return nil, err
	}
	f := &g.guard.fence
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locks = append(f.locks, l)
	return l, nil
}
