package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log"
)

// disk guards the room that the log needs to stay alive (O08). There are three
// lines of defence:
//
//  1. Append waits while less than the reserve is free. What is under way,
//     commits and the sweep live on the reserve.
//  2. If a write fails for want of room nevertheless (somebody else took it),
//     it waits inside the file system's wrapper, and everything behind it with
//     it, until a probe can be written; then it is tried again. Pebble never
//     sees the error, nothing is lost and nobody has to act.
//  3. If the retry fails too, or the log is being closed, Pebble gives up; see
//     Log.fail.
type disk struct {
	cfg     Config
	fs      vfs.FS // as given, below the wrapper
	closing <-chan struct{}
	dead    <-chan struct{}
	isFull  atomic.Bool // as last told
	blocked atomic.Bool // a write waits in overcome
}

// probeBytes have to fit before a write that failed is tried again.
const probeBytes = 1 << 20

// wrapped is the file system for Pebble.
func (d *disk) wrapped() vfs.FS { return vfs.OnDiskFull(d.fs, d.overcome) }

// overcome waits until a probe can be written, or the log closes.
func (d *disk) overcome() {
	d.blocked.Store(true)
	d.set(true)
	for !d.probe() {
		select {
		case <-d.closing:
			return
		case <-time.After(d.cfg.DiskPoll):
		}
	}
	d.blocked.Store(false)
	d.set(false)
}

func (d *disk) set(full bool) {
	if d.isFull.Swap(full) != full {
		d.cfg.Events.full(full)
	}
}

func (d *disk) probe() bool {
	name := d.fs.PathJoin(d.cfg.Dir, "PROBE")
	f, err := d.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return false
	}
	_, err = f.Write(make([]byte, probeBytes))
	err = errors.Join(err, f.Sync(), f.Close())
	return errors.Join(err, d.fs.Remove(name)) == nil
}

// enough reports whether the reserve is free. A file system that cannot tell
// has room until it says otherwise.
func (d *disk) enough() bool {
	if d.cfg.Reserve < 0 {
		return true
	}
	use, err := d.fs.GetDiskUsage(d.cfg.Dir)
	return err != nil || use.AvailBytes >= uint64(d.cfg.Reserve)
}

// room waits until there is room for more. Its error says that there is none,
// and why it waited no longer.
func (d *disk) room(ctx context.Context, stop <-chan struct{}) error {
	if d.enough() {
		if d.isFull.Load() {
			d.set(false)
		}
		return nil
	}
	d.set(true)
	for !d.enough() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", d.cfg.Dir, log.ErrFull, ctx.Err())
		case <-stop:
			return log.ErrFenced
		case <-d.closing:
			return log.ErrClosed
		case <-d.dead:
			return log.ErrClosed
		case <-time.After(d.cfg.DiskPoll):
		}
	}
	d.set(false)
	return nil
}
