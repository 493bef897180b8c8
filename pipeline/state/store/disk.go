package store

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk guards the room that Pebble needs (R07). Commits are refused while less
// than the reserve is free. If Pebble's own write fails for want of room
// nevertheless, it waits inside the file system's wrapper until a probe can be
// written; then it is tried again, and Pebble never sees the error.
type disk struct {
	opt     *Options
	fs      vfs.FS // as given, below the wrapper
	dir     string
	closing <-chan struct{}
	isFull  atomic.Bool // as last told
	blocked atomic.Bool // a write waits in overcome
}

// probeBytes have to fit before a write that failed is tried again.
const probeBytes = 1 << 20

// wrapped is the file system for Pebble.
func (d *disk) wrapped() vfs.FS { return vfs.OnDiskFull(d.fs, d.overcome) }

// overcome waits until a probe can be written, or the store closes.
func (d *disk) overcome() {
	d.blocked.Store(true)
	d.tell(true)
	for !d.probe() {
		select {
		case <-d.closing:
			return
		case <-time.After(d.opt.DiskPoll):
		}
	}
	d.blocked.Store(false)
	d.tell(false)
}

func (d *disk) tell(full bool) {
	if d.isFull.Swap(full) != full {
		d.opt.Events.Full(full)
	}
}

func (d *disk) probe() bool {
	name := d.fs.PathJoin(d.dir, "PROBE")
	f, err := d.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return false
	}
	_, err = f.Write(make([]byte, probeBytes))
	err = errors.Join(err, f.Sync(), f.Close())
	return errors.Join(err, d.fs.Remove(name)) == nil
}

// room refuses while less than the reserve is free, or a write waits. A file
// system that cannot tell has room until it says otherwise.
func (d *disk) room() error {
	full := d.blocked.Load()
	if !full && d.opt.Reserve >= 0 {
		use, err := d.fs.GetDiskUsage(d.dir)
		full = err == nil && use.AvailBytes < uint64(d.opt.Reserve)
	}
	d.tell(full)
	if full {
		return fmt.Errorf("%s: %w", d.dir, ErrFull)
	}
	return nil
}

// full marks the errors that mean that there is no room.
func full(err error) error {
	if err != nil && vfs.IsNoSpaceError(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
