package store

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options bound a store. The zero Options are usable.
type Options struct {
	FS     vfs.FS  // where it lies; the disk
	Shared *Shared // memory that several stores share; one of its own of DefaultCache

	MemTable   int64 // bytes of epochs that are not on disk yet, twice at most; 16 MiB
	EpochBytes int   // of writes, past which an epoch goes to sorted files; 32 MiB
	Reserve    int64 // bytes that must be free for a commit; 64 MiB, negative: any

	Snapshots   int           // kept for cursors, besides the newest; 16
	SnapshotAge time.Duration // for which they are kept; 1 min

	DiskPoll time.Duration    // between two looks whether there is room again; 500 ms
	Now      func() time.Time // time.Now
	Events   Events
	ReadOnly bool // nothing is made, written or flushed; Begin is an error

	// Ending is closed when whoever uses the store is to end: nobody waits from then on for a
	// disk that is full or broken, as behind Close. nil: only Close says that.
	Ending <-chan struct{}
}

// Events tell what happens inside; each may be nil. They must not block.
type Events struct {
	Full    func(full bool)   // a write waits for room, or does no longer
	Trouble func(text string) // Pebble's background work failed and is tried again
}

// The defaults of Options.
const (
	DefaultCache       = 64 << 20
	defaultMemTable    = 16 << 20
	defaultEpochBytes  = 32 << 20
	defaultReserve     = 64 << 20
	defaultSnapshots   = 16
	defaultSnapshotAge = time.Minute
	defaultDiskPoll    = 500 * time.Millisecond
)

func (o Options) withDefaults() Options {
	orDefault(&o.MemTable, defaultMemTable)
	orDefault(&o.EpochBytes, defaultEpochBytes)
	orDefault(&o.Reserve, defaultReserve)
	orDefault(&o.Snapshots, defaultSnapshots)
	orDefault(&o.SnapshotAge, defaultSnapshotAge)
	orDefault(&o.DiskPoll, defaultDiskPoll)
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Events.Full == nil {
		o.Events.Full = func(bool) {}
	}
	if o.Events.Trouble == nil {
		o.Events.Trouble = func(string) {}
	}
	return o
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Shared is memory and file handles that the stores of a process share.
type Shared struct {
	cache *pebble.Cache
	files *pebble.FileCache
}

// fileShards is how many locks the open files are spread over.
const fileShards = 4

// NewShared makes a block cache of so many bytes and a cache of so many open
// files. Close it after the stores.
func NewShared(cacheBytes int64, openFiles int) *Shared {
	return &Shared{cache: pebble.NewCache(cacheBytes), files: pebble.NewFileCache(fileShards, max(openFiles, fileShards))}
}

// Close frees what no store uses any more.
func (s *Shared) Close() {
	s.cache.Unref()
	s.files.Unref()
}
