package diskspace

import (
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// probeBytes have to fit before a write that failed is tried again.
const probeBytes = 1 << 20

// Guard is over the room of one store. Its fields are set before its first use;
// its methods may be called from any goroutine.
type Guard struct {
	FS      vfs.FS          // the store's, below what Wrap gives
	Dir     string          // the store's own directory
	Reserve int64           // bytes that must be free; negative: any
	Poll    time.Duration   // between two probes
	Closing <-chan struct{} // closed when the store closes: no write waits any more
	Ending  <-chan struct{} // closed when whoever uses it is to end: the same; may be nil
	// Tell is told that there is no room, and that there is some again: each
	// once, in order. It must not block, and not call the guard.
	Tell func(full bool)

	mu      sync.Mutex
	short   bool // less than the reserve was free when somebody asked
	blocked bool // a write waits in overcome
	told    bool // what Tell was told last
	retry   retry

	fence fence
}

// Wrap is the file system for Pebble.
func (g *Guard) Wrap() vfs.FS { return guarded{FS: vfs.OnDiskFull(g.FS, g.overcome), guard: g} }

// Free reports whether the reserve is free. A file system that cannot tell has
// room until it says otherwise.
func (g *Guard) Free() bool {
	short := false
	if g.Reserve >= 0 {
		use, err := g.FS.GetDiskUsage(g.Dir)
		short = err == nil && use.AvailBytes < uint64(g.Reserve)
	}
	g.note(&g.short, short)
	return !short
}

// Blocked reports whether a write waits for room; closing does not end that.
func (g *Guard) Blocked() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.blocked
}

// overcome waits until a probe can be written, or the store closes, or is to.
func (g *Guard) overcome() {
	g.note(&g.blocked, true)
	for !g.probe() {
		select {
		case <-g.Closing:
			return
		case <-g.Ending:
			return
		case <-time.After(g.Poll):
		}
	}
	g.note(&g.blocked, false)
}

func (g *Guard) probe() bool {
	name := g.FS.PathJoin(g.Dir, "PROBE")
	f, err := g.FS.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return false
	}
	_, err = f.Write(make([]byte, probeBytes))
	err = errors.Join(err, f.Sync(), f.Close())
	return errors.Join(err, g.FS.Remove(name)) == nil
}

// note sets what is known, and tells of it where that changes whether there is
// room. The lock is held while it tells, so that the last word is the true one.
func (g *Guard) note(what *bool, is bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*what = is
	if full := g.short || g.blocked; full != g.told {
		g.told = full
		g.Tell(full)
	}
}
