//go:build unix

package store

import (
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/evertdb/evert/pipeline"
)

// small disk: it is full when somebody says so.
type smallDisk struct {
	vfs.FS
	full atomic.Bool
	free atomic.Uint64
}

func newSmallDisk() *smallDisk {
	d := &smallDisk{}
	d.free.Store(1 << 40)
	d.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if d.full.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
			return syscall.ENOSPC
		}
		return nil
	}))
	return d
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

// eventually waits for what a background goroutine does.
func eventually(t *testing.T, what string, ch <-chan bool, want bool) {
	t.Helper()
	for deadline := time.After(3 * time.Minute); ; {
		select {
		case got := <-ch:
			if got == want {
				return
			}
		case <-deadline:
			t.Fatalf("nobody was told that %s", what)
		}
	}
}

// A full disk stops nothing for good: an epoch fails and may be tried again,
// and what Pebble writes waits (R07).
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d, told := newSmallDisk(), make(chan bool, 1000)
	o := small(d)
	o.DiskPoll = time.Millisecond
	o.Events.Full = func(full bool) { told <- full }
	s := open(t, o)
	y := newStory(11)
	for range 5 {
		must(t, y.epoch(s))
	}
	t.Run("R07 a large epoch", func(t *testing.T) {
		d.full.Store(true)
		if err := large(s, []byte("no")); !errors.Is(err, ErrFull) {
			t.Fatalf("%v", err)
		}
		must(t, y.check(s))
		d.full.Store(false)
		must(t, y.epoch(s))
		must(t, y.check(s))
	})
	t.Run("R07 the reserve", func(t *testing.T) {
		s.disk.Reserve = 1 << 30
		e := begin(t, s)
		must(t, e.Put(key(1, 1), []byte("x")))
		d.free.Store(1)
		if err := e.Commit([]byte("no")); !errors.Is(err, ErrFull) {
			t.Fatalf("%v", err)
		}
		eventually(t, "the disk is full", told, true)
		d.free.Store(1 << 40)
		err := ErrFull
		for errors.Is(err, ErrFull) { // until a background write has seen that there is room
			err = e.Commit(s.Progress())
		}
		must(t, err)
		y.last()[string(key(1, 1))] = "x"
		must(t, y.check(s))
		s.disk.Reserve = -1
	})
	t.Run("R07 a flush waits", func(t *testing.T) {
		must(t, y.epoch(s))
		d.full.Store(true)
		flushed := make(chan error, 1)
		go func() { flushed <- s.Flush() }()
		eventually(t, "the disk is full", told, true)
		must(t, y.check(s)) // reads go on
		d.full.Store(false)
		must(t, <-flushed)
		eventually(t, "there is room again", told, false)
	})
	must(t, s.Close())
	s = open(t, o)
	must(t, y.check(s))
	must(t, s.Close())
}

// A disk that has gone away keeps nobody who closes a state (O01): Pebble would try for ever
// to write what it holds. When it is back, the same process opens the state again, and what
// was left behind does not touch it.
func TestCloseOnABrokenDisk(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{syscall.EIO, os.ErrNotExist, syscall.ENOSPC} {
		var gone atomic.Bool
		o := small(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if gone.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
				return failure
			}
			return nil
		})))
		s := open(t, o)
		y := newStory(12)
		must(t, y.epoch(s))
		gone.Store(true)
		if err := s.Close(); !errors.Is(err, failure) {
			t.Errorf("a disk that says %v: closed with %v", failure, err)
		}
		gone.Store(false)
		again := open(t, o)
		must(t, y.check(again))
		must(t, y.epoch(again))
		if err := s.disk.Wrap().Remove(s.dir.file(identityFile)); err == nil {
			t.Error("what was left can still change files")
		}
		must(t, again.Close())
	}
}

