package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/state/diskspace"
)

// Store is the state of one view. One goroutine uses Begin and the epoch it
// gives; all else may be called from any goroutine.
type Store struct {
	opt    Options
	dir    *directory
	disk   *diskspace.Guard
	db     *pebble.DB
	shared *Shared
	own    bool // shared is ours to close

	closing chan struct{} // closed by Close
	dead    chan struct{} // closed by fail
	cause   error         // set before dead is closed
	died    sync.Once
	damaged atomic.Bool

	tables sstable.WriterOptions // of large epochs

	snapshots snapshots
	open      *Epoch        // owned by whoever uses Begin
	batch     *pebble.Batch // of the open epoch, kept from one to the next
	sorted    uint64        // files written for epochs so far, for their names

	mu     sync.Mutex
	closed bool
}

// collectionBytes begin every key; storeCollection is the store's own.
const (
	collectionBytes = 2
	storeCollection = 0xffff
)

// progressKey holds epoch:8 progress.
var progressKey = []byte{0xff, 0xff, 'p'}

// Open opens the state of id in dir, or begins one: it takes the directory,
// compares the identity, opens Pebble and reads the progress. Another holder,
// another identity and what is no state are Refusals; an error that wraps
// ErrDamaged says that the directory was put aside and that opening it again
// will find nothing (R07).
func Open(dir string, id Identity, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := makeFolder(dir, o); err != nil {
		return nil, fmt.Errorf("open the state in %s: %w", dir, full(err))
	}
	d, err := lockDirectory(o.FS, dir)
	if err != nil {
		return nil, err
	}
	if err := d.identify(id, o.ReadOnly); err != nil {
		return nil, errors.Join(full(err), d.release())
	}
	s := newStore(d, o)
	if err := s.call(s.start); err != nil {
		return nil, s.failedOpen(err)
	}
	return s, nil
}

func makeFolder(dir string, o Options) error {
	if o.ReadOnly {
		return nil
	}
	if err := o.FS.RemoveAll(dir + goneSuffix); err != nil {
		return err
	}
	return makeDurable(o.FS, dir)
}

func newStore(d *directory, o Options) *Store {
	s := &Store{opt: o, dir: d, shared: o.Shared, closing: make(chan struct{}), dead: make(chan struct{})}
	if s.shared == nil {
		s.shared, s.own = NewShared(DefaultCache, 256), true
	}
	s.disk = &diskspace.Guard{FS: o.FS, Dir: d.path, Reserve: o.Reserve, Poll: o.DiskPoll, Closing: s.closing, Ending: o.Ending, Tell: o.Events.Full}
	s.snapshots.store = s
	s.snapshots.idle.L = &s.snapshots.mu
	return s
}

func (s *Store) start() (err error) {
	if !s.opt.ReadOnly {
		if err := s.dir.empty(epochFolder); err != nil {
			return err
		}
	}
	options := s.options()
	if s.db, err = pebble.Open(s.dir.file(pebbleFolder), options); err != nil {
		return err
	}
	s.tables = options.MakeWriterOptions(len(options.Levels)-1, s.db.TableFormat())
	s.tables.WritingToLowestLevel = false // else deletes are taken for obsolete and have no effect
	epoch, progress, err := s.readProgress()
	if err != nil {
		return errors.Join(err, s.db.Close())
	}
	s.snapshots.advance(epoch, progress)
	return nil
}

// failedOpen leaves the directory, and puts it aside if it is damaged. Pebble
// calls only some of the files that it cannot read corrupt; what is no error of
// the operating system's is about their contents.
func (s *Store) failedOpen(err error) error {
	var errno syscall.Errno
	system := errors.As(err, &errno) || vfs.IsNoSpaceError(err) || errors.Is(err, os.ErrPermission)
	if pebble.IsCorruptionError(err) || errors.Is(err, os.ErrNotExist) || !system && !s.isDead() {
		s.damaged.Store(true)
	}
	err = fmt.Errorf("open the state in %s: %w", s.dir.path, full(err))
	return s.leave(err)
}

// readProgress reads what the last epoch committed.
func (s *Store) readProgress() (epoch uint64, progress []byte, err error) {
	v, done, err := s.db.Get(progressKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	defer done.Close()
	if len(v) < 8 {
		return 0, nil, fmt.Errorf("the progress has %d bytes: %w", len(v), pebble.ErrCorruption)
	}
	return binary.BigEndian.Uint64(v), append([]byte(nil), v[8:]...), nil
}

func appendProgress(dst []byte, epoch uint64, progress []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, epoch), progress...)
}

// Progress gives what the last commit was given; nil before the first one. It is
// not to be changed.
func (s *Store) Progress() []byte { return s.snapshots.progress() }

// Epoch counts the commits since the state was begun.
func (s *Store) Epoch() uint64 { return s.snapshots.epoch() }

// Flush makes durable what is committed, so that a crash goes back no further
// than this.
func (s *Store) Flush() error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.check(s.call(s.db.Flush))
}

// Close ends the store: it waits for the snapshots that are in use, flushes, and
// leaves the directory, which it puts aside if it is damaged: the error wraps
// ErrDamaged then. An open epoch is discarded; whoever uses it is done with it.
// Where nothing can be written, what was flushed before is what is left. It may be
// called again.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.closing)
	s.mu.Unlock()
	if s.open != nil {
		_ = s.open.Discard()
	}
	s.snapshots.close()
	if s.disk.Blocked() || s.isDead() {
		return s.abandon()
	}
	err := s.call(s.shut)
	if s.isDead() {
		return s.abandon()
	}
	return s.leave(err)
}

func (s *Store) shut() error {
	if s.batch != nil {
		_ = s.batch.Close()
	}
	if s.opt.ReadOnly || s.damaged.Load() {
		return s.db.Close()
	}
	return errors.Join(s.db.Flush(), s.db.Close())
}

// hanging is how long a change of a file may take that Close still waits for.
const hanging = time.Second

// leave releases the directory and puts it aside if it is damaged.
func (s *Store) leave(err error) error {
	if s.own {
		s.shared.Close()
	}
	err = errors.Join(err, s.dir.release())
	if !s.damaged.Load() {
		return err
	}
	err = fmt.Errorf("%s: %w: %w", s.dir.path, ErrDamaged, errors.Join(s.cause, err))
	if s.opt.ReadOnly {
		return err
	}
	if aside := s.dir.putAside(err); aside != nil {
		return aside
	}
	return err
}

// abandon leaves Pebble as it is, as a crash would: it cannot be closed without
// writing. The directory is free behind it, unless a change hangs in the disk: then it
// stays locked until that has ended.
func (s *Store) abandon() error {
	left := make(chan error, 1)
	go func() { left <- errors.Join(s.disk.Fence(), s.dir.release()) }()
	select {
	case err := <-left:
		if err != nil {
			s.opt.Events.Trouble("leaving the directory: " + err.Error())
		}
	case <-time.After(hanging):
	}
	if s.isDead() {
		return fmt.Errorf("%s: %w", s.dir.path, s.cause)
	}
	return fmt.Errorf("close %s: %w", s.dir.path, ErrFull)
}
