package spill

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/dataflow"
)

// Options bound a pool.
type Options struct {
	FS     vfs.FS // where the folder lies; the disk
	Memory int64  // bytes of all sorters; 64 MiB
	Disk   int64  // bytes of all files; 64 GiB
}

const (
	defaultMemory = 64 << 20
	defaultDisk   = 64 << 30
)

var (
	// ErrFull says that there is no room for a file: on the disk, or within
	// Options.Disk. The epoch may be tried again.
	ErrFull = errors.New("no room to sort on the disk")
	// ErrDamaged says that a file is not what was written. The epoch may be tried
	// again.
	ErrDamaged = errors.New("a file of a sorter is damaged")
)

// Pool is what the sorters of a process share. Its methods may be called from
// any goroutine.
type Pool struct {
	opt   Options
	dir   string
	files atomic.Uint64 // made so far, for their names
	used  atomic.Int64  // bytes of memory
	disk  atomic.Int64  // bytes in files
	runs  atomic.Int64  // spilled so far

	mu   sync.Mutex
	free [pieces][][]byte // pieces to be used again
	idle int64            // their bytes
}

// Open makes a pool whose files lie in dir, which it empties.
func Open(dir string, o Options) (*Pool, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if o.Disk == 0 {
		o.Disk = defaultDisk
	}
	if err := errors.Join(o.FS.RemoveAll(dir), o.FS.MkdirAll(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("empty the folder of sorters: %w", err)
	}
	return &Pool{opt: o, dir: dir}, nil
}

// NewSorter makes a sorter; it fits dataflow's Env.
func (p *Pool) NewSorter() (dataflow.Sorter, error) { return &Sorter{pool: p}, nil }

// Stats are for metrics.
type Stats struct {
	MemoryBytes int64 // of all sorters
	DiskBytes   int64 // of their files
	Runs        int64 // spilled since the start
}

// Stats takes the figures of now.
func (p *Pool) Stats() Stats {
	return Stats{MemoryBytes: p.used.Load(), DiskBytes: p.disk.Load(), Runs: p.runs.Load()}
}

// A piece is memory of one of a few sizes, each four times the one before, so
// that a small sorter takes little and a large one is quick.
const (
	pieces     = 5
	smallPiece = 4 << 10
	largePiece = smallPiece << (2 * (pieces - 1)) // 1 MiB
	idleBytes  = 16 << 20                         // of pieces that are kept
)

// class is the smallest size of piece that holds n bytes; pieces if none does.
func class(n int) int {
	c := 0
	for size := smallPiece; c < pieces && size < n; size *= 4 {
		c++
	}
	return c
}

// piece gives memory of at least n bytes and of the size of a class. It is
// accounted for; must says that it is taken even if the pool has none left.
func (p *Pool) piece(c, n int, must bool) []byte {
	size := n
	if c < pieces {
		size = smallPiece << (2 * c)
	}
	if !p.take(int64(size), must) {
		return nil
	}
	if b := p.reuse(c); b != nil {
		return b
	}
	return make([]byte, 0, size)
}

// take accounts for memory; false if there is none left.
func (p *Pool) take(n int64, must bool) bool {
	if p.used.Add(n) <= p.opt.Memory || must {
		return true
	}
	p.used.Add(-n)
	return false
}

func (p *Pool) reuse(c int) []byte {
	if c >= pieces {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free[c]) - 1
	if last < 0 {
		return nil
	}
	b := p.free[c][last]
	p.free[c] = p.free[c][:last]
	p.idle -= int64(cap(b))
	return b
}

// give takes pieces back.
func (p *Pool) give(list [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range list {
		p.used.Add(-int64(cap(b)))
		c := class(cap(b))
		if c < pieces && p.idle+int64(cap(b)) <= idleBytes {
			p.free[c] = append(p.free[c], b[:0])
			p.idle += int64(cap(b))
		}
	}
}