// A disk that is broken is tried again, ever later, and told of as often; who commits to it
// is refused meanwhile, and goes on when it is mended (I8, R07).
func TestBrokenDisk(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	var tries atomic.Int64
	failed, told := make(chan struct{}), make(chan string, 1000)
	o := small(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !gone.Load() || op.Kind != errorfs.OpCreate {
			return nil
		}
		if tries.Add(1) == 3 {
			close(failed)
		}
		return syscall.EIO
	})))
	o.DiskPoll = 50 * time.Millisecond
	o.Events.Trouble = func(text string) { told <- text }
	s := open(t, o)
	y := newStory(13)
	must(t, y.epoch(s))
	gone.Store(true)
	began := time.Now()
	flushed := make(chan error, 1)
	go func() { flushed <- s.Flush() }()
	<-failed
	if took := time.Since(began); took < 3*o.DiskPoll {
		t.Errorf("three tries within %s", took)
	}
	if n := int64(len(told)); n > 2*tries.Load() {
		t.Errorf("%d tries were told of %d times: %s", tries.Load(), n, <-told)
	}
	for err := error(nil); pipeline.CodeOf(err) != RefuseUnwritable; { // a try may be overdue on a busy machine
		e := begin(t, s)
		must(t, e.Put(key(1, 1), []byte("x")))
		if err = e.Commit(s.Progress()); err == nil {
			y.last()[string(key(1, 1))] = "x"
		} else if !errors.Is(err, syscall.EIO) {
			t.Fatalf("%v", err)
		}
		must(t, e.Discard())
	}
	must(t, y.check(s))
	gone.Store(false)
	must(t, <-flushed)
	must(t, y.epoch(s))
	must(t, y.check(s))
	must(t, s.Close())
}

// A write of Pebble's that must not fail ends the state, and not the process. It is opened
// again as it was.
func TestDeadState(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	o := small(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind == errorfs.OpFileSync && strings.Contains(op.Path, "MANIFEST") {
			return syscall.EIO
		}
		return nil
	})))
	s := open(t, o)
	y := newStory(14)
	must(t, y.epoch(s))
	must(t, s.Flush())
	must(t, y.epoch(s))
	broken.Store(true)
	if err := s.Flush(); !errors.Is(err, ErrDead) {
		t.Errorf("flush: %v", err)
	}
	if _, err := s.Begin(); !errors.Is(err, ErrDead) {
		t.Errorf("begin: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrDead) {
		t.Errorf("close: %v", err)
	}
	broken.Store(false)
	again := open(t, o)
	must(t, y.check(again))
	must(t, y.epoch(again))
	must(t, again.Close())
}

// Who is to end waits for no disk that is full or broken (O01, R07): neither in a flush, nor
// in a commit that finds all memory full of what cannot be written. Else nobody would come
// to close the state.
func TestEndingOnABrokenDisk(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{syscall.EIO, syscall.ENOSPC} {
		for name, work := range map[string]func(*Store) error{"flush": (*Store).Flush, "commits": commitAll} {
			t.Run(name+" "+failure.Error(), func(t *testing.T) {
				t.Parallel()
				var gone atomic.Bool
				ending, failed, once := make(chan struct{}), make(chan struct{}), sync.Once{}
				o := small(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
					if gone.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
						once.Do(func() { close(failed) })
						return failure
					}
					return nil
				})))
				o.Ending = ending
				s := open(t, o)
				must(t, newStory(13).epoch(s))
				gone.Store(true)
				worked := make(chan error, 1)
				go func() { worked <- work(s) }()
				<-failed
				close(ending)
				if err := <-worked; err == nil {
					t.Error("nothing was written, and nobody was told")
				}
				if s.Close() == nil {
					t.Error("it closed well")
				}
			})
		}
	}
}

// commitAll commits small epochs until one fails.
func commitAll(s *Store) error {
	for n := 0; ; n++ {
		e, err := s.Begin()
		if err != nil {
			return err
		}
		if err := errors.Join(e.Put(key(1, n), make([]byte, 4<<10)), e.Commit(nil)); err != nil {
			return err
		}
	}
}

// large makes an epoch that goes through files.
func large(s *Store, progress []byte) error {
	e, err := s.Begin()
	if err != nil {
		return err
	}
	defer e.Discard()
	for n := range 2000 {
		if err := e.Put(key(9, n), make([]byte, 100)); err != nil {
			return err
		}
	}
	return e.Commit(progress)
}
