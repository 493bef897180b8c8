package state

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/evertdb/evert/pipeline/log"
)

// Index is a log whose writers implement log.Index. Its methods may be called
// from any goroutine.
type Index struct {
	log.Log
	db       *pebble.DB
	maxBytes uint64

	mu         sync.Mutex
	spaces     uint32 // given to writers so far
	unmeasured int    // bytes written since the size was looked at
	measured   bool
	isFull     bool
}

// uncommitted is what a log may offer to whoever wants to see his own open
// records.
type uncommitted interface {
	Uncommitted(ctx context.Context) (log.Reader, error)
}

// The memory of an index: what was written last, and what was read last.
const (
	memtableBytes = 8 << 20
	cacheBytes    = 8 << 20
)

// OpenIndex puts an index over l. It lies in a folder of its own under dir,
// which it empties. maxBytes bounds the folder, but for keys and the values of
// open commits.
func OpenIndex(dir string, l log.Log, maxBytes int64) (*Index, error) {
	dir = filepath.Join(dir, "index")
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("empty the key index: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("open the key index: %w", err)
	}
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		Cache: cache, MemTableSize: memtableBytes, DisableWAL: true, Logger: quiet{},
		FormatMajorVersion: pebble.FormatNewest,
	})
	if err != nil {
		return nil, fmt.Errorf("open the key index: %w", err)
	}
	return &Index{Log: l, db: db, maxBytes: uint64(max(maxBytes, 0))}, nil
}

// quiet keeps Pebble from writing to the standard error output.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Writer opens a writer of the log below that implements log.Index.
func (x *Index) Writer(ctx context.Context, id string) (log.Writer, error) {
	w, err := x.Log.Writer(ctx, id)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.spaces++
	return &Writer{
		Writer: w, x: x, space: x.spaces, loaded: map[log.TopicPartition]*loaded{}, ends: log.Offsets{},
	}, nil
}

// measureEvery is how much is written between two looks at the folder's size,
// which cost more than a write.
const measureEvery = 4 << 20

// full reports whether values have to stay in the log, given that n more bytes
// are written.
func (x *Index) full(n int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.unmeasured += n; x.unmeasured >= measureEvery || !x.measured {
		m := x.db.Metrics()
		x.isFull = m.DiskSpaceUsage()+m.MemTable.Size > x.maxBytes
		x.measured, x.unmeasured = true, 0
	}
	return x.isFull
}

// Close frees the index; its writers are closed before. The log below is not
// closed.
func (x *Index) Close() error { return x.db.Close() }
